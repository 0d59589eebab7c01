/** Our msgpack against another one (msgpackr), and against bytes that are none. */
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { TidegateError } from '../../../client/main.ts';
import { packedBytes } from '../../../client/tensor/packed-data.ts';
import { encodeMsgpackBody } from '../../../client/wire/msgpack-message.ts';
import { type MsgpackValue, readMsgpack } from '../../../client/wire/msgpack-reader.ts';
import {
  decodeServerFrame,
  encodeCancel,
  encodePing,
  encodeRequest,
} from '../../../client/wire/stream-frame.ts';
import { fieldsOf, listOf, packed, unpacked } from '../../e2e/wire-forms.ts';
import { anyRequest } from '../any-tensor.ts';

/** What the other implementation makes of a request, in the form that ours is compared in. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, part: unknown) => {
      if (part instanceof Uint8Array) return `bytes ${Buffer.from(part).toString('hex')}`;
      if (typeof part === 'object' && part !== null && (part as { type?: string }).type === 'Buffer') {
        return `bytes ${Buffer.from((part as { data?: number[] }).data ?? []).toString('hex')}`;
      }
      return part;
    }),
  ) as unknown;
}

describe('a request', () => {
  test('reads the same with another msgpack', () => {
    fc.assert(
      fc.property(anyRequest(), fc.maxSafeInteger().map(Math.abs), (request, id) => {
        const { model, version, inputs, outputs, remainingMs, priority, parameters } = request;
        const wanted = {
          id,
          model,
          ...(version === undefined ? {} : { version }),
          ...(remainingMs === Infinity ? {} : { deadline_ms: remainingMs }),
          ...(priority === undefined ? {} : { priority }),
          ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
          inputs: inputs.map((input) => ({
            name: input.name,
            shape: input.shape,
            datatype: input.datatype,
            data: packedBytes(input),
          })),
          ...(outputs.length === 0 ? {} : { outputs: outputs.map((name) => ({ name })) }),
        };
        expect(plain(unpacked(encodeRequest(id, request)))).toEqual(plain(wanted));
      }),
    );
  });

  test('over HTTP has no address and its time in microseconds', () => {
    fc.assert(
      fc.property(anyRequest(), (request) => {
        const found = unpacked(encodeMsgpackBody(request));
        const parameters = found['parameters'] as Record<string, unknown> | undefined;
        expect(found).not.toHaveProperty('model');
        expect(parameters?.['timeout']).toBe(
          request.remainingMs === Infinity ? undefined : request.remainingMs * 1000,
        );
        expect(parameters?.['priority']).toBe(request.priority);
      }),
    );
  });

  test('large tensors and long lists keep their lengths', () => {
    const data = new Float32Array(100_000).fill(2);
    const shape = Array.from({ length: 20 }, () => 1);
    const frame = encodeRequest(2 ** 40, {
      model: 'm'.repeat(300),
      version: 'v'.repeat(70_000),
      inputs: [{ name: 'x', datatype: 'FP32', shape: [...shape, 100_000], data }],
      outputs: [],
      remainingMs: 0.2,
      priority: undefined,
      parameters: { negative: -5, tiny: -(2 ** 40), half: 0.5, zero: -0 },
    });
    const found = unpacked(frame);
    expect(found).toMatchObject({ id: 2 ** 40, model: 'm'.repeat(300), deadline_ms: 1 });
    expect(found['parameters']).toEqual({ negative: -5, tiny: -(2 ** 40), half: 0.5, zero: -0 });
    const [input] = listOf(found['inputs']).map(fieldsOf);
    expect(input?.['shape']).toEqual([...shape, 100_000]);
    // Compared as a whole: a difference of 400,000 bytes takes minutes to print.
    expect(Buffer.from(data.buffer).equals(input?.['data'] as Buffer)).toBe(true);
  });

  test('cancel and ping say which', () => {
    expect(unpacked(encodeCancel(7))).toEqual({ op: 'cancel', id: 7 });
    expect(unpacked(encodePing(70_000))).toEqual({ op: 'ping', id: 70_000 });
  });
});

const packer = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });

function asPlain(value: MsgpackValue): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, part]) => [key, asPlain(part as MsgpackValue)]));
  if (Array.isArray(value)) return value.map(asPlain);
  return value;
}

describe('the reader', () => {
  test('reads what another msgpack writes', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 300 }),
    );
    const key = fc.string().filter((name) => name !== '__proto__');
    const value = fc.dictionary(
      key,
      fc.oneof(leaf, fc.array(leaf, { maxLength: 20 }), fc.dictionary(key, leaf)),
    );
    fc.assert(
      fc.property(value, (message) => {
        expect(plain(asPlain(readMsgpack(packer.pack(message))))).toEqual(plain(message));
      }),
    );
  });

  test('keeps whole numbers of 64 bits', () => {
    expect(readMsgpack(packer.pack(2n ** 64n - 1n))).toBe(2n ** 64n - 1n);
    expect(readMsgpack(packer.pack(-(2n ** 63n)))).toBe(-(2n ** 63n));
    expect(readMsgpack(packer.pack(2 ** 53 - 1))).toBe(2 ** 53 - 1);
  });

  test('whatever the bytes are, gives a value or INVALID_RESPONSE', () => {
    const answer = packed({
      id: 5,
      model_name: 'm',
      outputs: [{ name: 'y', shape: [1], datatype: 'INT8', data: Buffer.of(1) }],
    });
    const mangled = fc.tuple(fc.nat(answer.length - 1), fc.nat(255)).map(([at, byte]) => {
      const bytes = Uint8Array.from(answer);
      bytes[at] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), mangled), (bytes) => {
        try {
          decodeServerFrame(bytes);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(TidegateError);
          expect(thrown).toMatchObject({ code: 'INVALID_RESPONSE' });
        }
      }),
      { numRuns: 5000 },
    );
  });

  test.each([
    ['nothing', []],
    ['half a length', [0xc5, 0]],
    ['an extension type', [0xd4, 0, 0]],
    ['a key that is no text', [0x81, 1, 1]],
    ['two messages', [0xc0, 0xc0]],
    ['a list that promises four billion elements', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['endless nesting', Array.from({ length: 100 }, () => 0x91)],
  ])('refuses %s', (_, bytes) => {
    expect(() => readMsgpack(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'INVALID_RESPONSE' }),
    );
  });
});

describe('a frame of the gateway', () => {
  test('is told from others by its keys', () => {
    const kindOf = (message: object): unknown => decodeServerFrame(packed(message));
    expect(kindOf({ op: 'hello', server: { name: 'n', version: '1' }, limits: { inflight_max: 8 } })).toEqual(
      {
        kind: 'hello',
        hello: {
          server: { name: 'n', version: '1' },
          inflightMax: 8,
          frameBytesMax: undefined,
          requestRowsMax: undefined,
        },
      },
    );
    expect(kindOf({ op: 'hello' })).toMatchObject({ kind: 'hello' });
    expect(kindOf({ op: 'flow', paused: true })).toEqual({ kind: 'flow', paused: true });
    expect(kindOf({ op: 'goaway', grace_ms: 5 })).toEqual({ kind: 'goaway', graceMs: 5 });
    expect(kindOf({ op: 'pong', id: 1 })).toEqual({ kind: 'pong' });
    expect(kindOf({ op: 'sing' })).toEqual({ kind: 'unknown', op: 'sing' });
    expect(kindOf({ id: null, error: 'e', code: 'MALFORMED_MSGPACK' })).toMatchObject({
      kind: 'error',
      id: undefined,
    });
    expect(kindOf({ id: 3, error: 'e', code: 'QUEUE_FULL', retry_after_ms: 20 })).toMatchObject({
      kind: 'error',
      id: 3,
      error: { code: 'QUEUE_FULL', message: 'e', retryAfterMs: 20, isRetryable: true },
    });
  });

  test('with an id and an output that cannot be read blames that call alone', () => {
    const frame = packed({
      id: 9,
      model_name: 'm',
      outputs: [{ name: 'y', shape: [2], datatype: 'INT8', data: Buffer.of(1) }],
    });
    expect(decodeServerFrame(frame)).toMatchObject({
      kind: 'error',
      id: 9,
      error: { code: 'INVALID_RESPONSE' },
    });
  });
});
