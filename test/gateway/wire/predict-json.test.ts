/** The plain prediction format: features for models of every form. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorTable } from '../../../gateway/wire/error-code.ts';
import { readJsonStrings, writeJsonElements } from '../../../gateway/wire/json-elements.ts';
import { decodePredict } from '../../../gateway/wire/predict-json.ts';
import type { Datatype } from '../../../runtime/tensor/dtype.ts';
import { elementCount, type ModelSignature } from '../../../runtime/tensor/signature.ts';

function model(
  batching: 'rows' | 'none',
  ...inputs: [string, readonly number[], Datatype?][]
): ModelSignature {
  return {
    inputs: inputs.map(([name, shape, datatype = 'FP32']) => ({ name, shape, datatype })),
    outputs: [],
    batching,
  };
}

const iris = model('rows', ['float_input', [-1, 4]]);
const digits = model('rows', ['image', [-1, 1, 2, 2]]);
const scalarRows = model('rows', ['x', [-1]]);
const columnRows = model('rows', ['x', [-1, 1]]);
const openRows = model('rows', ['tokens', [-1, -1]]);
const openImages = model('rows', ['image', [-1, 3, -1, 2]]);
const pair = model('rows', ['a', [-1, 2]], ['b', [-1], 'INT64']);
const whole = model('none', ['x', [2, 3]]);
const openWhole = model('none', ['x', [-1, 3]]);
const words = model('rows', ['text', [-1, 1], 'BYTES']);

/** Name, shape and elements of every tensor, or the code. */
function predict(features: unknown, signature: ModelSignature): unknown {
  return decoded(JSON.stringify({ features }), signature);
}

function decoded(text: string | Uint8Array, signature: ModelSignature): unknown {
  const result = decodePredict(Buffer.from(text), signature);
  if (!result.ok) return result;
  return result.value.inputs.map((input) => {
    const { name, shape, datatype, source } = input;
    if (source.kind !== 'json') throw new Error('every tensor is a span of the body');
    if (datatype === 'BYTES') {
      const strings = readJsonStrings(source, input);
      return strings.ok ? [name, shape, strings.value] : strings;
    }
    const count = elementCount(shape);
    const target = datatype === 'INT64' ? new BigInt64Array(count) : new Float32Array(count);
    return writeJsonElements(source, input, target) ?? [name, shape, [...target].map(Number)];
  });
}

describe('features', () => {
  it.each([
    [
      'rows of a table',
      iris,
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ],
      [2, 4],
      [1, 2, 3, 4, 5, 6, 7, 8],
    ],
    [
      'rows nested as an image',
      digits,
      [
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
      ],
      [1, 1, 2, 2],
      [1, 2, 3, 4],
    ],
    [
      'flat rows for an image',
      digits,
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ],
      [2, 1, 2, 2],
      [1, 2, 3, 4, 5, 6, 7, 8],
    ],
    ['bare numbers where a row is a scalar', scalarRows, [1, 2, 3], [3], [1, 2, 3]],
    ['lists of one where a row is a scalar', scalarRows, [[1], [2]], [2], [1, 2]],
    ['lists of one where a row has one number', columnRows, [[1], [2]], [2, 1], [1, 2]],
    ['bare numbers where a row has one number', columnRows, [1, 2], [2, 1], [1, 2]],
    [
      'rows of any length',
      openRows,
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ],
    ['images of any height', openImages, [[[[1, 2]], [[3, 4]], [[5, 6]]]], [1, 3, 1, 2], [1, 2, 3, 4, 5, 6]],
    ['flat images of any height', openImages, [[1, 2, 3, 4, 5, 6]], [1, 3, 1, 2], [1, 2, 3, 4, 5, 6]],
    [
      'a whole tensor',
      whole,
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ],
    ['a whole tensor, flat', whole, [1, 2, 3, 4, 5, 6], [2, 3], [1, 2, 3, 4, 5, 6]],
    ['a whole tensor of any length', openWhole, [[1, 2, 3]], [1, 3], [1, 2, 3]],
    ['a whole tensor of any length, flat', openWhole, [1, 2, 3, 4, 5, 6], [2, 3], [1, 2, 3, 4, 5, 6]],
    ['strings', words, [['a'], ['b']], [2, 1], ['a', 'b']],
  ] as const)('may be %s', (_name, signature, features, shape, elements) => {
    const name = signature.inputs[0]?.name;
    expect(predict(features, signature)).toEqual([[name, shape, elements]]);
    expect(predict({ [name ?? '']: features }, signature)).toEqual([[name, shape, elements]]);
  });

  it('are an object with an array by input for a model with several', () => {
    expect(
      predict(
        {
          b: [7, 8],
          a: [
            [1, 2],
            [3, 4],
          ],
        },
        pair,
      ),
    ).toEqual([
      ['b', [2], [7, 8]],
      ['a', [2, 2], [1, 2, 3, 4]],
    ]);
  });

  it('may stand beside keys that mean nothing here', () => {
    expect(decoded('{"id":7,"features":[[1,2,3,4]],"user":{"a":[1]}}', iris)).toEqual([
      ['float_input', [1, 4], [1, 2, 3, 4]],
    ]);
  });

  it.each([
    ['', iris, 'EMPTY_BODY', 'The body is empty; send {"features": [[...]]}.'],
    ['[]', iris, 'INVALID_REQUEST', 'The body must be an object like {"features": [[...]]}'],
    ['{}', iris, 'INVALID_REQUEST', 'features is missing; send {"features": [[...]]}.'],
    ['{"features":[[1,2,3,4]]', iris, 'MALFORMED_JSON', 'it ends too early'],
    ['{"features":[[1,2,3,4]],"features":[]}', iris, 'INVALID_REQUEST', 'features is there twice.'],
    ['{"features":5}', iris, 'INVALID_REQUEST', 'features must be a list of rows; write [[5.1, ...]].'],
    ['{"features":[]}', iris, 'INVALID_REQUEST', 'features has no rows'],
    [
      '{"features":[1,2,3,4]}',
      iris,
      'SHAPE_MISMATCH',
      'features must be a list of rows; write [[5.1, ...]], with 4 elements in each row.',
    ],
    ['{"features":[1,2,3,4]}', openRows, 'SHAPE_MISMATCH', 'must be a list of rows; write [[5.1, ...]].'],
    [
      '{"features":[[1,2],[3]]}',
      openRows,
      'SHAPE_MISMATCH',
      "must be nested as the model's shape [any, any], evenly",
    ],
    [
      '{"features":[[1,2,3,4,5]]}',
      openImages,
      'SHAPE_MISMATCH',
      "nested as the model's shape [any, 3, any, 2]",
    ],
    ['{"features":[1,2]}', openWhole, 'SHAPE_MISMATCH', "nested as the model's shape [any, 3]"],
    ['{"features":5}', whole, 'INVALID_REQUEST', 'features must be an array.'],
    [
      '{"features":[[1,2]]}',
      pair,
      'INVALID_REQUEST',
      'an object with an array for each input of the model: "a", "b".',
    ],
    ['{"features":{"c":[]}}', pair, 'UNKNOWN_INPUT', 'features["c"]: the model has no input of that name.'],
    ['{"features":{"b":[1]}}', pair, 'MISSING_INPUT', 'features has no "a".'],
    ['{"features":{"b":[1],"b":[1]}}', pair, 'INVALID_REQUEST', 'features["b"] is there twice.'],
    [
      '{"features":{"b":[1],"a":[[1,2],[3,4]]}}',
      pair,
      'SHAPE_MISMATCH',
      'features["a"] has 2 rows, but the input before it has 1.',
    ],
    [
      '{"features":{"a":[1,2]}}',
      pair,
      'SHAPE_MISMATCH',
      'features["a"] must be a list of rows; write [[5.1, ...]], with 2',
    ],
    ['{"features":{"a":7}}', pair, 'INVALID_REQUEST', 'features["a"] must be a list of rows'],
  ] as const)('in %s are refused and explained', (text, signature, code, message) => {
    expect(decoded(text, signature)).toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    });
  });

  it('with rows of the wrong length are found out when the elements are read', () => {
    expect(predict([[1, 2, 3]], iris)).toMatchObject([
      {
        code: 'SHAPE_MISMATCH',
        message: expect.stringContaining('nested as [1, 3], but its shape is [1, 4]') as string,
      },
    ]);
  });

  it('mangled in any way give tensors or a declared code, and never an exception', () => {
    const signatures = fc.constantFrom(
      iris,
      digits,
      scalarRows,
      openRows,
      openImages,
      pair,
      whole,
      openWhole,
      words,
    );
    const bodies = fc.constantFrom(
      '{"features":[[1,2,3,4],[5,6,7,8]]}',
      '{"features":{"a":[[1,2]],"b":[3]}}',
      '{"features":[[[[1,2],[3,4]]]], "x":null}',
    );
    const edits = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...Buffer.from('[]{},:"1a.e- ')), fc.nat(2)), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(signatures, bodies, edits, (signature, text, changes) => {
        const body = [...Buffer.from(text)];
        for (const [place, byte, removed] of changes) body.splice(place % (body.length + 1), removed, byte);
        const result = decodePredict(Uint8Array.from(body), signature);
        if (!result.ok) {
          expect(Object.keys(errorTable)).toContain(result.code);
          return;
        }
        expect(result.value.inputs.map(({ name }) => name).sort()).toEqual(
          signature.inputs.map(({ name }) => name).sort(),
        );
        for (const { shape } of result.value.inputs) {
          expect(shape.every((size) => Number.isSafeInteger(size) && size >= 0)).toBe(true);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
