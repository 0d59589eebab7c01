/**
 * The run itself: starts the peers, lets each answer once and checks it, then measures in rounds. Within a series the
 * peers follow directly on each other, in another order each round, so that what the machine does meanwhile hits all
 * of them. It computes nothing from the numbers.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { demoModels } from '../deploy/demo/demo-models.ts';
import type { Children } from './children.ts';
import { runAutocannon } from './load/autocannon.ts';
import { answersPerSecond, type LoadReport } from './load/load-report.ts';
import { runStream } from './load/stream-load.ts';
import { runWrk } from './load/wrk.ts';
import type { LoopMeasurement, Measurement, SuiteResult } from './measurement.ts';
import { startGateway } from './peers/gateway.ts';
import { runBareLoop } from './peers/loop-report.ts';
import {
  askOnce,
  askOnceOnStream,
  type PeerName,
  peerTitles,
  startBareUws,
  startFastify,
} from './peers/peer.ts';
import { type Plan, rotated, type Series } from './plan.ts';
import { inferPath, jsonRequest, modelName, type Sample, streamRequest } from './workload.ts';

export interface SuiteOptions {
  readonly plan: Plan;
  readonly rounds: number;
  /** Of each measured run; a whole number. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Empty; removed by the caller. */
  readonly folder: string;
  readonly children: Children;
  readonly progress: (line: string) => void;
}

/** The servers, running, and what was found out about their answers. */
interface Field {
  readonly sample: Sample;
  readonly modelFile: string;
  readonly ports: Readonly<Record<PeerName, number>>;
  /** Bytes of the gateway's answer on a WebSocket, and so of the fixed one. */
  readonly messageBytes: number;
}

export async function runSuite(options: SuiteOptions): Promise<SuiteResult> {
  const { plan, rounds, progress } = options;
  const field = await startField(options);
  const total = rounds * plan.series.reduce((count, { peers }) => count + peers.length, 0);
  const measurements: Measurement[] = [];
  const loops: LoopMeasurement[] = [];
  for (let round = 0; round < rounds; round++) {
    if (plan.loopBatches.length > 0) {
      progress(`round ${round + 1} of ${rounds}: bare onnxruntime-web loop`);
      loops.push(await measureLoop(options, field, round));
    }
    for (const series of plan.series) {
      for (const peer of rotated(series.peers, round)) {
        const report = await measure(options, field, { series, peer });
        measurements.push({ series: series.id, peer, round, report });
        const rate = Math.round(answersPerSecond(report));
        progress(
          `${measurements.length} of ${total}: ${series.id}, ${peerTitles[peer]}: ${rate} answers/s` +
            (report.failures === 0 ? '' : `, ${report.failures} FAILED`),
        );
      }
    }
  }
  return { rounds, measurements, loops };
}

async function startField(options: SuiteOptions): Promise<Field> {
  const { children, folder, progress } = options;
  progress('starting the gateway and its peers');
  const gatewayFolder = join(folder, 'gateway');
  mkdirSync(gatewayFolder);
  const gateway = await startGateway(children, gatewayFolder);
  const models = demoModels().filter(({ name }) => name === modelName);
  const sample = models[0]?.sample;
  if (sample === undefined) throw new Error(`There is no demo model ${modelName}.`);

  const http = await askOnce(gateway, sample);
  const message = await askOnceOnStream(gateway, sample);
  // The peers run the file that the gateway has live.
  const model = models.find(({ version }) => version === http.modelVersion);
  if (model === undefined)
    throw new Error(`The gateway serves ${modelName} ${http.modelVersion}, which is unknown.`);

  const bareUws = await startBareUws(children, { http, message });
  const fastify = await startFastify(children, [model], 'web');
  const ports = { gateway, 'bare-uws': bareUws, 'fastify-ort': fastify };
  await askOnce(fastify, sample);
  const fixed = await askOnce(bareUws, sample);
  const fixedMessage = await askOnceOnStream(bareUws, sample);
  if (!sameBytes(fixed.body, http.body) || !sameBytes(fixedMessage, message)) {
    throw new Error('The fixed answer is not the answer of the gateway.');
  }
  return { sample, modelFile: model.file, ports, messageBytes: message.length };
}

async function measureLoop(
  { children, plan, seconds }: SuiteOptions,
  { modelFile, sample }: Field,
  round: number,
): Promise<LoopMeasurement> {
  // All batch sizes together take the time of one or two runs of a server.
  const { input, values, label } = sample;
  const loop = { input, values, label, rowShape: [values.length], backend: 'web' };
  const job = { modelFile, ...loop, batches: plan.loopBatches, seconds: seconds / plan.loopBatches.length };
  return { round, batches: await runBareLoop(children, job) };
}

async function measure(
  { children, folder, seconds, warmUpSeconds }: SuiteOptions,
  { sample, ports, messageBytes }: Field,
  { series, peer }: { readonly series: Series; readonly peer: PeerName },
): Promise<LoadReport> {
  const port = ports[peer];
  const { generator, connections, inflight } = series;
  if (generator === 'stream') {
    return runStream(children, {
      port,
      sockets: connections,
      inflight,
      warmUpSeconds,
      seconds,
      template: Buffer.from(streamRequest(sample)).toString('base64'),
      answerBytes: messageBytes,
      ids: peer === 'bare-uws' ? 'fixed' : 'echoed',
    });
  }
  const url = `http://127.0.0.1:${port}${inferPath}`;
  const load = { url, body: jsonRequest(sample), connections, warmUpSeconds, seconds };
  return generator === 'wrk' ? runWrk(children, load, folder) : runAutocannon(children, load);
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
