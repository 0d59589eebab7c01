/**
 * Good requests with random damage, in every format, on real sockets. The oracle knows nothing of what was damaged: a
 * request is answered with 200 and tensors of the right form, or with a declared code and its status; nothing hangs, no
 * answer tells of the machine, and the gateway lives.
 *
 * TIDEGATE_SEED replays a run, TIDEGATE_FUZZ_CASES makes it longer.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ErrorCode, errorTable } from '../../gateway/wire/error-code.ts';
import { seededRandom } from '../../deploy/demo/seeded-random.ts';
import { datatypeModels, smallLimits } from './bad-bodies.ts';
import { jsonBytesHeader, oipBinaryBody, oipBinaryOutcome } from './binary-form.ts';
import { within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HttpConnection, requestBytes } from './http-connection.ts';
import { damaged } from './damage.ts';
import { echoModel } from './odd-models.ts';
import { StreamClient } from './stream-client.ts';
import { type Tensor, tensorOf } from './tensor.ts';
import { fieldsOf, msgpackMessage, oipJsonBody, packed, predictBody, unpacked } from './wire-forms.ts';

const seed = Number(process.env['TIDEGATE_SEED'] ?? Date.now() % 2 ** 31);
const casesPerForm = Math.ceil(Number(process.env['TIDEGATE_FUZZ_CASES'] ?? 1200) / 6);
const caseMs = 40_000;

const models = [
  { name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') },
  ...datatypeModels.map((datatype) => ({
    name: datatype,
    version: '1.0.0',
    file: echoModel([{ datatype, shape: ['batch', 2] }]),
  })),
];

/** One good call to each model, with values at the edges of what its datatype takes. */
const calls: readonly { readonly model: string; readonly inputs: readonly Tensor[] }[] = [
  {
    model: 'iris',
    inputs: [
      tensorOf({ name: 'features', datatype: 'FP32', shape: [2, 4] }, [5.1, 3.5, 1.4, 0.2, 0, -1, 1e30, 7]),
    ],
  },
  ...datatypeModels.map((datatype) => ({
    model: datatype,
    inputs: [
      tensorOf(
        { name: 'x0', datatype, shape: [1, 2] },
        datatype === 'BYTES' ? ['', 'a "quoted" \u{1f600}'] : [0, 1],
      ),
    ],
  })),
];

const json = { 'content-type': 'application/json' };
const msgpack = { 'content-type': 'application/msgpack' };

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({ models, limits: smallLimits });
});
afterAll(() => under.close());

/** `answered`, a declared code, or `closed`; anything else is what is wrong. */
type Verdict = string;
const isDeclared = (verdict: Verdict): boolean =>
  verdict === 'answered' || verdict === 'closed' || Object.hasOwn(errorTable, verdict);

function judged(fields: Readonly<Record<string, unknown>>, status: number | undefined): Verdict {
  const { error, code } = fields;
  if (error === undefined) {
    if (status !== undefined && status !== 200) return `status ${status} without an error`;
    return 'outputs' in fields || 'prediction' in fields ? 'answered' : 'neither an error nor an answer';
  }
  if (typeof code !== 'string' || !Object.hasOwn(errorTable, code)) return `undeclared code ${String(code)}`;
  if (code === 'INTERNAL' || code === 'MODEL_FAILED') return `the gateway failed with ${code}`;
  if (status !== undefined && status !== errorTable[code as ErrorCode].status)
    return `${code} with ${status}`;
  if (typeof error !== 'string' || error.length < 10 || error.length > 2000) return 'a strange message';
  return /node_modules|\.[tj]s:\d+|\n\s+at /.test(error) ? `a telling message: ${error}` : code;
}

async function overHttp(bytes: Uint8Array): Promise<Verdict> {
  const connection = await HttpConnection.open(under.port);
  try {
    connection.write(bytes);
    const answer = await within(connection.next(), 'an answer or an end', caseMs);
    if (answer === undefined) return 'closed';
    const type = answer.headers.get('content-type');
    if (type === undefined) {
      // The library refuses what is not HTTP by a status and words of its own, and hangs up.
      await within(connection.closed, 'the end of the connection', caseMs);
      return [400, 431, 505].includes(answer.status) ? 'closed' : `status ${answer.status} without a type`;
    }
    const { body, status } = answer;
    if (type === 'application/octet-stream')
      return oipBinaryOutcome(answer).kind === 'answer' ? 'answered' : 'no answer';
    return judged(
      type === 'application/msgpack' ? unpacked(body) : fieldsOf(JSON.parse(String(body))),
      status,
    );
  } finally {
    connection.destroy();
  }
}

async function overStream(frame: Uint8Array): Promise<Verdict> {
  const client = await StreamClient.open(under.port);
  try {
    client.send(frame);
    const message = await within(client.next(), 'an answer', caseMs);
    return message === undefined ? 'a closed socket' : judged(unpacked(message.payload), undefined);
  } finally {
    client.destroy();
  }
}

const oipPath = (model: string): string => `/v2/models/${model}/infer`;

const attacks: readonly {
  readonly what: string;
  /** A good message, ready to be damaged. */
  readonly good: (call: (typeof calls)[number]) => Uint8Array;
  readonly send: (bytes: Uint8Array, model: string) => Promise<Verdict>;
  /** Cases at the same time; some damage ends only with the library's ten seconds of silence. */
  readonly lanes: number;
}[] = [
  {
    what: 'bodies of OIP JSON',
    lanes: 8,
    good: (call) => Buffer.from(oipJsonBody({ ...call, id: 'f' }, 'nested')),
    send: (body, model) =>
      overHttp(requestBytes({ method: 'POST', path: oipPath(model), headers: json, body })),
  },
  {
    what: 'bodies with binary tensors',
    lanes: 8,
    // The header is part of the message here, as the first line, so that it is damaged too.
    good: (call) => {
      const { headers, body } = oipBinaryBody({ ...call, id: 'f' });
      return Buffer.concat([Buffer.from(`${headers[jsonBytesHeader]}\n`), body]);
    },
    send: (message, model) => {
      const end = message.indexOf(0x0a);
      const length = Buffer.from(message.subarray(0, Math.max(0, end))).toString('latin1');
      const headers = { [jsonBytesHeader]: length.replace(/[^\x21-\x7e]/g, '?') };
      return overHttp(
        requestBytes({ method: 'POST', path: oipPath(model), headers, body: message.subarray(end + 1) }),
      );
    },
  },
  {
    what: 'bodies of /predict',
    lanes: 8,
    good: (call) => Buffer.from(predictBody(call)),
    send: (body, model) =>
      overHttp(requestBytes({ method: 'POST', path: `/predict/${model}`, headers: json, body })),
  },
  {
    what: 'bodies of OIP msgpack',
    lanes: 8,
    good: (call) => packed(msgpackMessage({ ...call, id: 7 }, { elements: 'values' })),
    send: (body, model) =>
      overHttp(requestBytes({ method: 'POST', path: oipPath(model), headers: msgpack, body })),
  },
  {
    what: 'frames',
    lanes: 8,
    good: (call) => packed(msgpackMessage({ ...call, id: 7 }, { fields: { model: call.model } })),
    send: (frame) => overStream(frame),
  },
  {
    what: 'whole requests, request line and headers included',
    lanes: 300,
    good: (call) =>
      requestBytes({ method: 'POST', path: oipPath(call.model), headers: json, body: oipJsonBody(call) }),
    send: (bytes) => overHttp(bytes),
  },
];

describe(`random damage (replay with TIDEGATE_SEED=${seed})`, () => {
  test.each(attacks)(
    'to $what gets a declared answer',
    async ({ good, send, lanes }) => {
      const random = seededRandom(seed);
      const verdicts = new Map<Verdict, number>();
      const wrong: string[] = [];
      let left = casesPerForm;
      const attack = async (): Promise<void> => {
        while (left > 0) {
          left -= 1;
          const call = calls[random.below(calls.length)]!;
          const bytes = damaged(good(call), random);
          const verdict = await send(bytes, call.model).catch((fault: unknown) => String(fault));
          verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
          if (isDeclared(verdict)) continue;
          wrong.push(`${call.model}: ${verdict}\n${Buffer.from(bytes).toString('latin1')}`);
        }
      };
      await Promise.all(Array.from({ length: lanes }, attack));
      expect(wrong.slice(0, 3)).toEqual([]);
      // Damage that never or always kills a message, or always in one way, would prove little.
      expect([...verdicts.keys()]).toContain('answered');
      expect(verdicts.size).toBeGreaterThan(3);

      const answer = await fetch(`${under.url}${oipPath('iris')}`, {
        method: 'POST',
        body: oipJsonBody(calls[0]!),
      });
      expect(answer.status).toBe(200);
      expect((await under.metrics()).sum('tidegate_inflight_requests')).toBe(0);
    },
    120_000,
  );
});
