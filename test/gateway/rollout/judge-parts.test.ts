/** The parts of the judge one by one: what counts once, who is chronic, where cut points and bins lie. */
import { describe, expect, test } from 'vitest';
import { KeyHistory } from '../../../gateway/rollout/key-history.ts';
import { LatencyCuts } from '../../../gateway/rollout/latency-cuts.ts';
import { PredictionBins } from '../../../gateway/rollout/prediction-bins.ts';
import { type Unit, UnitLedger } from '../../../gateway/rollout/unit-ledger.ts';

describe('a caller whose requests come every twenty seconds', () => {
  /** For each of ten requests, whether it is a sample and whether its event counts; `fails` says which have one. */
  function counted(unit: Unit, fails: (request: number) => boolean, requestsBefore = 0): string {
    const ledger = new UnitLedger(2, { unit, windowMs: 60_000, windowsPerKeyMax: 3, chronicShare: 0.1 });
    for (let request = 0; request < requestsBefore; request += 1) ledger.isSample(7, 5000);
    return Array.from({ length: 12 }, (_, request) => {
      const isSample = ledger.isSample(7, 5000 + request * 20_000);
      const isEvent = fails(request) && ledger.isEvent(7, 1);
      return `${isSample ? 's' : '-'}${isEvent ? 'e' : '-'}`;
    }).join(' ');
  }

  const always = (): boolean => true;

  test('counts once in a window of a minute, in three windows, while it seldom fails', () => {
    const seldom = (request: number): boolean => request % 3 === 1;
    expect(counted('key-window', seldom, 100)).toBe('-- -e -- s- -e -- s- -e -- -- -- --');
  });

  test('counts once if it fails often, but goes on as a sample', () => {
    expect(counted('key-window', always)).toBe('se -- -- s- -- -- s- -- -- -- -- --');
  });

  test('counts once in all as key-first', () => {
    expect(counted('key-first', always)).toBe('se -- -- -- -- -- -- -- -- -- -- --');
    expect(counted('key-first', (request) => request > 4)).toBe('s- -- -- -- -- -e -- -- -- -- -- --');
  });

  test('counts each time as request', () => {
    expect(counted('request', always)).toBe(Array.from({ length: 12 }, () => 'se').join(' '));
  });

  test('is still known as failing after thousands of requests', () => {
    const ledger = new UnitLedger(1, {
      unit: 'key-window',
      windowMs: 60_000,
      windowsPerKeyMax: 3,
      chronicShare: 0.1,
    });
    let counts = 0;
    for (let request = 0; request < 5000; request += 1) {
      ledger.isSample(3, request * 60_000);
      if (ledger.isEvent(3, 0)) counts += 1;
    }
    expect(counts).toBe(1);
  });
});

describe('the history of callers', () => {
  test('calls chronic who failed more than one request in ten, and not only once', () => {
    const history = new KeyHistory();
    for (let request = 0; request < 1000; request += 1) {
      history.add(1, request % 5 === 0);
      history.add(2, request % 20 === 0);
    }
    history.add(3, true);
    expect([1, 2, 3, 4].map((key) => history.isChronic(key, 0.1))).toEqual([true, false, false, false]);
  });
});

describe('cut points of latencies', () => {
  test('lie at the quantiles of the sample, at most a sixteenth above, and stay', () => {
    const cuts = new LatencyCuts(1000);
    for (let sample = 1; sample < 1000; sample += 1) cuts.learn(sample / 10);
    expect(cuts.cutsMs).toBeUndefined();
    cuts.learn(100);
    cuts.learn(Number.NaN);
    for (let sample = 0; sample < 5000; sample += 1) cuts.learn(1e6);
    for (const [index, exact] of [50, 90, 95, 99].entries()) {
      const cut = cuts.cutsMs?.[index] ?? 0;
      expect(cut).toBeGreaterThanOrEqual(exact);
      expect(cut).toBeLessThanOrEqual(exact * (1 + 1 / 16));
    }
  });

  test.each([0, 0.0004, 0.015, 0.016, 0.5, 3, 1e5, 1e12])(
    'hold %f ms, however small or large',
    (serviceMs) => {
      const cuts = new LatencyCuts(1);
      cuts.learn(serviceMs);
      const known = Math.min(serviceMs, (2 ** 32 - 1) / 1000);
      expect(cuts.cutsMs?.[0]).toBeGreaterThan(known);
      expect(cuts.cutsMs?.[0]).toBeLessThanOrEqual(known * (1 + 1 / 16) + 0.001);
    },
  );
});

describe('bins of predictions', () => {
  test('are the tenths of the scores of the sample', () => {
    const bins = new PredictionBins(100);
    expect(bins.ofScore(0.5)).toBeUndefined();
    for (let sample = 0; sample < 100; sample += 1) bins.learn(((sample * 37) % 100) / 100 - 0.5);
    bins.learn(900);
    expect([-7, -0.45, -0.39, 0, 0.49, 8, Infinity].map((score) => bins.ofScore(score))).toEqual([
      0, 0, 1, 4, 9, 9, 9,
    ]);
    expect(bins.ofScore(Number.NaN)).toBeUndefined();
  });

  test('are the classes, and the last one for all beyond', () => {
    const bins = new PredictionBins(100);
    expect([0, 3, 9, 10, 500].map((index) => bins.ofClass(index))).toEqual([0, 3, 9, 9, 9]);
  });
});
