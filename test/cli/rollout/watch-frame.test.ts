/** The picture, as text: what stands where, that it always fits, and what gives way in a low window. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RolloutReport, RolloutState } from '../../../gateway/main.ts';
import type { Canvas } from '../../../cli/rollout/rollout-block.ts';
import { type Sight, watchFrame } from '../../../cli/rollout/watch-frame.ts';
import { nothingWatched, watchOn } from '../../../cli/rollout/watched-rollouts.ts';
import { colours, noColours } from '../../../cli/terminal/live-screen.ts';
import { armOf, canary, decided, reportOf, secondStep, shadow, startMs, unplanned } from './reports.ts';

const address = 'http://127.0.0.1:8080';
const canvas: Canvas = { width: 79, paint: noColours, nowMs: startMs + 348_000 };

function sightOf(...reports: readonly RolloutReport[]): Sight {
  return { address, model: undefined, watched: reports.reduce(watchOn, nothingWatched) };
}

function drawn(sight: Sight, rows?: number): string {
  return `\n${watchFrame(sight, canvas, rows).join('\n')}\n`;
}

/** The lines of the one block of a report. */
function block(state: RolloutState): string {
  return `\n${watchFrame(sightOf(reportOf([state])), canvas)
    .slice(2)
    .join('\n')}\n`;
}

const decisions = [
  decided('next_step', 'step 2 of 4; candidate failed 0 of 310 requests, stable failed 9 of 3110 requests'),
  decided('began', '2.0.0 beside 1.0.0'),
];

test('a canary in steps and a shadow on 80 columns', () => {
  expect(drawn(sightOf(reportOf([canary, shadow], decisions)))).toBe(`
Rollouts at http://127.0.0.1:8080, 2026-11-23 20:35:48

iris 1.0.0 -> 2.0.0 (canary)
  state     running
  traffic   [##----------------------------] 5%
  steps     1% > [5%] > 25% > 100%
            step 2 of 4 since 2026-11-23 20:30:00, 4m 12s left
  candidate 1,204 requests, 3 failed (0.25%), 210 callers
  stable    23,110 requests, 61 failed (0.26%)
  judge     healthy: candidate failed 3 of 1204 requests, stable failed 61 of
            23110 requests; nothing shows that it is worse

tulip 1 -> 2 (shadow)
  state     running
  traffic   [######------------------------] 20% copied

Last decisions
  2026-11-23 20:30:00 iris next step: step 2 of 4; candidate failed 0 of 310
                      requests, stable failed 9 of 3110 requests
  2026-11-23 20:30:00 iris began: 2.0.0 beside 1.0.0
`);
});

test('a rollback, with what the candidate is blamed for', () => {
  const judge = {
    verdict: 'rollback',
    reason: 'the candidate crashed 2 times',
    candidate: armOf(1, 1, { crashed: 2, not_finite: 7 }),
    stable: armOf(0, 0),
    candidate_callers: 1,
  } as const;
  expect(block({ ...unplanned, phase: 'rolled_back', traffic_percent: 0, judge })).toBe(`
iris 1.0.0 -> 2.0.0 (canary)
  state     rolled back: 1.0.0 takes all requests again
  traffic   [------------------------------] 0%
  candidate 1 request, 1 failed (100.00%), 7 not finite, 2 crashed, 1 caller
  stable    0 requests, 0 failed
  judge     rollback: the candidate crashed 2 times
`);
});

describe('says what a person can do:', () => {
  const judged = canary.judge === undefined ? {} : { judge: { ...canary.judge, verdict: 'pause' as const } };
  test.each<readonly [string, Partial<RolloutState>, RegExp]>([
    [
      'approve',
      { phase: 'awaiting_approval', step: secondStep },
      /awaiting approval: "tidegate approve iris"/,
    ],
    [
      'no time is left then',
      { phase: 'awaiting_approval', step: secondStep },
      /20:30:00, until it is approved\n/,
    ],
    ['resume', { phase: 'paused' }, /paused: until "tidegate resume iris"/],
    ['the clock of a pause', { phase: 'paused' }, /20:30:00, its clock stands still\n/],
    ['wait for the judge', { phase: 'paused', ...judged }, /paused: by the judge\n/],
    ['promote', { phase: 'complete' }, /complete: "tidegate promote iris" makes 2\.0\.0 live\n/],
    ['name the preview', { phase: 'preview', strategy: 'blue_green' }, /requests that name 2\.0\.0 get it/],
    ['the last step', { phase: 'bake', step: { ...secondStep, number: 4 } }, /step 4 of 4 since [^,]*00\n/],
    ['a hold that is over', { step: { ...secondStep, hold_ms: 1000 } }, /, held; waits for the judge\n/],
    ['a phase of tomorrow', { phase: 'asleep' as 'running' }, /state {5}asleep\n/],
  ])('%s', (_what, changed, text) => {
    expect(block({ ...canary, ...changed })).toMatch(text);
  });
});

test.each([
  [0, '------------------------------'],
  [0.01, '#-----------------------------'],
  [50, '###############---------------'],
  [99.99, '#############################-'],
  [100, '##############################'],
])('the bar of %d %% is empty, full or neither', (percent, bar) => {
  expect(block({ ...canary, traffic_percent: percent })).toContain(`[${bar}] ${percent}%\n`);
});

test('a blue/green on its way: how long until the flip, and what is watched after it', () => {
  const manual = { number: 1, percents: [0], since: new Date(startMs).toISOString() };
  const step = { ...manual, hold_ms: 600_000 };
  const preview: RolloutState = {
    ...{ ...canary, strategy: 'blue_green', phase: 'preview', traffic_percent: 0 },
    step,
  };
  expect(block(preview)).toContain('  since     2026-11-23 20:30:00, 4m 12s left\n');
  expect(block(preview)).not.toContain('step 1 of 1');
  const bake: RolloutState = { ...preview, phase: 'bake', traffic_percent: 100 };
  expect(block(bake)).toContain('state     bake: 2.0.0 takes all requests and is watched, 1.0.0 is kept\n');
  expect(block({ ...preview, step: manual })).toContain('  since     2026-11-23 20:30:00\n');
  const late: RolloutState = { ...preview, step: { ...step, hold_ms: 1000 }, strategy: 'promoted' };
  expect(block(late)).toContain('held; waits for the judge');
});

test('nothing on, a gateway that is silent, and one model only', () => {
  const silent = { sinceMs: startMs, reason: 'connect ECONNREFUSED' };
  expect(drawn({ ...sightOf(reportOf([])), model: 'iris', silent })).toBe(`
Rollouts of iris at http://127.0.0.1:8080, 2026-11-23 20:35:48
no answer since 2026-11-23 20:30:00, trying again (connect ECONNREFUSED)

No rollout of iris is on.
`);
});

test('a rollout that is no longer on stays, with what became of it', () => {
  const after = reportOf([], [decided('superseded', '3.0.0 is the candidate now')]);
  expect(drawn(sightOf(reportOf([canary]), after))).toBe(`
Rollouts at http://127.0.0.1:8080, 2026-11-23 20:35:48

No rollout is on.

iris 1.0.0 -> 2.0.0 (canary)
  outcome   superseded: 3.0.0 is the candidate now

Last decisions
  2026-11-23 20:30:00 iris superseded: 3.0.0 is the candidate now
`);
});

describe('in a low window', () => {
  const sight = sightOf(reportOf([canary, shadow], decisions));

  test('decisions go first, the oldest of them before', () => {
    expect(drawn(sight, 20)).toContain('began');
    expect(drawn(sight, 19)).toContain('next step');
    expect(drawn(sight, 19)).not.toContain('began');
    expect(drawn(sight, 18)).not.toContain('decisions');
    expect(drawn(sight, 15)).toContain('20% copied');
  });

  test('then blocks, and it says how many', () => {
    const low = drawn(sight, 14);
    expect(low).toContain('nothing shows that it is worse');
    expect(low).toMatch(/\nand 1 more: name a model, or make the window higher\n$/);
    expect(low).not.toContain('tulip');
  });
});

test('colours only underline: without them the text is the same', () => {
  const sight = sightOf(reportOf([canary, shadow], decisions));
  const painted = watchFrame(sight, { ...canvas, paint: colours }).join('\n');
  expect(painted).toContain('\u001b[32mhealthy\u001b[39m: candidate');
  expect(painted).toContain('1% > \u001b[1m[5%]\u001b[22m > 25%');
  expect(painted.replace(/\u001b\[\d+m/g, '')).toBe(watchFrame(sight, canvas).join('\n'));
});

test('every line fits, and so do all of them, whatever the window', () => {
  const long = { ...canary, model: 'm'.repeat(100), candidate: 'v'.repeat(64) };
  const reports = [reportOf([canary]), reportOf([long, shadow], decisions)];
  const sizes = fc.record({
    width: fc.integer({ min: 20, max: 200 }),
    rows: fc.integer({ min: 1, max: 60 }),
  });
  fc.assert(
    fc.property(sizes, ({ width, rows }) => {
      const lines = watchFrame(sightOf(...reports), { ...canvas, width }, rows);
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
    }),
  );
});
