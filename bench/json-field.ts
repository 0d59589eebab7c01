/** Checked reading of fields of values that came as JSON or msgpack. Each throws when the field is not what it says. */

export function numberField(value: unknown, name: string): number {
  const found = field(value, name);
  if (typeof found === 'number' && Number.isFinite(found)) return found;
  throw new TypeError(`No number ${name} in ${JSON.stringify(value)}.`);
}

export function textField(value: unknown, name: string): string {
  const found = field(value, name);
  if (typeof found === 'string') return found;
  throw new TypeError(`No text ${name} in ${JSON.stringify(value)}.`);
}

export function listField(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  if (Array.isArray(found)) return found;
  throw new TypeError(`No list ${name} in ${JSON.stringify(value)}.`);
}

/** Undefined when there is no such field or nothing that has fields. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
