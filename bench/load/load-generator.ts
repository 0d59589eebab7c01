/** A child of the suite: the phases of one job (load-job.ts); their numbers come out as one line of JSON. */
import { constants, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLanes } from '../../cli/bench/load/lane-pool.ts';
import { runWindow, type SeenAnswer } from '../../cli/bench/load/load-run.ts';
import { prepareRequests } from '../../cli/bench/load/prepared-requests.ts';
import { generatorProblem, throughput } from '../../cli/bench/load/window-result.ts';
import { randomCalls } from '../../cli/bench/model-calls.ts';
import type { LoadJob, LoadPhase, PhaseReport } from './load-job.ts';
import { localTarget } from './local-target.ts';

/** Before what it asks, where the system lets it: on a machine that is full a request is to be sent in time all the same. */
try {
  setPriority(constants.priority.PRIORITY_HIGH);
} catch {
  // Only for those who may; without it the report says when it was late.
}

const job = JSON.parse(process.argv[2] ?? 'null') as LoadJob;
const target = localTarget(job.port);
const inputs = [{ name: job.input, datatype: 'FP32', shape: [-1, ...job.rowShape] }];
const about = { name: job.model, versions: [], platform: '', inputs, outputs: [] };
const made = randomCalls(about, {
  model: job.model,
  version: undefined,
  deadlineMs: job.deadlineMs,
  rows: 1,
  seed: 1,
});
if (!made.ok) throw new Error(made.problem);
const requests = prepareRequests(target, { protocol: job.protocol, calls: made.calls });

if (job.warmUpSeconds > 0) {
  const [first] = job.phases;
  if (first !== undefined) await measure({ ...first, seconds: job.warmUpSeconds });
}
const startMs = performance.now();
const reports = await Promise.all(
  job.phases.map(async (phase) => {
    await sleep(Math.max(0, phase.startSeconds * 1000 - (performance.now() - startMs)));
    return measure(phase);
  }),
);
console.log(JSON.stringify(reports));

async function measure({ shape, seconds }: LoadPhase): Promise<PhaseReport> {
  const isStream = job.protocol === 'stream';
  const room = shape.kind === 'closed' ? shape.concurrency : job.connections * (isStream ? 256 : 1);
  const lanes = await openLanes(target, {
    requests,
    protocol: job.protocol,
    room,
    connections: job.connections,
  });
  let recoveredMs = 0;
  const seen = ({ dueMs, latencyMs, outcome }: SeenAnswer): void => {
    if (outcome !== 'good' || latencyMs > (job.slowMs ?? Infinity))
      recoveredMs = Math.max(recoveredMs, dueMs);
  };
  const result = await runWindow(lanes, { shape, seconds, seen });
  for (const lane of lanes) lane.close();
  const { latency, refusalLatency, lateness, offered, good, refused, failed, unsent, busyShare } = result;
  const problem = generatorProblem(result);
  return {
    numbers: {
      per_second: throughput(result),
      p50_us: latency.percentileUs(0.5),
      p99_us: latency.percentileUs(0.99),
      p999_us: latency.percentileUs(0.999),
      offered,
      good,
      refused,
      failed: failed + unsent,
      refusal_p50_us: refusalLatency.percentileUs(0.5),
      lateness_p99_us: lateness.percentileUs(0.99),
      generator_busy_share: busyShare,
      recovered_ms: recoveredMs,
    },
    problems: [
      ...(failed + unsent > 0
        ? [[...result.reasons].map(([reason, count]) => `${count} times ${reason}`).join(', ')]
        : []),
      ...(problem === undefined ? [] : [problem]),
    ],
  };
}
