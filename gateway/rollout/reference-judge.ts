/**
 * Judges a version that nobody is compared with at the same time: one in a preview, which only those meet who name it, and
 * one that all callers meet after a flip. What it does is held against what the version before did, until now or until the
 * flip, and both rates are as uncertain as their counts are small.
 *
 * The test is of the pair of rates: for each rate `q` of the version before, the e-values against "the one fails with
 * `tolerated q + rateDifferenceMin`" and against "the other fails with `q`" are multiplied (beta-binomial mixtures, Howard
 * et al., arXiv 1810.08240, as in bernoulli-confidence.ts); it goes back when the least of these products is 1 / alpha. That
 * holds whenever one looks (Ville's inequality). What it cannot do is tell the version from an incident that began with it.
 */
import { type Rate, logEvidenceAbove } from './bernoulli-confidence.ts';
import {
  type CallerCounts,
  callerTables,
  CallerRates,
  type Fault,
  faults,
  type TrialUnit,
} from './caller-rates.ts';
import { type FlipCounts, failedCallersLeast, mergeFlipCounts } from './flip-counts.ts';
import type { Judge, Outcome } from './judge.ts';
import { isArmTotals, type JudgedTotals } from './judged-totals.ts';
import { type JudgeOptions, type JudgeSettings, judgeOptions, type Role } from './judge-options.ts';
import { bytesOf, fillTables, isAlike, type Kept, type SeatTable } from './kept.ts';
import type { Verdict } from './judge-verdict.ts';
import { KeySet } from './key-set.ts';
import type { OthersCounted } from './shared-counts.ts';

export interface ReferenceJudgeOptions {
  readonly settings?: JudgeSettings;
  /** `request` for a preview, which few people try out; `caller` for what all callers meet. */
  readonly unit: TrialUnit;
  /**
   * What the version before did until the flip; or until now, as long as it is `live`; or to callers of whose requests the
   * other gets copies: `copies`, which are held against the same callers, as some fail more often than others.
   */
  readonly reference: () => CallerCounts;
  readonly beside?: 'live' | 'copies';
  /** Requests that must have been answered before anything good is said. */
  readonly requestsMin: number;
  /** Of this node: a caller may come to each of them. Default 1. */
  readonly processes?: number;
}

/** Counts after which the test is sharpest: of a preview, of all callers, and of the version before during a preview. */
const trialsBest = { request: 50, caller: 1000, reference: 1000 };
/** Different callers who must be among those that failed: one whose requests always fail may be new. */
const failedCallersMin: Readonly<Record<TrialUnit, number>> = { request: 1, caller: 5 };
/** Chance that the version before would have had the same row of failures anywhere among as many requests. */
const rowChanceMax = 1e-4;

const verdictOf: Readonly<Record<Role, Verdict['kind']>> = {
  guardrail: 'rollback',
  signal: 'pause',
  health: 'hold',
};

export class ReferenceJudge implements Judge {
  readonly #unit: TrialUnit;
  readonly #requestsMin: number;
  readonly #reference: () => CallerCounts;
  readonly #rates: CallerRates;
  readonly #beside: ReferenceJudgeOptions['beside'];
  /** Of the version before. */
  readonly #copied: CallerRates;
  readonly #callers = new KeySet();
  readonly #requests = { candidate: 0, stable: 0 };
  readonly #failed = { candidate: 0, stable: 0 };
  readonly #notFinite = { candidate: 0, stable: 0 };
  readonly #crashed = { candidate: 0, stable: 0 };
  #options: JudgeOptions;
  /** Callers of the row, so that one of them is no row. */
  #rowCallers = new Set<number>();
  #crashesInARow = 0;
  #others: FlipCounts | undefined;

  constructor(options: ReferenceJudgeOptions) {
    const { settings = {}, unit, reference, beside, requestsMin, processes = 1 } = options;
    this.#options = judgeOptions(settings);
    this.#unit = unit;
    this.#requestsMin = requestsMin;
    this.#beside = beside;
    this.#copied = new CallerRates('caller', processes);
    this.#reference = beside === 'copies' ? () => this.#counts.copied : reference;
    this.#rates = new CallerRates(unit, processes);
  }

  /** Nothing but failures is compared. */
  readonly runsCompared = 0;

  setSettings(settings: JudgeSettings): void {
    this.#options = judgeOptions(settings);
  }

  record({ arm, keyHash, nowMs = 0, failure, isCopied }: Outcome): void {
    this.#requests[arm] += 1;
    const fault = failure === undefined ? undefined : failure === 'nan' ? 'nan' : 'error';
    if (fault === 'error') this.#failed[arm] += 1;
    if (fault === 'nan') this.#notFinite[arm] += 1;
    if (failure === 'crash') this.#crashed[arm] += 1;
    if (isCopied === true) this.#copied.add(keyHash, nowMs, fault);
    if (arm === 'stable') return;
    this.#rates.add(keyHash, nowMs, fault);
    this.#callers.add(keyHash);
    if (fault === undefined) this.#endRow();
    else this.#growRow(keyHash, { fault, isCrash: failure === 'crash' });
  }

  judge(): Verdict {
    const row = this.#rowVerdict();
    if (row !== undefined) return row;
    const alarms = faults.flatMap((fault) => this.#alarm(fault) ?? []);
    const worst = (['rollback', 'pause', 'hold'] as const).flatMap(
      (kind) => alarms.find((alarm) => alarm.kind === kind) ?? [],
    );
    return worst[0] ?? this.#progress();
  }

  get totals(): JudgedTotals {
    return this.#counts.totals;
  }

  /** Of this process alone. */
  get flipCounts(): FlipCounts {
    const failedCallers = {
      error: this.#rates.failedCallers('error'),
      nan: this.#rates.failedCallers('nan'),
    };
    return {
      rates: this.#rates.counts,
      copied: this.#copied.counts,
      failedCallers,
      failedCallersMost: failedCallers,
      totals: {
        requests: { ...this.#requests },
        failed: { ...this.#failed },
        notFinite: { ...this.#notFinite },
        crashed: { ...this.#crashed },
        candidateKeys: this.#callers.size,
      },
      processes: 1,
    };
  }

  /** From now on it is judged by their counts and its own; rows of failures are its own. */
  setOthers(others: OthersCounted | undefined): void {
    this.#others = others?.flip;
  }

  keep(): Kept {
    const [rates, copied] = [this.#rates.keep(), this.#copied.keep()];
    const counts = {
      kind: this.#unit,
      rates: rates.counts,
      copied: copied.counts,
      requests: { ...this.#requests },
      failed: { ...this.#failed },
      not_finite: { ...this.#notFinite },
      crashed: { ...this.#crashed },
    };
    return { counts, tables: [...rates.tables, ...copied.tables, ...bytesOf(this.#tables)] };
  }

  /** A row of failures begins anew: it is found again with the next callers, if it is one. */
  resume({ counts, tables }: Kept): boolean {
    if (typeof counts !== 'object' || counts === null) return false;
    const kept = counts as Readonly<Record<string, unknown>>;
    const totals = ['requests', 'failed', 'not_finite', 'crashed'].flatMap((name) =>
      isArmTotals(kept[name]) ? [kept[name]] : [],
    );
    const [rates, copied] = [tables.slice(0, callerTables), tables.slice(callerTables, 2 * callerTables)];
    const own = tables.slice(2 * callerTables);
    if (kept['kind'] !== this.#unit || totals.length < 4 || !isAlike(this.#tables, own)) return false;
    // The second first: of two kinds of counts that do not go together none is taken.
    if (!this.#copied.resume({ counts: kept['copied'], tables: copied })) return false;
    if (!this.#rates.resume({ counts: kept['rates'], tables: rates })) return false;
    fillTables(this.#tables, own);
    this.#callers.recount();
    const counters = [this.#requests, this.#failed, this.#notFinite, this.#crashed];
    for (const [index, counter] of counters.entries()) Object.assign(counter, totals[index]);
    return true;
  }

  get #counts(): FlipCounts {
    const own = this.flipCounts;
    return this.#others === undefined ? own : mergeFlipCounts(own, this.#others);
  }

  get #tables(): readonly SeatTable[] {
    return [this.#callers.words];
  }

  #endRow(): void {
    this.#rowCallers = new Set();
    this.#crashesInARow = 0;
  }

  #growRow(keyHash: number, { fault, isCrash }: { readonly fault: Fault; readonly isCrash: boolean }): void {
    if (!isCrash && this.#options.metrics[fault].role !== 'guardrail') return;
    // In a preview one caller may be all there are.
    const place = this.#unit === 'request' ? this.#requests.candidate : keyHash;
    if (this.#rowCallers.has(place) || this.#rowCallers.size > rowCallersMax) return;
    this.#rowCallers.add(place);
    if (isCrash) this.#crashesInARow += 1;
  }

  #rowVerdict(): Verdict | undefined {
    const { failuresInARowMax, crashesInARowMax } = this.#options;
    const row = this.#rowCallers.size;
    if (row < failuresInARowMax && this.#crashesInARow < crashesInARowMax) return undefined;
    const { trials, failed } = this.#reference();
    const rate = trials === 0 ? 0 : (failed.error + failed.nan) / trials;
    if (this.#requests.candidate * rate ** row > rowChanceMax) return undefined;
    const whom = this.#unit === 'request' ? 'requests' : 'callers';
    const how =
      this.#crashesInARow === 0 ? '' : `, with ${this.#crashesInARow} of them took its thread down,`;
    return {
      kind: 'rollback',
      metric: 'error',
      reason: `the new version failed ${row} ${whom} in a row${how} and answered none between`,
    };
  }

  #alarm(fault: Fault): Verdict | undefined {
    const { role, tolerated } = this.#options.metrics[fault];
    const { falseAlarmMax, rateDifferenceMin } = this.#options;
    const failedCallers = failedCallersLeast(this.#counts, fault);
    if (role === 'none' || failedCallers < failedCallersMin[this.#unit]) return undefined;
    const [one, other] = this.#pair(fault);
    const evidence = logEvidenceAbove(one, other, { ratio: tolerated, difference: rateDifferenceMin });
    // The error is spent on the kinds of failures in equal parts.
    if (evidence < Math.log(faults.length / falseAlarmMax)) return undefined;
    const chance = (faults.length * Math.exp(-evidence)).toPrecision(2);
    return {
      kind: verdictOf[role],
      metric: fault,
      reason: `${this.#ratesText(fault)}; one that did so at most ${tolerated} times as often would look like this with a chance of ${chance} at most`,
    };
  }

  #pair(fault: Fault): readonly [Rate, Rate] {
    const { trials, failed } = this.#counts.rates;
    const before = this.#reference();
    // After the flip its count is known before the first look, whatever it has failed: the test may be made for it.
    const best = this.#beside === undefined ? Math.max(before.trials, 1) : trialsBest.reference;
    return [
      { events: failed[fault], trials, trialsBest: trialsBest[this.#unit] },
      { events: before.failed[fault], trials: before.trials, trialsBest: best },
    ];
  }

  #progress(): Verdict {
    const answered = this.#counts.totals.requests.candidate;
    const rates = this.#ratesText('error');
    if (answered < this.#requestsMin) {
      return {
        kind: 'hold',
        isEarly: true,
        reason: `${rates}; it got ${answered} of the ${this.#requestsMin} requests needed`,
      };
    }
    const doubt =
      this.#reference().trials === 0
        ? 'nothing was counted of the version before, so only failures in a row would be seen'
        : 'nothing shows that it is worse';
    return { kind: 'healthy', reason: `${rates}; ${doubt}` };
  }

  #ratesText(fault: Fault): string {
    const [one, other] = this.#pair(fault);
    const did = fault === 'error' ? 'failed' : 'answered with numbers that are not finite';
    const trials = this.#unit === 'request' ? 'requests' : 'callers of a minute';
    return `the new version ${did} for ${one.events} of ${one.trials} ${trials}, the one before for ${other.events} of ${other.trials} callers of a minute`;
  }
}

/** A row this long is one, whatever comes. */
const rowCallersMax = 1000;
