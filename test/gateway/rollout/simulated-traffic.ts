/**
 * Callers of two versions, simulated and seeded: which version each meets, how often each comes, fails and waits. For
 * measuring how often a judge errs and how soon it sees what is wrong.
 */
import { type SeededRandom, seededRandom } from '../../../deploy/demo/seeded-random.ts';
import { CanaryJudge, type Verdict } from '../../../gateway/rollout/canary-judge.ts';
import type { JudgeSettings } from '../../../gateway/rollout/judge-options.ts';
import { mergeSnapshots } from '../../../gateway/rollout/judge-snapshot.ts';
import { KeyHistory } from '../../../gateway/rollout/key-history.ts';

export interface Traffic {
  readonly seed: number;
  readonly keys: number;
  /** Few callers send most requests, as 1/rank. */
  readonly zipf?: boolean;
  /** Share of callers that always fail, whichever version they meet. */
  readonly chronic?: number;
  readonly share: number;
  readonly stableRate: number;
  readonly candidateRate: number;
  readonly requests: number;
  /** Between two requests. */
  readonly intervalMs?: number;
  /** Failure rate of both for the middle third. */
  readonly incident?: number;
  /** Requests of the same callers before the rollout, all to the stable version. */
  readonly requestsBefore?: number;
  /** Service times: lognormal around 8 ms, those of the candidate as given. */
  readonly latency?: CandidateLatency;
  readonly settings?: JudgeSettings;
  /** Each request of a caller comes to any of so many processes, which judge together. Default 1. */
  readonly processes?: number;
}

export interface CandidateLatency {
  /** Times as slow in all requests. */
  readonly factor?: number;
  /** Share of requests that are five times as slow. */
  readonly slowShare?: number;
  /** Callers differ: the deviation of the logarithm of how slow each is. */
  readonly callerSigma?: number;
}

export interface Run {
  readonly verdict: Verdict;
  /** Until the verdict. */
  readonly candidateRequests: number;
}

/** Mixes the bits of an integer, as the last step of murmur3 does. */
export function mixedHash(key: number): number {
  let hash = key + 1;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Ends at the first verdict that is one of `ends`. Judged after each failure of the candidate or, with latency, each request. */
export function simulate(traffic: Traffic, ends: readonly Verdict['kind'][] = ['rollback']): Run {
  const random = seededRandom(traffic.seed);
  const { keys, share, requests, latency, intervalMs = 0 } = traffic;
  const onCandidate = flagsFor(random, { keys, share });
  const { chronic = 0 } = traffic;
  const isChronic = chronic > 0 ? flagsFor(random, { keys, share: chronic }) : [];
  const callerSigma = latency?.callerSigma ?? 0;
  const slowness =
    callerSigma > 0 ? Array.from({ length: keys }, () => Math.exp(callerSigma * normal(random))) : [];
  const ranks = traffic.zipf === true ? ranksFor(keys) : [];
  const nextKey = (): number => {
    const drawn = random.next();
    return traffic.zipf === true ? (ranks[Math.floor(drawn * ranks.length)] ?? 0) : Math.floor(drawn * keys);
  };
  const serviceMs = (key: number, isCandidate: boolean): number => {
    const base = 8 * Math.exp(0.5 * normal(random)) * (slowness[key] ?? 1);
    if (!isCandidate) return base;
    const isSlow = random.next() < (latency?.slowShare ?? 0);
    return base * (latency?.factor ?? 1) * (isSlow ? 5 : 1);
  };
  const history = new KeyHistory();
  for (let request = 0; request < (traffic.requestsBefore ?? 0); request += 1) {
    const key = nextKey();
    history.add(mixedHash(key), isChronic[key] === 1 || random.next() < traffic.stableRate);
  }
  const judge = new CanaryJudge({ history, ...traffic.settings });
  const others = Array.from(
    { length: (traffic.processes ?? 1) - 1 },
    () => new CanaryJudge({ history, ...traffic.settings }),
  );
  if (latency !== undefined)
    for (let sample = 0; sample < 500; sample += 1) judge.warmUp(serviceMs(nextKey(), false));
  let candidateRequests = 0;
  for (let request = 0; request < requests; request += 1) {
    const key = nextKey();
    const arm = onCandidate[key] === 1 ? 'candidate' : 'stable';
    const isIncident = traffic.incident !== undefined && Math.floor((3 * request) / requests) === 1;
    const rate = arm === 'candidate' ? traffic.candidateRate : traffic.stableRate;
    const failed =
      isChronic[key] === 1 || random.next() < (isIncident ? Math.max(rate, traffic.incident) : rate);
    const nowMs = request * intervalMs;
    const answered = latency === undefined || failed ? undefined : serviceMs(key, arm === 'candidate');
    const seenBy =
      others.length === 0 ? judge : (others[Math.floor(random.next() * (others.length + 1))] ?? judge);
    seenBy.record({ arm, share, keyHash: mixedHash(key), failed, nowMs, serviceMs: answered });
    if (arm === 'stable') continue;
    candidateRequests += 1;
    if (!failed && (latency === undefined || candidateRequests % 5 !== 0)) continue;
    if (others.length > 0) {
      const snapshots = others.map((other) => other.snapshot());
      judge.setOthers({ snapshot: snapshots.reduce((one, two) => mergeSnapshots(one, two)) });
    }
    const verdict = judge.judge(nowMs);
    if (ends.includes(verdict.kind)) return { verdict, candidateRequests };
  }
  return { verdict: judge.judge(requests * intervalMs), candidateRequests };
}

/** In a normal test; `TIDEGATE_SIMULATED_SEEDS=10` is a longer one. */
export function manyRuns(runs: number): number {
  return runs * Number(process.env['TIDEGATE_SIMULATED_SEEDS'] ?? 1);
}

/** Of runs with the seeds 1, 2 and so on, those that end with a verdict of `kind`. */
export function runsEnding(
  kind: Verdict['kind'],
  runs: number,
  traffic: Omit<Traffic, 'seed'>,
): readonly Run[] {
  const all = Array.from({ length: runs }, (_, seed) => simulate({ ...traffic, seed: seed + 1 }, [kind]));
  return all.filter(({ verdict }) => verdict.kind === kind);
}

export function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Infinity;
}

const rankTables = new Map<number, Uint32Array>();

/** 1 for a share of the keys. */
function flagsFor(
  random: SeededRandom,
  { keys, share }: { readonly keys: number; readonly share: number },
): Uint8Array {
  const flags = new Uint8Array(keys);
  for (let key = 0; key < keys; key += 1) if (random.next() < share) flags[key] = 1;
  return flags;
}

/** Callers as often as they come, the first one most. */
function ranksFor(keys: number): Uint32Array {
  const size = 2 ** 16;
  const table =
    rankTables.get(keys) ??
    Uint32Array.from({ length: size }, (_, index) => Math.floor(keys ** (index / size) - 1));
  rankTables.set(keys, table);
  return table;
}

/** Box and Muller: tails matter here. */
function normal(random: SeededRandom): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}
