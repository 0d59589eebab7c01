/** WebSocket frames: round trips, and errors that carry the id of the broken frame whenever it can be read. */
import fc from 'fast-check';
import { pack, Packr, unpack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import { errorTable } from '../../../gateway/wire/error-code.ts';
import { StreamAnswerWriter } from '../../../gateway/wire/stream-answer.ts';
import { decodeStreamFrame, type FrameError } from '../../../gateway/wire/stream-frame.ts';
import { encodeStreamError } from '../../../gateway/wire/stream-message.ts';
import { FrameSpace } from '../../../gateway/wire/stream-space.ts';
import { anyText } from './arbitrary-tensor.ts';

const input = { name: 'x', shape: [1, 4], datatype: 'FP32', data: Buffer.alloc(16) };
const frame = { id: 7, model: 'iris', inputs: [input] };
const plain = new Packr({ useRecords: false });
const anyId = fc.oneof(
  anyText.filter((text) => text.length <= 128),
  fc.nat(0xffffffff),
);

function written(write: (writer: ByteWriter) => void): unknown {
  const writer = new ByteWriter(8);
  write(writer);
  return unpack(writer.bytes());
}

/** The pieces of a map in the order given, so that a test can break it at will. */
function map(pairs: number, ...pieces: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Buffer.of(0x80 | pairs), ...pieces]);
}

describe('decodeStreamFrame', () => {
  it('reads id, model, version, inputs and outputs', () => {
    const bytes = plain.pack({ ...frame, version: '2', outputs: [{ name: 'y' }] });
    expect(decodeStreamFrame(bytes)).toEqual({
      ok: true,
      value: {
        kind: 'request',
        id: 7,
        model: 'iris',
        version: '2',
        request: {
          id: 7,
          inputs: [
            {
              name: 'x',
              datatype: 'FP32',
              shape: [1, 4],
              source: { kind: 'packed', bytes: Buffer.alloc(16) },
            },
          ],
          outputs: ['y'],
          options: undefined,
        },
      },
    });
  });

  it('reads deadline, priority and parameters', () => {
    const options = {
      deadline_ms: 250,
      priority: 3,
      parameters: { note: 'a', temperature: 0.5, flag: true },
    };
    expect(decodeStreamFrame(plain.pack({ ...frame, ...options }))).toMatchObject({
      ok: true,
      value: { request: { options: { dueWithinMs: 250, priority: 3 } } },
    });
  });

  it.each([0, 3_600_001, -1, 1.5, '5'])('refuses a deadline of %s', (deadline_ms) => {
    expect(decodeStreamFrame(plain.pack({ ...frame, deadline_ms }))).toMatchObject({
      ok: false,
      code: 'INVALID_REQUEST',
      id: 7,
    });
  });

  it('reads cancel and ping', () => {
    expect(decodeStreamFrame(plain.pack({ op: 'cancel', id: 'a' }))).toEqual({
      ok: true,
      value: { kind: 'cancel', id: 'a' },
    });
    expect(decodeStreamFrame(plain.pack({ op: 'ping' }))).toEqual({
      ok: true,
      value: { kind: 'ping', id: undefined },
    });
    expect(decodeStreamFrame(plain.pack({ id: 9, op: 'ping' }))).toEqual({
      ok: true,
      value: { kind: 'ping', id: 9 },
    });
  });

  it.each([
    ['no id to cancel', { op: 'cancel' }, undefined],
    ['an op that there is not', { op: 'resume', id: 3 }, 3],
    ['an op that is a number', { op: 1, id: 3 }, 3],
    ['an id that is too long', { ...frame, id: 'x'.repeat(129) }, undefined],
  ])('refuses %s', (_, map, id) => {
    const result = decodeStreamFrame(plain.pack(map));
    expect(result).toMatchObject({ ok: false, code: 'INVALID_REQUEST' });
    expect(result.ok ? undefined : result.id).toBe(id);
  });

  it('keeps the type and the value of any id, from request to reply and to error', () => {
    fc.assert(
      fc.property(anyId, anyText, (id, model) => {
        const decoded = decodeStreamFrame(plain.pack({ id, model, inputs: [] }));
        expect(decoded).toMatchObject({
          ok: true,
          value: { kind: 'request', id, model, version: undefined, request: { id } },
        });
        const reply = {
          id,
          modelName: model,
          modelVersion: '1',
          columns: [],
          batched: true,
          rowStart: 0,
          rows: 1,
          options: undefined,
        };
        const space = new FrameSpace();
        new StreamAnswerWriter().write(reply, space);
        expect(unpack(space.bytes.subarray(0, space.length))).toEqual({
          id,
          model_name: model,
          model_version: '1',
          outputs: [],
        });
        const error: FrameError = { ok: false, code: 'QUEUE_FULL', message: 'm', id };
        expect(
          written((writer) => {
            encodeStreamError(error, 'msgpack', writer);
          }),
        ).toEqual({
          id,
          error: 'm',
          code: 'QUEUE_FULL',
          retry_after_ms: 100,
        });
      }),
    );
  });

  it('ignores unknown fields, which leaves room for later ones', () => {
    const bytes = plain.pack({
      key: 'user-1',
      cancel: false,
      ...frame,
      trace: { parent: ['a'] },
    });
    expect(decodeStreamFrame(bytes)).toMatchObject({ ok: true, value: { id: 7, version: undefined } });
  });

  it('takes a version of nil as no version', () => {
    expect(decodeStreamFrame(plain.pack({ ...frame, version: null }))).toMatchObject({ ok: true });
  });

  const id = pack('id');
  const model = Buffer.concat([pack('model'), pack('iris')]);
  const inputs = Buffer.concat([pack('inputs'), plain.pack([input])]);
  const seven = Buffer.of(7);
  it.each<[string, Uint8Array, string, string | number | undefined]>([
    ['an empty frame', new Uint8Array(0), 'EMPTY_BODY', undefined],
    ['a frame that is a number', Buffer.of(1), 'INVALID_REQUEST', undefined],
    ['a frame that is an array', pack([7]), 'INVALID_REQUEST', undefined],
    ['a claim of 4 billion pairs', Buffer.of(0xdf, 255, 255, 255, 255), 'MALFORMED_MSGPACK', undefined],
    [
      'a claim of 4 billion inputs',
      map(2, id, seven, pack('inputs'), Buffer.of(0xdd, 255, 255, 255, 255)),
      'INVALID_REQUEST',
      7,
    ],
    ['no id', map(2, model, inputs), 'INVALID_REQUEST', undefined],
    ['an id of nil', map(3, id, pack(null), model, inputs), 'INVALID_REQUEST', undefined],
    ['an id that is an array', map(3, id, pack([7]), model, inputs), 'INVALID_REQUEST', undefined],
    ['a negative id', map(3, id, pack(-7), model, inputs), 'INVALID_REQUEST', undefined],
    ['two ids', map(4, id, seven, id, Buffer.of(8), model, inputs), 'INVALID_REQUEST', 7],
    ['no model', map(2, id, seven, inputs), 'INVALID_REQUEST', 7],
    ['a model of nil', map(3, id, seven, pack('model'), pack(null), inputs), 'INVALID_REQUEST', 7],
    ['no inputs', map(2, id, pack('seven'), model), 'INVALID_REQUEST', 'seven'],
    [
      'a version that is a number',
      map(4, pack('version'), pack(1), model, inputs, id, seven),
      'INVALID_REQUEST',
      7,
    ],
    ['a frame cut off behind its id', map(3, id, seven), 'MALFORMED_MSGPACK', 7],
    ['a frame cut off before its id', map(3, model, inputs), 'MALFORMED_MSGPACK', undefined],
    ['a frame cut off inside its id', map(3, id, Buffer.of(0xa5, 0x61)), 'MALFORMED_MSGPACK', undefined],
    [
      'an extension behind the id',
      map(2, id, seven, model.subarray(0, 6), Buffer.of(0xd4, 1, 1)),
      'MALFORMED_MSGPACK',
      7,
    ],
    [
      'an extension in front of the id',
      map(2, pack('a'), Buffer.of(0xd4, 1, 1), id, seven),
      'MALFORMED_MSGPACK',
      undefined,
    ],
    ['bytes behind the frame', Buffer.concat([plain.pack(frame), Buffer.of(0)]), 'MALFORMED_MSGPACK', 7],
    [
      'a broken input in front of the id',
      map(3, pack('inputs'), pack([1]), model, id, seven),
      'INVALID_REQUEST',
      7,
    ],
    ['a key that is a number', map(2, id, seven, Buffer.of(1), seven), 'INVALID_REQUEST', 7],
  ])('refuses %s and says the id where it can be read', (_, bytes, code, wanted) => {
    const result = decodeStreamFrame(bytes);
    expect(result).toMatchObject({ ok: false, code });
    expect(result.ok ? undefined : result.id).toBe(wanted);
  });

  it('answers any mangled frame with a declared code, and with the id if it is still in front', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(255), fc.boolean(), (position, byte, cut) => {
        const bytes = plain.pack({ ...frame, outputs: [{ name: 'y' }], extra: [1.5, { a: 'b' }] });
        // Behind the map header and the id, so that the id itself is whole.
        const start = bytes.indexOf(pack('id')) + 4;
        const at = start + (position % (bytes.length - start));
        const mangled = Buffer.from(cut ? bytes.subarray(0, at) : bytes);
        if (!cut) mangled[at] = byte;
        const result = decodeStreamFrame(mangled);
        if (result.ok) return;
        expect(Object.hasOwn(errorTable, result.code)).toBe(true);
        expect(result.code).not.toBe('INTERNAL');
        expect(result.id).toBe(7);
      }),
      { numRuns: 3000 },
    );
  });

  it('spends no memory on what a frame merely claims', () => {
    const claims = [0xdd, 0xdf, 0xdb, 0xc6, 0xc9].map((token) => Buffer.of(token, 255, 255, 255, 255));
    const data = [...claims.map((claim) => Buffer.concat([pack('data'), claim])), ...claims];
    const before = process.memoryUsage();
    for (let round = 0; round < 1000; round++) {
      for (const bytes of data) {
        expect(decodeStreamFrame(bytes).ok).toBe(false);
        expect(decodeStreamFrame(map(2, pack('inputs'), Buffer.of(0x91, 0x81), bytes)).ok).toBe(false);
      }
    }
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(64 * 1024 * 1024);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(256 * 1024 * 1024);
  });
});

describe('encodeStreamError', () => {
  it('says nil for the id of a frame that had none', () => {
    const error: FrameError = { ok: false, code: 'MALFORMED_MSGPACK', message: 'm' };
    expect(
      written((writer) => {
        encodeStreamError(error, 'msgpack', writer);
      }),
    ).toEqual({
      id: null,
      error: 'm',
      code: 'MALFORMED_MSGPACK',
    });
  });
});
