/**
 * Decides whether a candidate must go back, must wait for people, or may go on: counts what became of each request of a
 * rollout. What counts once is in unit-ledger.ts, what evidence is in arm-evidence.ts, what follows from it in
 * judge-verdict.ts. A request to which nothing happened costs a few array reads and allocates nothing.
 */
import { addCounts, type Arm, ArmEvidence } from './arm-evidence.ts';
import { countsJson, readCounts } from './judge-counts.ts';
import { bytesOf, fillTables, isAlike, type Kept, type SeatTable } from './kept.ts';
import {
  type JudgeOptions,
  type JudgeSettings,
  judgeOptions,
  type MetricName,
  metricNames,
} from './judge-options.ts';
import { type JudgeSnapshot, mergeSnapshots, totalsOf } from './judge-snapshot.ts';
import { termsJson } from './judge-terms.ts';
import { type EvidencePeaks, evidencePeaks, type Verdict, verdictOn } from './judge-verdict.ts';
import type { Judge, JudgedTotals, JudgeEvidence, Outcome } from './judge.ts';
import { KeySet } from './key-set.ts';
import { LatencyCuts, latencyQuantiles } from './latency-cuts.ts';
import { addJudged } from './judged-totals.ts';
import { MetricCounts } from './metric-counts.ts';
import { predictionBins, PredictionBins } from './prediction-bins.ts';
import { RunGroups } from './run-groups.ts';
import type { OthersCounted } from './shared-counts.ts';
import { seatOf, UnitLedger } from './unit-ledger.ts';

/** Kinds of events that the ledger tells apart. Run times and predictions have ways of their own to count once. */
const errorChannel = 0;
const nanChannel = 1;
const channels = 2;
/** What is kept of one says which kind of judge it was. */
const keptKind = 'canary';

export type { Verdict } from './judge-verdict.ts';

export class CanaryJudge implements Judge {
  #options: JudgeOptions;
  readonly #ledger: UnitLedger;
  readonly #keys = new KeySet();
  readonly #candidateKeys = new KeySet();
  readonly #failedKeys = new KeySet();
  readonly #predictedKeys = new KeySet();
  readonly #keysByShare = new ArmEvidence();
  readonly #requests = { candidate: 0, stable: 0 };
  readonly #crashed = { candidate: 0, stable: 0 };
  readonly #metrics: Readonly<Record<MetricName, MetricCounts>> = {
    error: new MetricCounts(1),
    nan: new MetricCounts(1),
    latency: new MetricCounts(latencyQuantiles.length),
    prediction: new MetricCounts(predictionBins),
  };
  readonly #cuts: LatencyCuts;
  readonly #bins: PredictionBins;
  readonly #groups: RunGroups;
  #runsCompared = 0;
  #hasLatency = false;
  #failuresInARow = 0;
  #crashesInARow = 0;
  readonly #stableMeanwhile = { requests: 0, failed: 0 };
  #stepStartedMs: number | undefined;
  #others: JudgeSnapshot | undefined;
  #peaks: EvidencePeaks | undefined;

  constructor(settings: JudgeSettings = {}) {
    this.#options = judgeOptions(settings);
    this.#ledger = new UnitLedger(channels, this.#options);
    this.#cuts = new LatencyCuts(this.#options.warmUpRequests);
    this.#bins = new PredictionBins(this.#options.warmUpRequests);
    this.#groups = new RunGroups(this.#options, (candidateMs, stableMs) => {
      const share = 1 / (1 + stableMs.length);
      this.#recordRun('candidate', share, candidateMs);
      for (const runMs of stableMs) this.#recordRun('stable', share, runMs);
      this.#runsCompared += 1;
    });
  }

  /** An answer of the stable version from before the rollout: sets cut points sooner than its answers within it. */
  warmUp(serviceMs: number, score?: number): void {
    this.#hasLatency = true;
    this.#cuts.learn(serviceMs);
    if (score !== undefined) this.#bins.learn(score);
  }

  /** Judges by other settings from now on; what was counted stays, what was concluded from it is looked at anew. */
  setSettings(settings: JudgeSettings): void {
    this.#options = judgeOptions(settings);
    this.#peaks = undefined;
  }

  /** The time after which a step is inconclusive runs from here. What was seen before still counts. */
  beginStep(nowMs: number): void {
    this.#stepStartedMs = nowMs;
  }

  record(outcome: Outcome): void {
    const { arm, share, keyHash, failed, nowMs = 0 } = outcome;
    this.#stepStartedMs ??= nowMs;
    if (this.#keys.add(keyHash)) this.#keysByShare.add(arm, share);
    if (arm === 'candidate') {
      this.#requests.candidate += 1;
      this.#candidateKeys.add(keyHash);
    } else {
      this.#requests.stable += 1;
      this.#stableMeanwhile.requests += 1;
    }
    const seat = seatOf(keyHash);
    const isSample = this.#ledger.isSample(seat, nowMs);
    if (failed) {
      this.#recordFailure(outcome, seat, isSample);
      return;
    }
    if (arm === 'candidate') this.#endRow();
    if (outcome.serviceMs !== undefined) this.#recordLatency(outcome, outcome.serviceMs);
    if (outcome.predictedClass !== undefined) {
      this.#recordPrediction(outcome, this.#bins.ofClass(outcome.predictedClass));
    } else if (outcome.score !== undefined) {
      const bin = this.#bins.ofScore(outcome.score);
      if (bin !== undefined) this.#recordPrediction(outcome, bin);
      else if (arm === 'stable') this.#bins.learn(outcome.score);
    }
  }

  /** Runs of the candidate that were compared with those of the stable version. */
  get runsCompared(): number {
    return this.#runsCompared;
  }

  judge(nowMs = 0): Verdict {
    const own = this.snapshot();
    const snapshot = this.#others === undefined ? own : mergeSnapshots(own, this.#others);
    this.#peaks = evidencePeaks(snapshot, this.#options, this.#peaks);
    return verdictOn(snapshot, this.#options, this.#peaks, nowMs);
  }

  get totals(): JudgedTotals {
    const own = this.#ownTotals;
    return this.#others === undefined ? own : addJudged(own, totalsOf(this.#others));
  }

  get evidence(): JudgeEvidence {
    return { counts: countsJson(this.snapshot()), terms: termsJson(this.#options) };
  }

  /**
   * What others counted of the same rollout, all of it each time: from now on it is judged by their counts and its own. What
   * was shown once is not taken back where they are gone.
   */
  setOthers(others: OthersCounted | undefined): void {
    this.#others = others?.snapshot;
  }

  snapshot(): JudgeSnapshot {
    return {
      stepStartedMs: this.#stepStartedMs ?? null,
      requests: { ...this.#requests },
      crashed: { ...this.#crashed },
      candidateKeys: this.#candidateKeys.size,
      keys: addCounts([], [...this.#keysByShare.counts]),
      failuresInARow: this.#failuresInARow,
      crashesInARow: this.#crashesInARow,
      stableMeanwhile: { ...this.#stableMeanwhile },
      metrics: {
        error: this.#metrics.error.snapshot(this.#requests),
        nan: this.#metrics.nan.snapshot(this.#requests),
        latency: this.#metrics.latency.snapshot(),
        prediction: this.#metrics.prediction.snapshot(),
      },
      latencyCutsMs: this.#cuts.cutsMs ?? null,
      hasLatency: this.#hasLatency,
    };
  }

  /** Cut points and tenths that are not set yet are learned anew; so is the evidence, which follows from the counts. */
  keep(): Kept {
    const counts = { ...countsJson(this.snapshot()), kind: keptKind, score_edges: this.#bins.edges };
    return { counts, tables: bytesOf(this.#tables) };
  }

  resume({ counts, tables }: Kept): boolean {
    const snapshot = readCounts(counts);
    if (snapshot === undefined || !isAlike(this.#tables, tables)) return false;
    const { kind, score_edges: edges } = counts as Readonly<Record<string, unknown>>;
    const isFit = metricNames.every(
      (name) => snapshot.metrics[name].channels.length === this.#metrics[name].size,
    );
    if (kind !== keptKind || !isFit) return false;
    fillTables(this.#tables, tables);
    for (const keys of this.#keySets) keys.recount();
    for (const name of metricNames) this.#metrics[name].resume(snapshot.metrics[name]);
    this.#keysByShare.resume(snapshot.keys);
    Object.assign(this.#requests, snapshot.requests);
    Object.assign(this.#crashed, snapshot.crashed);
    Object.assign(this.#stableMeanwhile, snapshot.stableMeanwhile);
    this.#failuresInARow = snapshot.failuresInARow;
    this.#crashesInARow = snapshot.crashesInARow;
    this.#stepStartedMs = snapshot.stepStartedMs ?? undefined;
    this.#hasLatency = snapshot.hasLatency;
    this.#cuts.resume(snapshot.latencyCutsMs);
    this.#bins.resume(edges);
    return true;
  }

  get #ownTotals(): JudgedTotals {
    const { error, nan } = this.#metrics;
    return {
      requests: { ...this.#requests },
      failed: error.totalOf(0),
      notFinite: nan.totalOf(0),
      crashed: { ...this.#crashed },
      candidateKeys: this.#candidateKeys.size,
    };
  }

  get #keySets(): readonly KeySet[] {
    return [this.#keys, this.#candidateKeys, this.#failedKeys, this.#predictedKeys];
  }

  get #tables(): readonly SeatTable[] {
    const keys = this.#keySets.map(({ words }) => words);
    return [...this.#ledger.tables, ...this.#groups.tables, ...keys];
  }

  #endRow(): void {
    this.#failuresInARow = 0;
    this.#crashesInARow = 0;
    this.#stableMeanwhile.requests = 0;
    this.#stableMeanwhile.failed = 0;
  }

  #recordFailure({ arm, share, keyHash, failure }: Outcome, seat: number, isSample: boolean): void {
    const metric = failure === 'nan' ? 'nan' : 'error';
    const channel = failure === 'nan' ? nanChannel : errorChannel;
    if (failure === 'crash') this.#crashed[arm] += 1;
    const { history, chronicShare, metrics } = this.#options;
    const isChronic = history?.isChronic(keyHash, chronicShare) === true;
    const isFirst = this.#ledger.isEvent(seat, channel) && !isChronic;
    this.#metrics[metric].add(0, arm, share, isFirst, isSample && !isChronic);
    if (arm === 'stable') this.#stableMeanwhile.failed += 1;
    if (arm === 'stable' || isChronic) return;
    if (failure !== 'crash' && metrics[metric].role !== 'guardrail') return;
    if (!this.#failedKeys.add(keyHash)) return;
    this.#failuresInARow += 1;
    if (failure === 'crash') this.#crashesInARow += 1;
  }

  #recordLatency({ arm, keyHash, nowMs = 0 }: Outcome, serviceMs: number): void {
    this.#hasLatency = true;
    if (this.#cuts.cutsMs === undefined) {
      // Where the cut points lie favours neither version, so each answer may set them; none of these is compared.
      if (arm === 'stable') this.#cuts.learn(serviceMs);
      return;
    }
    this.#groups.answered({ arm, keyHash, nowMs, serviceMs });
  }

  #recordRun(arm: Arm, share: number, runMs: number): void {
    const { cutsMs = [] } = this.#cuts;
    const { latency } = this.#metrics;
    latency.observe(arm);
    for (let index = 0; index < cutsMs.length && runMs > (cutsMs[index] ?? Infinity); index += 1) {
      latency.add(index, arm, share, true, true);
    }
  }

  /** The first of each key only: what is predicted for one caller is alike from day to day. */
  #recordPrediction({ arm, share, keyHash }: Outcome, bin: number): void {
    const { prediction } = this.#metrics;
    prediction.observe(arm);
    const isCounted = this.#options.unit === 'request' || this.#predictedKeys.add(keyHash);
    prediction.add(bin, arm, share, isCounted, isCounted);
  }
}
