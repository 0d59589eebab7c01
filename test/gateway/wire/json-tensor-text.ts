/** The ways to write one tensor as JSON, for tests that read them all. */
import fc from 'fast-check';
import { elementCount } from '../../../runtime/tensor/signature.ts';

type Nested<Value> = Value | Nested<Value>[];

function nest<Value>(values: readonly Value[], shape: readonly number[]): Nested<Value> {
  const [size, ...inner] = shape;
  if (size === undefined) return values[0] ?? [];
  const step = elementCount(inner);
  return Array.from({ length: size }, (_, index) =>
    nest(values.slice(index * step, (index + 1) * step), inner),
  );
}

/** JSON text with exact big integers. */
function stringify(value: Nested<number | bigint | boolean | string>): string {
  if (Array.isArray(value)) return `[${value.map(stringify).join(', ')}]`;
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

/** The ways to write a tensor: flat, nested as its shape, as a list of flat rows. */
export function waysToWrite(
  values: readonly (number | bigint | boolean | string)[],
  shape: readonly number[],
): string[] {
  const flat = stringify([...values]);
  if (shape.length === 0) return [flat];
  const [rows = 0, ...inner] = shape;
  const ways = [flat, stringify(nest(values, shape))];
  return rows === 0 ? ways : [...ways, stringify(nest(values, [rows, elementCount(inner)]))];
}

export const shapes: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
