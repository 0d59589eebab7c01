/** Tensors and requests for property tests: every datatype, every bit pattern, odd names, empty shapes. */
import fc from 'fast-check';
import { type NumericDatatype, datatypes, elementBytes } from '../../client/tensor/datatype.ts';
import { tensorOfPacked } from '../../client/tensor/packed-data.ts';
import type { NamedTensor } from '../../client/tensor/tensor.ts';
import { tensor } from '../../client/tensor/tensor.ts';
import type { RequestFields } from '../../client/wire/request-fields.ts';

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });

/** `textOnly` leaves out bytes that are no text. */
export function anyTensor({
  textOnly = false,
}: { readonly textOnly?: boolean } = {}): fc.Arbitrary<NamedTensor> {
  const text = fc.string({ unit: 'grapheme' });
  const element = textOnly ? text : fc.oneof(text, fc.constant(Uint8Array.of(0xff, 0xfe)));
  return fc
    .tuple(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constantFrom(...datatypes), shapes)
    .chain(([name, datatype, shape]) => {
      const count = shape.reduce((product, size) => product * size, 1);
      if (datatype === 'BYTES') {
        const elements = fc.array(element, { minLength: count, maxLength: count });
        return elements.map((data) => ({ name, ...tensor('BYTES', shape, data) }));
      }
      return numeric(datatype, shape, count).map((made) => ({ ...made, name }));
    });
}

function numeric(datatype: NumericDatatype, shape: number[], count: number): fc.Arbitrary<NamedTensor> {
  const length = count * elementBytes(datatype);
  const bytes =
    datatype === 'BOOL'
      ? fc
          .array(fc.constantFrom(0, 1), { minLength: length, maxLength: length })
          .map((list) => Uint8Array.from(list))
      : fc.uint8Array({ minLength: length, maxLength: length });
  return bytes.map((filled) => tensorOfPacked(datatype, shape, filled.slice()) as NamedTensor);
}

export function anyRequest(options?: { readonly textOnly?: boolean }): fc.Arbitrary<RequestFields> {
  return fc.record({
    model: fc.string({ unit: 'grapheme', minLength: 1 }),
    version: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
    inputs: fc.uniqueArray(anyTensor(options), { maxLength: 3, selector: ({ name }) => name }),
    outputs: fc.array(fc.string(), { maxLength: 2 }),
    remainingMs: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 3_600_000 })),
    priority: fc.option(fc.nat(), { nil: undefined }),
    parameters: fc.dictionary(
      fc.string().filter((key) => key !== '__proto__' && key !== 'priority' && key !== 'timeout'),
      fc.oneof(
        fc.string(),
        fc.boolean(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.maxSafeInteger(),
      ),
      { maxKeys: 2 },
    ),
  });
}

export function requestOf(inputs: readonly NamedTensor[], more: Partial<RequestFields> = {}): RequestFields {
  return {
    model: 'm',
    version: undefined,
    inputs,
    outputs: [],
    remainingMs: Infinity,
    priority: undefined,
    parameters: {},
    ...more,
  };
}
