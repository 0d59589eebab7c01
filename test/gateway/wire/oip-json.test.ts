/** The Open Inference Protocol in JSON: what decodes, what is refused and why. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorTable } from '../../../gateway/wire/error-code.ts';
import { readJsonStrings, writeJsonElements } from '../../../gateway/wire/json-elements.ts';
import { decodeOipJson } from '../../../gateway/wire/oip-json.ts';

const decode = (text: string | Uint8Array): ReturnType<typeof decodeOipJson> =>
  decodeOipJson(Buffer.from(text));

const iris = { name: 'features', shape: [1, 4], datatype: 'FP32', data: [5.1, 3.5, 1.4, 0.2] };

describe('OIP JSON requests', () => {
  it('decodes a request and leaves the data where it is in the body', () => {
    const body = Buffer.from(
      '{"id":"a1","inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}],' +
        '"outputs":[{"name":"label"},{"name":"probabilities","parameters":{"binary_data":false}}]}',
    );
    const result = decodeOipJson(body);
    if (!result.ok) throw new Error(result.message);
    const { id, inputs, outputs } = result.value;
    expect(id).toBe('a1');
    expect(outputs).toEqual(['label', 'probabilities']);
    expect(inputs).toHaveLength(1);
    const source = inputs[0]?.source;
    if (source?.kind !== 'json') throw new Error('no span');
    expect(inputs[0]).toMatchObject({ name: 'features', datatype: 'FP32', shape: [1, 4] });
    expect(source.text).toBe(body);
    expect(body.subarray(source.start, source.end).toString()).toBe('[5.1,3.5,1.4,0.2]');
  });

  it('does not mind the order of keys, white space, escapes in keys, nor keys it does not know', () => {
    const text = `
      { "future": {"a": [1, {"inputs": []}]}, "parameters": {"priority": 1},
        "inputs" : [ { "data" : [[1], [2]] , "parameters": {"x": true}, "d\\u0061tatype" : "INT64", "extra": null,
                       "shape" : [ 2, 1 ], "n\\u0061me" : "\\u0078\\n😀" } ] }`;
    const result = decode(text);
    expect(result).toMatchObject({
      value: {
        id: undefined,
        outputs: undefined,
        inputs: [{ name: 'x\n😀', datatype: 'INT64', shape: [2, 1] }],
      },
    });
  });

  it('takes null for optional fields as if they were not there, and no outputs as all of them', () => {
    const nulls = { id: null, outputs: null, parameters: null, inputs: [{ ...iris, parameters: null }] };
    for (const outputs of [null, []]) {
      expect(decode(JSON.stringify({ ...nulls, outputs }))).toMatchObject({
        ok: true,
        value: { id: undefined, outputs: undefined },
      });
    }
  });

  it('accepts every shape that can be counted', () => {
    for (const shape of [
      [],
      [0],
      [1, 0, 5],
      [2 ** 26, 2 ** 26],
      [150528],
      Array.from({ length: 16 }, () => 1),
    ]) {
      const result = decode(JSON.stringify({ inputs: [{ ...iris, shape }] }));
      expect(result).toMatchObject({ value: { inputs: [{ shape }] } });
    }
  });

  const input = (change: object): string => JSON.stringify({ inputs: [{ ...iris, ...change }] });
  const request = (change: object): string => JSON.stringify({ inputs: [iris], ...change });
  const raw = (fields: string): string => `{"inputs":[{${fields}}]}`;

  const refusals = [
    ['', 'EMPTY_BODY', 'The body is empty'],
    [' ', 'MALFORMED_JSON', 'it ends too early'],
    ['[]', 'INVALID_REQUEST', 'The body must be a JSON object.'],
    ['nope', 'MALFORMED_JSON', '"n" does not belong at byte 0'],
    ['{}', 'INVALID_REQUEST', 'inputs is missing.'],
    ['\ufeff{}', 'MALFORMED_JSON', 'byte order mark'],
    ['{"inputs":[]', 'MALFORMED_JSON', 'it ends too early'],
    ['{"inputs":[]}}', 'MALFORMED_JSON', '"}" does not belong at byte 13'],
    ['{"inputs":null}', 'INVALID_REQUEST', 'inputs must be an array.'],
    ['{"inputs":[5]}', 'INVALID_REQUEST', 'inputs[0] must be an object.'],
    ['{"inputs":[nul]}', 'MALFORMED_JSON', '"n" does not belong at byte 11'],
    ['{"inputs":[],"inputs":[]}', 'INVALID_REQUEST', 'inputs is there twice.'],
    [request({ id: 5 }), 'INVALID_REQUEST', 'id must be a string.'],
    ['{"id":"a","\\u0069d":"b","inputs":[]}', 'INVALID_REQUEST', 'id is there twice.'],
    ['{"id":null,"id":"b","inputs":[]}', 'INVALID_REQUEST', 'id is there twice.'],
    ['{"id":"a\\x"}', 'MALFORMED_JSON', 'does not belong at byte 8'],
    [request({ parameters: [] }), 'INVALID_REQUEST', 'parameters must be an object.'],
    [request({ outputs: {} }), 'INVALID_REQUEST', 'outputs must be an array.'],
    [request({ outputs: ['y'] }), 'INVALID_REQUEST', 'outputs[0] must be an object with a "name".'],
    [request({ outputs: [{}] }), 'INVALID_REQUEST', 'outputs[0].name is missing.'],
    [
      request({ outputs: [{ name: 'y' }, { name: 1 }] }),
      'INVALID_REQUEST',
      'outputs[1].name must be a string.',
    ],
    [
      raw('"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}'),
      'INVALID_REQUEST',
      'inputs[0] has a binary_data_size, but the request lacks the header Inference-Header-Content-Length',
    ],
    [raw('"shape":[1],"datatype":"FP32","data":[1]'), 'INVALID_REQUEST', 'inputs[0].name is missing.'],
    [raw('"name":"x","datatype":"FP32","data":[1]'), 'INVALID_REQUEST', 'inputs[0].shape is missing.'],
    [raw('"name":"x","shape":[1],"data":[1]'), 'INVALID_REQUEST', 'inputs[0].datatype is missing.'],
    [raw('"name":"x","shape":[1],"datatype":"FP32"'), 'INVALID_REQUEST', 'inputs[0].data is missing.'],
    [raw('"name":"x","name":"x"'), 'INVALID_REQUEST', 'inputs[0].name is there twice.'],
    [raw('"data":[1],"data":[1]'), 'INVALID_REQUEST', 'inputs[0].data is there twice.'],
    [raw('"shape":[1],"shape":[1]'), 'INVALID_REQUEST', 'inputs[0].shape is there twice.'],
    [raw('"datatype":"FP32","datatype":"FP32"'), 'INVALID_REQUEST', 'inputs[0].datatype is there twice.'],
    [input({ name: null }), 'INVALID_REQUEST', 'inputs[0].name must be a string.'],
    [input({ datatype: 'float32' }), 'INVALID_REQUEST', 'inputs[0].datatype must be one of BOOL, UINT8,'],
    [input({ datatype: 7 }), 'INVALID_REQUEST', 'inputs[0].datatype must be one of'],
    [input({ shape: 4 }), 'INVALID_REQUEST', 'inputs[0].shape must be an array of whole numbers.'],
    [input({ shape: [1, '4'] }), 'INVALID_REQUEST', 'inputs[0].shape[1] must be a whole number.'],
    [input({ shape: [-1, 4] }), 'INVALID_REQUEST', 'inputs[0].shape[0] must be a whole number from 0 up.'],
    [input({ shape: [1.5] }), 'INVALID_REQUEST', 'inputs[0].shape[0] must be a whole number from 0 up.'],
    [input({ shape: [1e300] }), 'INVALID_REQUEST', 'inputs[0].shape[0] must be a whole number from 0 up.'],
    [
      input({ shape: [2 ** 27, 2 ** 27] }),
      'INVALID_REQUEST',
      'causes total element count to exceed maximum size of',
    ],
    [input({ shape: Array.from({ length: 17 }, () => 1) }), 'INVALID_REQUEST', 'more than 16 dimensions'],
    [input({ data: 5 }), 'INVALID_REQUEST', 'inputs[0].data must be an array.'],
    [input({ data: 'AAAA' }), 'INVALID_REQUEST', 'inputs[0].data must be an array.'],
    [raw('"data":[1,2'), 'MALFORMED_JSON', 'does not belong'],
    [
      request({ inputs: [iris, iris] }),
      'INVALID_REQUEST',
      'inputs[1].name is "features", as an input before it.',
    ],
    [
      request({ inputs: Array.from({ length: 257 }, (_, index) => ({ ...iris, name: String(index) })) }),
      'INVALID_REQUEST',
      'inputs has more than 256 elements.',
    ],
    [
      request({ outputs: Array.from({ length: 257 }, () => ({ name: 'y' })) }),
      'INVALID_REQUEST',
      'outputs has more than 256 elements.',
    ],
  ] as const;

  it.each(refusals.map(([text, code, message]) => [message, code, text] as const))(
    'refuses with "%s" as %s',
    (message, code, text) => {
      expect(decode(text)).toMatchObject({
        ok: false,
        code,
        message: expect.stringContaining(message) as string,
      });
    },
  );

  it('answers any mangled body with a request or a declared code, and never throws', () => {
    const bodies = fc.constantFrom(
      request({ id: 'a', outputs: [{ name: 'y' }], parameters: { a: 1 } }),
      input({ datatype: 'BYTES', data: ['a', 'b'], parameters: { b: true } }),
      input({ datatype: 'INT64', shape: [2, 2], data: [[1], [2]] }),
    );
    const bytes = fc.oneof(
      fc.constantFrom(...Buffer.from('{}[]:,"\\019.e- tn')),
      fc.integer({ min: 0, max: 255 }),
    );
    const edits = fc.array(fc.tuple(fc.nat(), bytes, fc.nat(2)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(bodies, edits, (text, changes) => {
        const body = [...Buffer.from(text)];
        for (const [place, byte, removed] of changes) body.splice(place % (body.length + 1), removed, byte);
        const result = decodeOipJson(Uint8Array.from(body));
        if (!result.ok) {
          expect(Object.keys(errorTable)).toContain(result.code);
          return;
        }
        for (const tensor of result.value.inputs) {
          if (tensor.source.kind !== 'json') expect.fail('every tensor is a span of the body');
          if (tensor.datatype === 'BYTES') readJsonStrings(tensor.source, tensor);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('decodes what JSON.stringify writes, to the same values', () => {
    const tensor = fc.record({
      name: fc.string({ unit: 'binary' }),
      data: fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 20 }),
    });
    const inputs = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 4 });
    const requests = fc.record(
      { id: fc.string({ unit: 'binary' }), inputs, outputs: fc.array(fc.record({ name: fc.string() })) },
      { requiredKeys: ['inputs'] },
    );
    fc.assert(
      fc.property(requests, (sent) => {
        const text = JSON.stringify({
          ...sent,
          inputs: sent.inputs.map((one) => ({ ...one, datatype: 'FP32', shape: [one.data.length] })),
        });
        const result = decode(text);
        if (!result.ok) return expect.fail(result.message);
        const { id, inputs: tensors, outputs } = result.value;
        expect(id).toBe(sent.id);
        const names = sent.outputs?.map(({ name }) => name) ?? [];
        expect(outputs).toEqual(names.length === 0 ? undefined : names);
        expect(tensors.map(({ name }) => name)).toEqual(sent.inputs.map(({ name }) => name));
        tensors.forEach((one, index) => {
          const data = sent.inputs[index]?.data ?? [];
          const target = new Float32Array(data.length);
          if (one.source.kind !== 'json') return expect.fail('every tensor is a span of the body');
          expect(writeJsonElements(one.source, one, target)).toBeUndefined();
          expect([...target]).toEqual(data.map((value) => (value === 0 ? 0 : value)));
        });
      }),
    );
  });
});
