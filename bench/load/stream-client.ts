/**
 * A child of the suite: WebSocket load on one server, its report as one line of JSON. At the end it waits until every
 * request is answered; what is missing then, or comes unasked, is a failure.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LatencyHistogram } from '../../cli/bench/load/latency-histogram.ts';
import { localTarget } from './local-target.ts';
import type { LoadReport } from './load-report.ts';
import { StreamCaller } from './stream-caller.ts';
import { parseStreamLoad } from './stream-load.ts';
import { StreamSocket } from '../../cli/bench/load/stream-socket.ts';

/** Milliseconds for the last answers to arrive. */
const drainMsMax = 5000;
/** Milliseconds in which answers that nobody asked for would show. */
const lingerMs = 50;

const load = parseStreamLoad(process.argv[2]);
const template = Buffer.from(load.template, 'base64');
const latency = new LatencyHistogram();
let lost = 0;

const nowUs = (): number => performance.now() * 1000;

async function open(): Promise<{ readonly caller: StreamCaller; readonly socket: StreamSocket }> {
  let chunkUs = 0;
  const socket = await StreamSocket.connect(localTarget(load.port), {
    onMessage: (payload) => {
      // One reading of the clock for all that came together.
      if (chunkUs === 0) chunkUs = nowUs();
      caller.answered(payload, chunkUs);
    },
    onChunkEnd: () => {
      caller.flush(nowUs());
      chunkUs = 0;
    },
    onLost: (error) => {
      console.error(`stream client: ${error.message}`);
      lost++;
    },
  });
  const { inflight, answerBytes, ids } = load;
  const send = (frames: Uint8Array): void => {
    socket.send(frames);
  };
  const caller = new StreamCaller({ template, inflight, answerBytes, ids, send, latency });
  return { caller, socket };
}

const connections = await Promise.all(Array.from({ length: load.sockets }, open));
const callers = connections.map(({ caller }) => caller);
for (const caller of callers) caller.start(nowUs());
await sleep(load.warmUpSeconds * 1000);
for (const caller of callers) caller.measuring = true;
const startUs = nowUs();
await sleep(load.seconds * 1000);
for (const caller of callers) {
  caller.measuring = false;
  caller.sending = false;
}
const seconds = (nowUs() - startUs) / 1e6;

const outstanding = (): number => callers.reduce((sum, caller) => sum + caller.outstanding, 0);
for (const endUs = nowUs() + drainMsMax * 1000; outstanding() > 0 && nowUs() < endUs;) await sleep(5);
await sleep(lingerMs);
const wrong = callers.reduce((sum, caller) => sum + caller.failures, 0);
for (const { socket } of connections) socket.close();
const report: LoadReport = {
  answers: latency.count,
  failures: wrong + outstanding() + lost,
  seconds,
  ...latency.summary(),
};
console.log(JSON.stringify(report));
