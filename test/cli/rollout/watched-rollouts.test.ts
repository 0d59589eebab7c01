/** What became of a rollout, told from one report to the next. */
import { describe, expect, test } from 'vitest';
import type { RolloutDecision, RolloutReport, RolloutState } from '../../../gateway/main.ts';
import {
  doneRollouts,
  type Fate,
  nothingWatched,
  watchOn,
  type Watched,
} from '../../../cli/rollout/watched-rollouts.ts';
import { canary, decided, reportOf, shadow } from './reports.ts';

function watch(...reports: readonly RolloutReport[]): Watched {
  return reports.reduce(watchOn, nothingWatched);
}

function fatesOf(watched: Watched): readonly (readonly [string, Fate])[] | undefined {
  return doneRollouts(watched)?.map(({ state, fate }) => [state.model, fate]);
}

const on = reportOf([canary]);
const complete: RolloutState = { ...canary, phase: 'complete' };
const rolledBack: RolloutState = { ...canary, phase: 'rolled_back' };

describe('one that is no longer on', () => {
  // The newest decision first, as the gateway tells them.
  const completed = decided('completed', 'healthy');
  const ended = decided('ended', 'the store says so');
  test.each<readonly [Fate, string, readonly RolloutDecision[]]>([
    ['gone', 'without a word', [decided('next_step', '')]],
    ['ended', 'in the middle', [ended, decided('next_step', '')]],
    ['completed', 'promoted early', [decided('promoted', '2.0.0 is live'), decided('next_step', '')]],
    ['completed', 'promoted when it was complete', [decided('promoted', '2.0.0 is live'), completed]],
    ['ended', 'withdrawn when it was complete', [ended, completed]],
    ['rolled_back', 'after it was complete', [decided('rolled_back', 'worse'), completed]],
    ['superseded', 'for another', [decided('superseded', '3.0.0'), decided('began', '')]],
    ['gone', 'while another one ended', [decided('ended', '', shadow)]],
  ])('%s, %s', (fate, _how, decisions) => {
    const watched = watch(on, reportOf([], decisions));
    expect(watched.ended).toMatchObject([{ state: canary, fate }]);
    expect(fatesOf(watched)).toEqual([['iris', fate]]);
    // It stays told, whatever else comes.
    expect(watchOn(watched, reportOf([shadow])).ended).toEqual(watched.ended);
  });

  test('is on again when it comes back', () => {
    const watched = watch(on, reportOf([]), on);
    expect(watched.ended).toEqual([]);
    expect(fatesOf(watched)).toBeUndefined();
  });
});

describe('what is waited for', () => {
  test('is done when it went through its steps or back, with the reason', () => {
    expect(fatesOf(watch(on))).toBeUndefined();
    expect(doneRollouts(watch(on, reportOf([complete], [decided('completed', 'held long enough')])))).toEqual(
      [{ state: complete, fate: 'completed', reason: 'held long enough' }],
    );
    expect(doneRollouts(watch(reportOf([rolledBack], [decided('rolled_back', 'worse')])))).toEqual([
      { state: rolledBack, fate: 'rolled_back', reason: 'worse' },
    ]);
  });

  test('is every rollout that was on at first, and none that began later', () => {
    const both = reportOf([canary, shadow]);
    expect(fatesOf(watch(both, reportOf([complete, shadow])))).toBeUndefined();
    expect(fatesOf(watch(both, reportOf([complete])))).toEqual([
      ['iris', 'completed'],
      ['tulip', 'gone'],
    ]);
    expect(fatesOf(watch(on, reportOf([complete, shadow])))).toEqual([['iris', 'completed']]);
  });

  test('is the first that begins when none was on', () => {
    expect(fatesOf(watch(reportOf([]), reportOf([])))).toBeUndefined();
    expect(fatesOf(watch(reportOf([]), on, reportOf([complete])))).toEqual([['iris', 'completed']]);
  });

  test('is not forgotten, however many others end meanwhile', () => {
    const others = Array.from({ length: 60 }, (_, index) =>
      reportOf([
        { ...shadow, rollout_id: `tulip:${index}` },
        { ...canary, rollout_id: 'aster:1' },
      ]),
    );
    const first = reportOf([canary, { ...canary, rollout_id: 'aster:1' }]);
    const watched = watch(first, ...others);
    expect(watched.ended.length).toBeLessThan(30);
    expect(fatesOf(watchOn(watched, reportOf([])))).toHaveLength(2);
  });
});
