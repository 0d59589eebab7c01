/** Files that nobody vouches for: whatever the bytes, a declared answer comes back, soon and in bounded memory. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import { describe, expect, it } from 'vitest';
import { describeOnnxModel } from '../../../registry-store/onnx/describe-model.ts';
import { modelSchema } from '../../../registry-store/onnx/model-schema.ts';
import { readMessage } from '../../../registry-store/onnx/read-message.ts';

const golden = ['zipmap', 'weights-as-inputs', 'nested', 'constants'].map(
  (name) => new Uint8Array(readFileSync(new URL(`golden/${name}.onnx`, import.meta.url))),
);

const codes = [
  'NOT_ONNX',
  'TOO_LARGE',
  'TOO_DEEP',
  'NO_INPUTS',
  'NO_OUTPUTS',
  'INVALID_NAME',
  'INPUT_NOT_TENSOR',
  'OUTPUT_NOT_TENSOR',
  'UNSUPPORTED_DATATYPE',
  'NO_SHAPE',
  'EXTERNAL_DATA',
  'DISALLOWED_DOMAIN',
];

function expectDeclared(bytes: Uint8Array): void {
  const result = describeOnnxModel(bytes);
  if (!result.ok) expect(codes).toContain(result.code);
}

/** Fields of one message, each length-delimited, the innermost first. */
function nested(ids: readonly number[]): Uint8Array {
  let bytes: Uint8Array = new Uint8Array(0);
  for (const id of ids.toReversed()) {
    bytes = new protobuf.Writer()
      .uint32((id << 3) | 2)
      .bytes(bytes)
      .finish();
  }
  return bytes;
}

describe('a hostile file', () => {
  it('of random bytes gets a declared answer', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), expectDeclared), { numRuns: 5000 });
  });

  it('made by changing, cutting or repeating bytes of a good one gets a declared answer', () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.nat({ max: 255 }),
      how: fc.constantFrom('replace', 'insert', 'remove', 'cut', 'repeat'),
    });
    const mutations = fc.array(change, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...golden), mutations, (original, changes) => {
        const bytes = [...original];
        for (const { at, byte, how } of changes) {
          const place = at % (bytes.length + 1);
          if (how === 'replace') bytes.splice(place, 1, byte);
          else if (how === 'insert') bytes.splice(place, 0, byte);
          else if (how === 'remove') bytes.splice(place, 1);
          else if (how === 'cut') bytes.length = place;
          else bytes.splice(place, 0, ...bytes.slice(place, place + byte));
        }
        expectDeclared(Uint8Array.from(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it('cut anywhere gets a declared answer', () => {
    for (const original of golden) {
      for (let length = 0; length < original.length; length++) expectDeclared(original.subarray(0, length));
    }
  });

  it('that nests graphs without end is too deep, in the graph as well as in a type', () => {
    const graphs = Array.from({ length: 300 }, (_, level) => [1, 5, 6][level % 3] ?? 1);
    expect(describeOnnxModel(nested([7, ...graphs]))).toMatchObject({ code: 'TOO_DEEP' });
    const sequences = Array.from({ length: 300 }, (_, level) => [4, 1][level % 2] ?? 1);
    expect(describeOnnxModel(nested([7, 11, 2, ...sequences]))).toMatchObject({ code: 'TOO_DEEP' });
  });

  it('of millions of empty nodes is too large, before it costs much', () => {
    const nodes = new Uint8Array(2 * 2_100_000);
    for (let at = 0; at < nodes.length; at += 2) nodes[at] = (1 << 3) | 2;
    const file = new protobuf.Writer()
      .uint32((7 << 3) | 2)
      .bytes(nodes)
      .finish();
    expect(describeOnnxModel(file)).toMatchObject({ code: 'TOO_LARGE' });
  });

  it('of more numbers than the limit is too large, before they are stored', () => {
    const dims = new protobuf.Writer()
      .uint32((1 << 3) | 2)
      .bytes(new Uint8Array(33_000_000))
      .finish();
    const tensor = new protobuf.Writer()
      .uint32((5 << 3) | 2)
      .bytes(dims)
      .finish();
    const file = new protobuf.Writer()
      .uint32((7 << 3) | 2)
      .bytes(tensor)
      .finish();
    expect(describeOnnxModel(file)).toMatchObject({ code: 'TOO_LARGE' });
  });

  it('that claims a length beyond its end is not ONNX', () => {
    expect(describeOnnxModel(Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f))).toMatchObject({
      code: 'NOT_ONNX',
    });
  });

  it.each([
    ['the graph given twice', [0x3a, 0x00, 0x3a, 0x00]],
    ['a number where a message belongs', [0x38, 0x01]],
    ['field number 0', [0x02, 0x00]],
    ['a text that is not UTF-8', [0x12, 0x01, 0xff]],
    ['a varint that does not end', [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['half a float in a list', [0x3a, 0x07, 0x2a, 0x05, 0x22, 0x03, 0, 0, 0]],
  ])('with %s is malformed, as two parsers could read it differently', (_, bytes) => {
    expect(readMessage(modelSchema, Uint8Array.from(bytes))).toMatchObject({ ok: false, code: 'MALFORMED' });
  });

  it('cannot write to a terminal through the message of its refusal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 300 }), (name) => {
        const writer = new protobuf.Writer().uint32(1 << 3).int64(8);
        writer.uint32((7 << 3) | 2).fork();
        writer
          .uint32((11 << 3) | 2)
          .fork()
          .uint32((1 << 3) | 2)
          .string(name)
          .ldelim();
        writer
          .uint32((12 << 3) | 2)
          .fork()
          .uint32((1 << 3) | 2)
          .string(name)
          .ldelim()
          .ldelim();
        writer
          .uint32((8 << 3) | 2)
          .fork()
          .uint32(2 << 3)
          .int64(17)
          .ldelim();
        const result = describeOnnxModel(writer.finish());
        expect(result.ok).toBe(false);
        if (!result.ok) expect(result.message).toMatch(/^[^\p{Cc}]{1,600}$/u);
      }),
    );
  });
});
