/**
 * Reads the fields of a JSON object or of a query and remembers the first thing that was wrong. A field that nobody
 * knows is refused with the list of those that are: a misspelt limit must not be no limit. `null` is a field that is
 * not given.
 */
import { type ControlFailure, type ControlResult, accepted, refuse } from './control-error.ts';

export class RequestFields {
  readonly #fields: ReadonlyMap<string, unknown>;
  #problem: ControlFailure | undefined;

  constructor(fields: ReadonlyMap<string, unknown>, known: readonly string[]) {
    this.#fields = fields;
    for (const name of fields.keys()) {
      if (known.includes(name)) continue;
      const there = known.length === 0 ? 'None is taken here.' : `Known here: ${known.join(', ')}.`;
      this.#problem ??= refuse('UNKNOWN_FIELD', `The field ${shown(name)} is not known. ${there}`);
    }
  }

  get problem(): ControlFailure | undefined {
    return this.#problem;
  }

  /** The value when nothing was wrong, the first problem otherwise. */
  finish<Value>(value: Value): ControlResult<Value> {
    return this.#problem ?? accepted(value);
  }

  /** `what` completes the sentence that begins with the field. */
  reject(field: string, what: string): void {
    this.#problem ??= refuse('INVALID_REQUEST', `The field '${field}' ${what}.`);
  }

  has(field: string): boolean {
    return (this.#fields.get(field) ?? undefined) !== undefined;
  }

  /** Empty, with a problem remembered, when it is missing. */
  text(field: string): string {
    const value = this.textIfGiven(field);
    if (value === undefined) this.reject(field, 'is missing');
    return value ?? '';
  }

  textIfGiven(field: string): string | undefined {
    const value = this.#fields.get(field) ?? undefined;
    if (value === undefined || typeof value === 'string') return value;
    this.reject(field, 'is not a string');
    return undefined;
  }

  numberIfGiven(field: string): number | undefined {
    const value = this.#fields.get(field) ?? undefined;
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
    this.reject(field, 'is not a number');
    return undefined;
  }

  /** For quantities that are written both ways, such as 0.5 and "500m". */
  numberOrTextIfGiven(field: string): number | string | undefined {
    const value = this.#fields.get(field) ?? undefined;
    if (value === undefined || typeof value === 'number' || typeof value === 'string') return value;
    this.reject(field, 'is neither a number nor a string');
    return undefined;
  }

  booleanIfGiven(field: string): boolean | undefined {
    const value = this.#fields.get(field) ?? undefined;
    if (value === undefined || typeof value === 'boolean') return value;
    this.reject(field, 'is not true or false');
    return undefined;
  }

  textsIfGiven(field: string): readonly string[] | undefined {
    const values = this.listIfGiven(field);
    if (values === undefined) return undefined;
    const texts = values.filter((value) => typeof value === 'string');
    if (texts.length === values.length) return texts;
    this.reject(field, 'is not a list of strings');
    return undefined;
  }

  listIfGiven(field: string): readonly unknown[] | undefined {
    const value: unknown = this.#fields.get(field) ?? undefined;
    if (value === undefined) return undefined;
    if (Array.isArray(value)) return value as readonly unknown[];
    this.reject(field, 'is not a list');
    return undefined;
  }

  /** Its fields; nothing is looked up through a prototype. */
  objectIfGiven(field: string): ReadonlyMap<string, unknown> | undefined {
    const value = this.#fields.get(field) ?? undefined;
    if (value === undefined) return undefined;
    const fields = fieldsOf(value);
    if (fields === undefined) this.reject(field, 'is not an object');
    return fields;
  }

  /** An object whose values are all numbers. */
  numbersIfGiven(field: string): Readonly<Record<string, number>> | undefined {
    const value = this.#fields.get(field) ?? undefined;
    if (value === undefined) return undefined;
    const entries = fieldsOf(value);
    const numbers = [...(entries ?? [])].filter(
      (entry): entry is [string, number] => typeof entry[1] === 'number' && Number.isFinite(entry[1]),
    );
    if (numbers.length === entries?.size) return Object.fromEntries(numbers);
    this.reject(field, 'is not an object of numbers');
    return undefined;
  }

  oneOfIfGiven<const Choice extends string>(field: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.textIfGiven(field);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.reject(field, `is ${shown(value)}; use one of ${choices.join(', ')}`);
    return found;
  }

  /** A whole number from `min` to `max`. */
  wholeIfGiven(
    field: string,
    { min, max }: { readonly min: number; readonly max: number },
  ): number | undefined {
    const value = this.numberIfGiven(field);
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    this.reject(field, `is ${value}; it is a whole number from ${min} to ${max}`);
    return undefined;
  }
}

/** Undefined for what is not an object. Nothing is looked up through a prototype. */
export function fieldsOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? new Map(Object.entries(value)) : undefined;
}

/** The object in a JSON body; no body at all is an object without fields. */
export function readJsonBody(bytes: Uint8Array): ControlResult<ReadonlyMap<string, unknown>> {
  if (bytes.length === 0) return accepted(new Map());
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return refuse('MALFORMED_JSON', 'The body is not JSON. Send a JSON object in UTF-8.');
  }
  const fields = fieldsOf(value);
  if (fields !== undefined) return accepted(fields);
  return refuse('MALFORMED_JSON', 'The body is JSON but not an object.');
}

export function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
