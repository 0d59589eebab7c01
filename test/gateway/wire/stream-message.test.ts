/** What the gateway says beside answers, byte for byte and read back, in both forms. */
import { unpack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import {
  errorTable,
  retryAfterMs,
  retryAfterMsMax,
  retryAfterMsMin,
  retryAfterSeconds,
} from '../../../gateway/wire/error-code.ts';
import {
  encodeFlow,
  encodeGoaway,
  encodeHello,
  encodePong,
  encodeStreamError,
} from '../../../gateway/wire/stream-message.ts';

const hello = {
  server: { name: 'tidegate', version: '1.2.3' },
  limits: { inflight_max: 1024, frame_bytes_max: 16_777_216, request_rows_max: 1024 },
};

type Write = (encoding: 'msgpack' | 'json', writer: ByteWriter) => void;
const messages: readonly (readonly [string, Write, object, string])[] = [
  [
    'a pong',
    (e, w) => {
      encodePong(7, e, w);
    },
    { op: 'pong', id: 7 },
    '82a26f70a4706f6e67a2696407',
  ],
  [
    'a pong to nobody',
    (e, w) => {
      encodePong(undefined, e, w);
    },
    { op: 'pong' },
    '81a26f70a4706f6e67',
  ],
  [
    'flow',
    (e, w) => {
      encodeFlow(true, e, w);
    },
    { op: 'flow', paused: true },
    '82a26f70a4666c6f77a6706175736564c3',
  ],
  [
    'goaway',
    (e, w) => {
      encodeGoaway(10_000, e, w);
    },
    { op: 'goaway', grace_ms: 10_000 },
    '82a26f70a6676f61776179a867726163655f6d73cd2710',
  ],
  [
    'an error',
    (e, w) => {
      encodeStreamError({ ok: false, code: 'CANCELLED', message: 'm', id: 'a' }, e, w);
    },
    { id: 'a', error: 'm', code: 'CANCELLED' },
    '83a26964a161a56572726f72a16da4636f6465a943414e43454c4c4544',
  ],
  [
    'an error to nobody that may pass',
    (e, w) => {
      encodeStreamError({ ok: false, code: 'SLOW_READER', message: 'm' }, e, w);
    },
    { id: null, error: 'm', code: 'SLOW_READER', retry_after_ms: 100 },
    '84a26964c0a56572726f72a16da4636f6465ab534c4f575f524541444552ae72657472795f61667465725f6d7364',
  ],
];

function bytesOf(write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(16);
  write(writer);
  return Buffer.from(writer.bytes());
}

describe.each(messages)('%s', (_, write, map, hex) => {
  it('is these bytes in msgpack', () => {
    const bytes = bytesOf((writer) => {
      write('msgpack', writer);
    });
    expect(bytes.toString('hex')).toBe(hex);
    expect(unpack(bytes)).toEqual(map);
  });

  it('is the same map in JSON', () => {
    const bytes = bytesOf((writer) => {
      write('json', writer);
    });
    expect(JSON.parse(bytes.toString())).toEqual(map);
  });
});

it('hello says who speaks and what is allowed', () => {
  const bytes = bytesOf((writer) => {
    encodeHello(hello, writer);
  });
  expect(unpack(bytes)).toEqual({ op: 'hello', protocol: 'tidegate.v1', ...hello });
});

it('an error says when to come again exactly where coming again may help', () => {
  for (const [code, { retry }] of Object.entries(errorTable)) {
    const waitMs = retryAfterMs({ code: code as keyof typeof errorTable });
    expect([code, waitMs === undefined]).toEqual([code, retry === 'never']);
    expect(waitMs ?? 1).toBeGreaterThan(0);
  }
});

it.each([
  [0.2, retryAfterMsMin, '1'],
  [10, 10, '1'],
  [1000.1, 1001, '2'],
  [2500, 2500, '3'],
  [1e9, retryAfterMsMax, '60'],
])('one that knows to come again in %f ms says %i ms, and %s seconds over HTTP', (known, ms, seconds) => {
  const error = { code: 'OVERLOADED', retryAfterMs: known } as const;
  expect([retryAfterMs(error), retryAfterSeconds(error)]).toEqual([ms, seconds]);
  const bytes = bytesOf((writer) => {
    encodeStreamError({ ok: false, message: 'm', id: 7, ...error }, 'json', writer);
  });
  expect(JSON.parse(bytes.toString())).toMatchObject({ id: 7, code: 'OVERLOADED', retry_after_ms: ms });
});
