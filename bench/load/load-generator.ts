/** A child of the suite: the phases of one job (load-job.ts); their numbers come out as one line of JSON. */
import { constants, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLanes } from '../../cli/bench/load/lane-pool.ts';
import { runWindow, type SeenAnswer } from '../../cli/bench/load/load-run.ts';
import { prepareRequests } from '../../cli/bench/load/prepared-requests.ts';
import { generatorProblem, throughput } from '../../cli/bench/load/window-result.ts';
import { randomCalls } from '../../cli/bench/model-calls.ts';
import type { RequestCycle } from '../../cli/bench/load/lane.ts';
import type { Asked, LoadJob, LoadPhase, PhaseReport } from './load-job.ts';
import { localTarget } from './local-target.ts';

/** Before what it asks, where the system lets it: on a machine that is full a request is to be sent in time all the same. */
try {
  setPriority(constants.priority.PRIORITY_HIGH);
} catch {
  // Only for those who may; without it the report says when it was late.
}

const job = JSON.parse(process.argv[2] ?? 'null') as LoadJob;
const preparedFor = new Map<string, RequestCycle>();
// All of them before the first one is sent: it takes time in which nothing else is sent.
for (const phase of job.phases) requestsOf(phase);

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

function askedBy({ asks }: LoadPhase): Asked {
  return { ...job, ...asks };
}

/** Made once for all phases that ask the same. */
function requestsOf(phase: LoadPhase): RequestCycle {
  const { port, model, input, rowShape, protocol, deadlineMs } = askedBy(phase);
  const key = JSON.stringify([port, model, protocol, deadlineMs]);
  const known = preparedFor.get(key);
  if (known !== undefined) return known;
  const inputs = [{ name: input, datatype: 'FP32', shape: [-1, ...rowShape] }];
  const about = { name: model, versions: [], platform: '', inputs, outputs: [] };
  const made = randomCalls(about, { model, version: undefined, deadlineMs, rows: 1, seed: 1 });
  if (!made.ok) throw new Error(made.problem);
  const requests = prepareRequests(localTarget(port), { protocol, calls: made.calls });
  preparedFor.set(key, requests);
  return requests;
}

async function measure(phase: LoadPhase): Promise<PhaseReport> {
  const { shape, seconds, staysAwake = true } = phase;
  const { port, protocol, connections } = askedBy(phase);
  const room = shape.kind === 'closed' ? shape.concurrency : connections * (protocol === 'stream' ? 256 : 1);
  const requests = requestsOf(phase);
  const lanes = await openLanes(localTarget(port), { requests, protocol, room, connections });
  let [recoveredMs, inTime] = [0, 0];
  const { deadlineMs = Infinity } = askedBy(phase);
  const seen = ({ dueMs, latencyMs, outcome }: SeenAnswer): void => {
    if (outcome !== 'good' || latencyMs > (job.slowMs ?? Infinity))
      recoveredMs = Math.max(recoveredMs, dueMs);
    if (outcome === 'good' && latencyMs <= deadlineMs) inTime += 1;
  };
  const result = await runWindow(lanes, { shape, seconds, staysAwake, seen });
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
      in_time: inTime,
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
