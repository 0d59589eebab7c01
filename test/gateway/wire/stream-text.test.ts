/** Text frames: the same request as in a binary frame, the same answer as over HTTP, ids with their type. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import { errorTable } from '../../../gateway/wire/error-code.ts';
import type { InferReply } from '../../../gateway/wire/infer-request.ts';
import { decodeTextFrame, encodeTextReply } from '../../../gateway/wire/stream-text.ts';

const input = { name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2.5] };
const frame = { id: 7, model: 'iris', inputs: [input] };

function decode(map: unknown): ReturnType<typeof decodeTextFrame> {
  return decodeTextFrame(Buffer.from(typeof map === 'string' ? map : JSON.stringify(map)));
}

describe('decodeTextFrame', () => {
  it('reads every field', () => {
    const outputs = [{ name: 'y' }];
    const all = { ...frame, version: '2', outputs, deadline_ms: 50, priority: 2, parameters: { a: 'b' } };
    expect(decode(all)).toMatchObject({
      ok: true,
      value: {
        kind: 'request',
        id: 7,
        model: 'iris',
        version: '2',
        request: {
          id: 7,
          inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', source: { kind: 'json' } }],
          outputs: ['y'],
          options: { dueWithinMs: 50, priority: 2 },
        },
      },
    });
  });

  it('keeps the type and the value of any id, there and back', () => {
    const anyId = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.maxSafeNat());
    fc.assert(
      fc.property(anyId, (id) => {
        expect(decode({ ...frame, id })).toMatchObject({ ok: true, value: { id, request: { id } } });
        const reply: InferReply = {
          id,
          modelName: 'm',
          modelVersion: '1',
          columns: [
            { name: 'y', datatype: 'INT8', rowShape: [2], rowElements: 2, data: Int8Array.of(1, -2, 3, 4) },
          ],
          batched: true,
          rowStart: 0,
          rows: 1,
          options: undefined,
        };
        const writer = new ByteWriter(16);
        encodeTextReply(reply, writer);
        expect(JSON.parse(Buffer.from(writer.bytes()).toString())).toEqual({
          id,
          model_name: 'm',
          model_version: '1',
          outputs: [{ name: 'y', shape: [1, 2], datatype: 'INT8', data: [1, -2] }],
        });
        writer.reset();
        encodeTextReply(reply, writer, { cache: 'coalesced' });
        expect(JSON.parse(Buffer.from(writer.bytes()).toString())).toMatchObject({ id, cache: 'coalesced' });
      }),
    );
  });

  it('reads cancel and ping, and ignores what it does not know', () => {
    expect(decode({ op: 'cancel', id: 'a', why: 1 })).toEqual({
      ok: true,
      value: { kind: 'cancel', id: 'a' },
    });
    expect(decode({ op: 'ping' })).toEqual({ ok: true, value: { kind: 'ping', id: undefined } });
    expect(decode({ ...frame, trace: { parent: ['a'] }, version: null, deadline_ms: null })).toMatchObject({
      ok: true,
      value: { id: 7, version: undefined, request: { options: undefined } },
    });
  });

  it.each<[string, unknown, string, unknown]>([
    ['nothing', '', 'EMPTY_BODY', undefined],
    ['what is not JSON', '{"id":7,', 'MALFORMED_JSON', 7],
    ['text behind the end', `${JSON.stringify(frame)} x`, 'MALFORMED_JSON', 7],
    ['a list', '[1]', 'INVALID_REQUEST', undefined],
    ['no id', { ...frame, id: undefined }, 'INVALID_REQUEST', undefined],
    ['an id that is a fraction', { ...frame, id: 1.5 }, 'INVALID_REQUEST', undefined],
    [
      'an id beyond 2^53',
      JSON.stringify(frame).replace('7', '9007199254740993'),
      'INVALID_REQUEST',
      undefined,
    ],
    ['an id that is too long', { ...frame, id: 'x'.repeat(129) }, 'INVALID_REQUEST', undefined],
    ['two ids', '{"id":7,"id":8}', 'INVALID_REQUEST', 7],
    ['no model', { ...frame, model: undefined }, 'INVALID_REQUEST', 7],
    ['a model that is a number', { model: 1, id: 'late' }, 'INVALID_REQUEST', 'late'],
    ['no inputs', { ...frame, inputs: undefined }, 'INVALID_REQUEST', 7],
    ['a deadline of 0', { ...frame, deadline_ms: 0 }, 'INVALID_REQUEST', 7],
    ['a priority that is text', { ...frame, priority: 'high' }, 'INVALID_REQUEST', 7],
    ['an unknown op', { op: 'resume', id: 3 }, 'INVALID_REQUEST', 3],
    ['a cancel of nobody', { op: 'cancel' }, 'INVALID_REQUEST', undefined],
    ['bytes', { ...frame, inputs: [{ ...input, data: 'AAAA' }] }, 'INVALID_REQUEST', 7],
  ])('refuses %s and says the id where it can be read', (_, map, code, id) => {
    const result = decode(map);
    expect(result).toMatchObject({ ok: false, code });
    expect(result.ok ? undefined : result.id).toBe(id);
  });

  it('answers any mangled frame with a declared code', () => {
    const text = Buffer.from(JSON.stringify({ ...frame, outputs: [{ name: 'y' }], deadline_ms: 5 }));
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
        const mangled = Buffer.from(cut ? text.subarray(0, at) : text);
        if (!cut) mangled[at] = byte;
        const result = decodeTextFrame(mangled);
        if (!result.ok) expect(Object.hasOwn(errorTable, result.code)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
