/** What parameters mean, and that JSON and msgpack read the same from them. */
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { decodeOipJson } from '../../../gateway/wire/oip-json.ts';
import { decodeOipMsgpack } from '../../../gateway/wire/oip-msgpack.ts';

const packer = new Packr({ useRecords: false, variableMapSize: true });
const inputs = [{ name: 'x', shape: [1], datatype: 'FP32', data: [1] }];

/** The options, or the code of the refusal, as both formats see them. */
function read(message: object): unknown {
  const seen = [
    decodeOipJson(Buffer.from(JSON.stringify({ inputs, ...message }))),
    decodeOipMsgpack(packer.pack({ inputs, ...message })),
  ].map((decoded) => (decoded.ok ? decoded.value.options : decoded.code));
  expect(seen[1]).toEqual(seen[0]);
  return seen[0];
}

const plain = { binary: false, classes: 0 };
const none = {
  dueWithinMs: undefined,
  priority: 0,
  outputForms: undefined,
  defaultForm: plain,
  sequence: undefined,
};
const middle = { id: undefined, start: false, end: false };

describe('parameters', () => {
  it.each([
    {},
    { parameters: null },
    { parameters: {} },
    { parameters: { timeout: 0, priority: 0, binary_data_output: false } },
    { parameters: { timeout: null, sequence_id: 0, sequence_start: false, mine: 'x' } },
    { parameters: { sequence_id: '', sequence_end: false } },
    { outputs: [{ name: 'y', parameters: { binary_data: false, classification: 0 } }] },
    { outputs: [{ name: 'y', parameters: { other: [1, { a: 2 }] } }] },
  ])('%j ask for nothing', (message) => {
    expect(read(message)).toBeUndefined();
  });

  it.each([
    [{ parameters: { timeout: 1500 } }, { ...none, dueWithinMs: 1.5 }],
    [{ parameters: { timeout: Number.MAX_SAFE_INTEGER } }, { ...none, dueWithinMs: 3_600_000 }],
    [{ parameters: { sequence_id: 5 } }, { ...none, sequence: { ...middle, id: '5' } }],
    [{ parameters: { sequence_end: true } }, { ...none, sequence: { ...middle, end: true } }],
    [
      { parameters: { sequence_start: true, sequence_id: 'a' } },
      { ...none, sequence: { id: 'a', start: true, end: false } },
    ],
    [{ parameters: { priority: 3 } }, { ...none, priority: 3 }],
    [{ parameters: { binary_data_output: true } }, { ...none, defaultForm: { binary: true, classes: 0 } }],
    [
      { outputs: [{ name: 'a' }, { name: 'b', parameters: { classification: 2 } }] },
      { ...none, outputForms: [plain, { binary: false, classes: 2 }] },
    ],
    [
      {
        outputs: [{ name: 'a', parameters: { binary_data: false } }, { name: 'b' }],
        parameters: { binary_data_output: true },
      },
      {
        ...none,
        outputForms: [plain, { binary: true, classes: 0 }],
        defaultForm: { binary: true, classes: 0 },
      },
    ],
  ])('%j ask for %j', (message, options) => {
    expect(read(message)).toEqual(options);
  });

  it.each([
    [{ parameters: [] }, 'INVALID_REQUEST'],
    [{ parameters: 1 }, 'INVALID_REQUEST'],
    [{ parameters: { timeout: -1 } }, 'INVALID_REQUEST'],
    [{ parameters: { timeout: 0.5 } }, 'INVALID_REQUEST'],
    [{ parameters: { timeout: '5' } }, 'INVALID_REQUEST'],
    [{ parameters: { priority: -1 } }, 'INVALID_REQUEST'],
    [{ parameters: { binary_data_output: 'yes' } }, 'INVALID_REQUEST'],
    [{ parameters: { mine: [1] } }, 'INVALID_REQUEST'],
    [{ parameters: { mine: {} } }, 'INVALID_REQUEST'],
    [{ parameters: { sequence_id: -5 } }, 'INVALID_REQUEST'],
    [{ parameters: { sequence_id: 1.5 } }, 'INVALID_REQUEST'],
    [{ parameters: { sequence_id: true } }, 'INVALID_REQUEST'],
    [{ parameters: { sequence_id: 'x'.repeat(257) } }, 'INVALID_REQUEST'],
    [{ parameters: { sequence_start: 1 } }, 'INVALID_REQUEST'],
    [{ parameters: { sequence_end: 'true' } }, 'INVALID_REQUEST'],
    [{ parameters: { triton_final_response: true } }, 'UNSUPPORTED_PARAMETER'],
    [{ outputs: [{ name: 'y', parameters: { classification: -1 } }] }, 'INVALID_REQUEST'],
    [{ outputs: [{ name: 'y', parameters: { classification: 1.5 } }] }, 'INVALID_REQUEST'],
    [{ outputs: [{ name: 'y', parameters: { binary_data: 1 } }] }, 'INVALID_REQUEST'],
    [{ outputs: [{ name: 'y', parameters: 5 }] }, 'INVALID_REQUEST'],
  ])('%j are refused (%s)', (message, code) => {
    expect(read(message)).toBe(code);
  });

  it('in shared memory are refused in JSON', () => {
    const outputs = [{ name: 'y', parameters: { shared_memory_region: 'r' } }];
    const decoded = decodeOipJson(Buffer.from(JSON.stringify({ inputs, outputs })));
    expect(decoded).toMatchObject({ code: 'UNSUPPORTED_PARAMETER' });
  });

  it('stand once', () => {
    const text = '{"inputs":[],"parameters":{"priority":1,"priority":2}}';
    expect(decodeOipJson(Buffer.from(text))).toMatchObject({ code: 'INVALID_REQUEST' });
  });
});
