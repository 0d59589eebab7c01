/**
 * A child of the stream bench: floods one server with prepared frames (flood.ts) and reports how many answers came, and
 * what both sides spent on them, as one line of JSON. The server tells its processor time on `/metrics`.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { numberField, textField } from '../json-field.ts';
import { AnswerCounter, frameBlock } from './flood.ts';

const load: unknown = JSON.parse(process.argv[2] ?? 'null');
const port = numberField(load, 'port');
const sockets = numberField(load, 'sockets');
const inflight = numberField(load, 'inflight');
const payload = Buffer.from(textField(load, 'payload'), 'base64');
const idAt = numberField(load, 'idAt');
const answerBytes = numberField(load, 'answerBytes');
const seconds = numberField(load, 'seconds');
const warmUpSeconds = numberField(load, 'warmUpSeconds');

/** From here on msgpack takes five bytes for an id. */
const firstId = 0x1_0000;
const readBytes = 256 * 1024;

let lost = 0;
let sending = true;

async function open(): Promise<{
  readonly counter: AnswerCounter;
  readonly socket: Socket;
  readonly start: () => void;
}> {
  const counter = new AnswerCounter(answerBytes);
  const half = Math.max(1, Math.floor(inflight / 2));
  const sizes = inflight === 1 ? [1] : [half, inflight - half];
  let next = firstId;
  const blocks = sizes.map((frames) => {
    const block = { frames, bytes: frameBlock({ payload, idAt, firstId: next, frames }) };
    next += frames;
    return block;
  });
  let due = 0;
  let turn = 0;
  let upgraded = false;
  let onUpgrade: () => void = () => undefined;
  const upgrade = new Promise<void>((resolve) => {
    onUpgrade = resolve;
  });
  const received = (count: number, buffer: Uint8Array): boolean => {
    let chunk = buffer.subarray(0, count);
    if (!upgraded) {
      const end = Buffer.from(chunk).indexOf('\r\n\r\n');
      if (end === -1 || !Buffer.from(chunk).toString('latin1').startsWith('HTTP/1.1 101')) {
        throw new Error('The server did not take the WebSocket.');
      }
      upgraded = true;
      onUpgrade();
      chunk = chunk.subarray(end + 4);
    }
    counter.read(chunk);
    for (;;) {
      const block = blocks[turn];
      if (!sending || block === undefined || counter.answers < due + block.frames) break;
      due += block.frames;
      socket.write(block.bytes);
      turn = (turn + 1) % blocks.length;
    }
    return true;
  };
  const socket = connect({
    host: '127.0.0.1',
    port,
    noDelay: true,
    onread: { buffer: new Uint8Array(readBytes), callback: received },
  });
  socket.once('close', () => {
    lost += 1;
  });
  socket.once('error', (error) => {
    console.error(`flood client: ${error.message}`);
  });
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET /v2/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  await upgrade;
  return {
    counter,
    socket,
    start: () => {
      for (const block of blocks) socket.write(block.bytes);
    },
  };
}

async function serverCpuSeconds(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^process_cpu_seconds_total ([\d.e+-]+)/m.exec(text)?.[1] ?? NaN);
}

const flood = await Promise.all(Array.from({ length: sockets }, open));
const total = (): number => flood.reduce((sum, { counter }) => sum + counter.answers, 0);
for (const { start } of flood) start();
await sleep(warmUpSeconds * 1000);

const serverBefore = await serverCpuSeconds();
const own = process.cpuUsage();
const before = total();
const startMs = performance.now();
await sleep(seconds * 1000);
const answers = total() - before;
const measuredSeconds = (performance.now() - startMs) / 1000;
const ownAfter = process.cpuUsage(own);
const serverAfter = await serverCpuSeconds();

sending = false;
await sleep(100);
const wrong = flood.reduce((sum, { counter }) => sum + counter.wrong, 0);
const failures = wrong + lost;
for (const { socket } of flood) socket.destroy();
console.log(
  JSON.stringify({
    answers,
    seconds: measuredSeconds,
    failures,
    serverCpuSeconds: serverAfter - serverBefore,
    clientCpuSeconds: (ownAfter.user + ownAfter.system) / 1e6,
  }),
);
process.exit(0);
