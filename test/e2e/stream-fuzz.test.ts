/**
 * Junk of every kind on `/v2/stream`, in the manner of fuzz.test.ts: damaged requests and operations, in both forms, many
 * on one socket, mixed with good ones. The oracle knows nothing of the damage: every frame gets at most one answer or a
 * declared error, a good request is still answered on the same socket, and nothing stays in flight.
 *
 * TIDEGATE_SEED replays a run, TIDEGATE_FUZZ_CASES makes it longer.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom, type SeededRandom } from '../../deploy/demo/seeded-random.ts';
import { errorTable } from '../../gateway/wire/error-code.ts';
import { smallLimits } from './bad-bodies.ts';
import { damaged } from './damage.ts';
import { eventually, within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { clientFrame, opcode, StreamClient } from './stream-client.ts';
import { type Said, StreamTalk } from './stream-talk.ts';
import { packed } from './wire-forms.ts';

const seed = Number(process.env['TIDEGATE_SEED'] ?? Date.now() % 2 ** 31);
const rounds = Math.ceil(Number(process.env['TIDEGATE_FUZZ_CASES'] ?? 1500) / 50);
const framesPerRound = 25;

const row = [5.1, 3.5, 1.4, 0.2];
const tensor = { name: 'features', shape: [1, 4], datatype: 'FP32' };
const data = Buffer.from(Float32Array.from(row).buffer);

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({
    models: [{ name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') }],
    limits: { ...smallLimits, connectionInflightMax: 64 },
  });
});
afterAll(() => under.close());

function goodFrame(id: number, random: SeededRandom): { readonly bytes: Buffer; readonly isText: boolean } {
  const binary = { id, model: 'iris', inputs: [{ ...tensor, data }] };
  const textual = { id, model: 'iris', inputs: [{ ...tensor, data: row }], deadline_ms: 50_000, priority: 1 };
  switch (random.below(6)) {
    case 0:
      return { bytes: packed({ ...binary, deadline_ms: 60_000, priority: 2 }), isText: false };
    case 1:
      return { bytes: Buffer.from(JSON.stringify(textual)), isText: true };
    case 2:
      return { bytes: packed({ op: 'cancel', id: id - 1 }), isText: false };
    case 3:
      return { bytes: Buffer.from(JSON.stringify({ op: 'ping', id })), isText: true };
    default:
      return { bytes: packed(binary), isText: false };
  }
}

function problemWith(fields: Said): string | undefined {
  const { op, error, code } = fields;
  if (op !== undefined) return op === 'pong' ? undefined : `an unexpected ${JSON.stringify(op)}`;
  if (error === undefined) return 'outputs' in fields ? undefined : 'neither an error nor an answer';
  if (typeof code !== 'string' || !Object.hasOwn(errorTable, code)) return `undeclared code ${String(code)}`;
  if (code === 'INTERNAL' || code === 'MODEL_FAILED') return `the gateway failed with ${code}`;
  if (typeof error !== 'string' || error.length < 10 || error.length > 2000) return 'a strange message';
  return /node_modules|\.[tj]s:\d+|\n\s+at /.test(error) ? `a telling message: ${error}` : undefined;
}

test(`damaged frames among good ones, on one socket (replay with TIDEGATE_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const codes = new Set<unknown>();
  for (let round = 0; round < rounds; round++) {
    const talk = await StreamTalk.open(under.port);
    let broken = 0;
    for (let frame = 0; frame < framesPerRound; frame++) {
      const { bytes, isText } = goodFrame(1000 + frame, random);
      const isBroken = random.next() < 0.7;
      broken += Number(isBroken);
      const sent = isBroken ? damaged(bytes, random) : bytes;
      // Text that is not UTF-8 is no WebSocket message at all; the library hangs up, which is tested below.
      const asText = isText && Buffer.from(sent.toString()).equals(sent);
      talk.client.write(clientFrame(sent, asText ? { opcode: opcode.text } : {}));
    }
    talk.say({ id: 'good', model: 'iris', inputs: [{ ...tensor, data }] });
    expect(await talk.answer('good')).toMatchObject({ model_name: 'iris' });
    await eventually(
      async () => (await under.metrics()).sum('tidegate_inflight_requests') === 0,
      'nothing to be in flight',
    );
    const problems = talk.heard.flatMap(({ fields }) => problemWith(fields) ?? []);
    expect(problems).toEqual([]);
    // Each frame has at most one answer; a cancel has none.
    expect(talk.heard.length).toBeLessThanOrEqual(framesPerRound + 1);
    for (const { code } of talk.answers) codes.add(code);
    expect(broken).toBeGreaterThan(0);
    talk.client.destroy();
  }
  // Damage that never or always kills a message would prove little.
  expect([...codes]).toContain(undefined);
  expect(codes.size).toBeGreaterThan(4);
}, 120_000);

test.each<[string, Buffer]>([
  ['text that is not UTF-8', clientFrame(Buffer.of(0x7b, 0xff, 0xfe), { opcode: opcode.text })],
  ['a reserved opcode', clientFrame('x', { opcode: 3 })],
  ['a continuation of nothing', clientFrame('x', { opcode: opcode.continuation })],
  ['a ping of more than 125 bytes', clientFrame(Buffer.alloc(200), { opcode: opcode.ping })],
  ['a fragmented ping', clientFrame('x', { opcode: opcode.ping, final: false })],
  ['a compressed frame that was not agreed on', clientFrame('x', { compressed: true })],
])('%s ends this socket and no other', async (_, bytes) => {
  const other = await StreamTalk.open(under.port);
  const client = await StreamClient.open(under.port);
  client.write(bytes);
  await within(client.closed, 'the end of the socket');
  other.say({ op: 'ping' });
  await other.operation('pong');
  other.client.destroy();
});
