/**
 * Sends one request again and again on a few HTTP connections of its own, each waiting for its answer, and prints how
 * many were answered and how long they took. A process of its own: what it does between answers is nobody's latency.
 * The request is built once; of an answer only status and length are read.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpLane } from '../../cli/bench/load/http-lane.ts';
import { LatencyHistogram } from '../../cli/bench/load/latency-histogram.ts';
import { requestHead } from '../../cli/bench/load/target.ts';
import { localTarget } from './local-target.ts';

export interface BodyLoadJob {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyFile: string;
  readonly connections: number;
  readonly seconds: number;
  /** Between an answer and the next request, milliseconds. */
  readonly pauseMs: number;
}

export interface BodyLoadReport {
  readonly requests: number;
  readonly failures: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** First requests of a connection are not counted: the gateway warms up too. */
const warmUpRequests = 3;

async function load(job: BodyLoadJob): Promise<BodyLoadReport> {
  const body = readFileSync(job.bodyFile);
  const target = localTarget(job.port);
  const headers = { ...job.headers, 'Content-Length': String(body.length) };
  const head = requestHead(target, { line: `POST ${job.path}`, headers });
  const request = Buffer.concat([Buffer.from(head), body]);
  const samples = new LatencyHistogram();
  let failures = 0;
  const endMs = performance.now() + job.seconds * 1000;
  const startMs = performance.now();
  const one = async (): Promise<void> => {
    const lane = new HttpLane(target, { next: () => request });
    for (let sent = 0; performance.now() < endMs; sent++) {
      const sentMs = performance.now();
      if (!(await exchange(lane))) failures += 1;
      if (sent >= warmUpRequests) samples.record((performance.now() - sentMs) * 1000);
      if (job.pauseMs > 0) await sleep(job.pauseMs);
    }
    lane.close();
  };
  await Promise.all(Array.from({ length: job.connections }, one));
  const { p50Us, p99Us } = samples.summary();
  const perSecond = (samples.count / (performance.now() - startMs)) * 1000;
  return { requests: samples.count, failures, perSecond, p50Us, p99Us };
}

/** Resolves with whether the answer was good. */
function exchange(lane: HttpLane): Promise<boolean> {
  return new Promise((resolve) => {
    lane.listen((_lane, { outcome }) => {
      resolve(outcome === 'good');
    });
    lane.send(0);
  });
}

console.log(JSON.stringify(await load(JSON.parse(process.argv[2] ?? '{}') as BodyLoadJob)));
