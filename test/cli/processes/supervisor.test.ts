/** Which processes are started, told and ended, with processes moved by hand. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RestartDelay } from '../../../cli/processes/restart-delay.ts';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import type { JudgeCounts } from '../../../gateway/rollout/judge-counts.ts';
import { MetricsPage } from '../../../gateway/telemetry/metrics-page.ts';
import { begun, type PuppetProcess, setUp } from './puppet-process.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('at the start', () => {
  test('the others are started when the first one serves', async () => {
    const { supervisor, all } = setUp(3);
    const beginning = supervisor.begin();
    expect(all).toHaveLength(1);
    await all[0]?.ready();
    expect(all.map(({ slot }) => slot)).toEqual([0, 1, 2]);
    await all[1]?.ready();
    await all[2]?.ready();
    expect(await beginning).toEqual({ welcome: 'welcome from 0' });
  });

  test('a first one that ends is the end, with its code', async () => {
    const { supervisor, all } = setUp(3);
    const beginning = supervisor.begin();
    await all[0]?.exit(2);
    expect(await beginning).toEqual({ code: 2 });
    await vi.advanceTimersByTimeAsync(100_000);
    expect(all).toHaveLength(1);
  });
});

describe('a process that ends by itself', () => {
  test('is replaced in its place, later each time', async () => {
    const { all, alive } = await begun(2);
    let waitedMs = 0;
    for (let turn = 0; turn < 4; turn++) {
      await all.at(-1)?.exit(1);
      const before = all.length;
      while (all.length === before) {
        await vi.advanceTimersByTimeAsync(10);
        waitedMs += 10;
      }
      await all.at(-1)?.ready();
    }
    expect(waitedMs).toBe(100 + 200 + 400 + 800);
    expect(alive().map(({ slot }) => slot)).toEqual([0, 1]);
  });

  test('that never comes up is tried again and again', async () => {
    const { all } = await begun(2);
    await all[1]?.exit(1);
    for (let turn = 0; turn < 3; turn++) {
      await vi.advanceTimersByTimeAsync(30_000);
      await all.at(-1)?.exit(1);
    }
    expect(all).toHaveLength(5);
  });

  test('waits no longer than half a minute, and hardly after a good life', () => {
    const delay = new RestartDelay();
    const waits = Array.from({ length: 12 }, () => delay.after(10));
    expect(waits.slice(0, 3)).toEqual([100, 200, 400]);
    expect(waits.at(-1)).toBe(30_000);
    expect(delay.after(60_000)).toBe(100);
  });
});

describe('a process that hangs', () => {
  test('is killed after so long a silence, and another one started in its place', async () => {
    const { all, alive } = await begun(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(alive().map(({ pid }) => pid)).toEqual([1, 2]);
    if (all[1] !== undefined) all[1].hangs = true;
    await vi.advanceTimersByTimeAsync(8900);
    expect(alive()).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2000);
    expect(alive().map(({ pid, slot }) => [pid, slot])).toEqual([
      [1, 0],
      [3, 1],
    ]);
  });

  test('is not looked for among those that only start', async () => {
    const { supervisor, all, alive } = setUp(2);
    const beginning = supervisor.begin();
    if (all[0] !== undefined) all[0].hangs = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(alive()).toHaveLength(1);
    supervisor.stopNow();
    await beginning;
  });

  test('is killed soon after the grace period when all are to end', async () => {
    const { supervisor, all, alive } = await begun(2);
    const stopping = supervisor.stop();
    await all[0]?.exit(0);
    await vi.advanceTimersByTimeAsync(14_900);
    expect(alive()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(await stopping).toBe(1);
  });
});

describe('when all are to be replaced', () => {
  test('each one leaves when another one serves, one after the other', async () => {
    const { supervisor, all, alive } = await begun(2);
    const rolling = supervisor.roll();
    expect(all.map(({ slot }) => slot)).toEqual([0, 1, 2]);
    expect(all[0]?.toldKinds).toEqual([]);
    await all[2]?.ready();
    expect(all[0]?.toldKinds).toEqual(['retire']);
    expect(all).toHaveLength(3);
    await all[0]?.exit(0);
    expect(all[3]?.slot).toBe(0);
    await all[3]?.ready();
    expect(all[1]?.toldKinds).toEqual(['retire']);
    await all[1]?.exit(0);
    await rolling;
    expect(alive().map(({ pid }) => pid)).toEqual([3, 4]);
  });

  test.each([
    ['does not serve everything', (process: PuppetProcess) => process.ready(false)],
    ['ends', (process: PuppetProcess) => process.exit(1)],
    ['does not come up in time', () => vi.advanceTimersByTimeAsync(120_000).then(() => undefined)],
  ])('the old ones go on if the new one %s', async (_, fails) => {
    const { supervisor, all } = await begun(2);
    const rolling = supervisor.roll();
    const [, , replacement] = all;
    if (replacement === undefined) throw new Error('a replacement is started');
    await fails(replacement);
    if (replacement.isAlive) {
      expect(replacement.toldKinds).toEqual(['retire']);
      await replacement.exit(0);
    }
    await rolling;
    await vi.advanceTimersByTimeAsync(100_000);
    expect(all.map(({ isAlive }) => isAlive)).toEqual([true, true, false]);
    expect([all[0]?.toldKinds, all[1]?.toldKinds]).toEqual([[], []]);
  });

  test('and told again meanwhile, it is done once more', async () => {
    const { supervisor, all } = await begun(2);
    const rolling = supervisor.roll();
    void supervisor.roll();
    for (let turn = 0; turn < 4; turn++) {
      await all.at(-1)?.ready();
      await all[turn]?.exit(0);
    }
    await rolling;
    expect(all).toHaveLength(6);
  });
});

describe('at the end', () => {
  test.each([
    [[0, 0], 0],
    [[0, 1], 1],
    [[undefined, 0], 1],
  ] as const)('all are told, and codes %j make %s', async (codes, expected) => {
    const { supervisor, all } = await begun(2);
    const stopping = supervisor.stop();
    expect(all.map(({ toldKinds }) => toldKinds)).toEqual([['stop'], ['stop']]);
    for (const [index, code] of codes.entries()) await all[index]?.exit(code);
    expect(await stopping).toBe(expected);
    await vi.advanceTimersByTimeAsync(100_000);
    expect(all).toHaveLength(2);
  });

  test('nothing is started any more that was to be', async () => {
    const { supervisor, all } = await begun(2);
    await all[1]?.exit(1);
    const stopping = supervisor.stop();
    await all[0]?.exit(0);
    await stopping;
    await vi.advanceTimersByTimeAsync(100_000);
    expect(all).toHaveLength(2);
    supervisor.stopNow();
  });
});

test('what one process went back from all the others go back from, also those that come later', async () => {
  const { all } = await begun(3);
  await all[1]?.says({ kind: 'rolledBack', rolloutId: 'r1', reason: 'worse' });
  await all[2]?.says({ kind: 'rolledBack', rolloutId: 'r1', reason: 'worse' });
  const goBack = { kind: 'goBack', rolloutId: 'r1', reason: 'worse' };
  expect(all.map(({ told }) => told)).toEqual([[goBack], [], [goBack]]);
  await all[0]?.exit(1);
  await vi.advanceTimersByTimeAsync(100);
  await all[3]?.ready();
  expect(all[3]?.told).toEqual([goBack]);
});

describe('metrics', () => {
  async function listOf(requests: number): Promise<Awaited<ReturnType<MetricsPage['own']>>> {
    const page = new MetricsPage();
    const metrics = page.version('iris', '1');
    for (let index = 0; index < requests; index++) {
      metrics.outcomes.count('oip-json', 'OK');
      metrics.requestSeconds.record(0.001);
    }
    page.gauge({ name: 'size', help: 'A gauge.', read: () => [{ labels: {}, value: requests }] });
    const least = (): Iterable<{ labels: object; value: number }> => [{ labels: {}, value: requests }];
    page.gauge({ name: 'least', help: 'Another.', read: least as never, acrossProcesses: 'min' });
    return page.own();
  }

  test('are added over all processes, and what ended ones counted stays', async () => {
    const { all } = await begun(3);
    const page = new MetricsPage(async () => {
      void all[0]?.says({ kind: 'others', ticket: 7, own: [] });
      for (const [index, requests] of [
        [1, 10],
        [2, 100],
      ] as const) {
        const process = all[index];
        const asked = process?.told.findLast(({ kind }) => kind === 'ask');
        if (asked?.kind !== 'ask' || process?.isAlive !== true) continue;
        await process.says({ kind: 'own', ticket: asked.ticket, list: await listOf(requests) });
      }
      await vi.advanceTimersByTimeAsync(2000);
      const answer = all[0]?.told.findLast(({ kind }) => kind === 'others');
      return answer?.kind === 'others' ? answer.lists : [];
    });
    page.version('iris', '1').outcomes.count('oip-json', 'OK');
    page.gauge({
      name: 'least',
      help: 'Another.',
      read: () => [{ labels: {}, value: 5 }],
      acrossProcesses: 'min',
    });
    const total = async (): Promise<readonly (string | undefined)[]> => {
      const text = await page.render();
      return [
        /^tidegate_requests_total\{[^}]*\} (\d+)$/m,
        /^tidegate_request_seconds_count\{[^}]*\} (\d+)$/m,
        /^tidegate_request_seconds_bucket\{[^}]*le="\+Inf"\} (\d+)$/m,
        /^size (\d+)$/m,
        /^least (\d+)$/m,
      ].map((pattern) => pattern.exec(text)?.[1]);
    };
    expect(await total()).toEqual(['111', '110', '110', '110', '5']);
    await all[2]?.says({ kind: 'last', list: await listOf(103) });
    await all[2]?.exit(0);
    // What it counted last stays, what it was does not.
    expect(await total()).toEqual(['114', '113', '113', '10', '5']);
  });
});

describe('rollouts', () => {
  /** `failed` of 300 callers of each version. */
  function counts(failed: number): JudgeCounts {
    const judge = new CanaryJudge();
    for (let caller = 0; caller < 600; caller += 1) {
      const arm = caller % 2 === 0 ? 'candidate' : 'stable';
      judge.record({ arm, share: 0.5, keyHash: caller, failed: arm === 'candidate' && caller < 2 * failed });
    }
    return judge.evidence.counts;
  }

  function requestsOf(process: PuppetProcess | undefined): readonly number[] | undefined {
    const answer = process?.told.findLast(({ kind }) => kind === 'othersCounted');
    return answer?.kind === 'othersCounted' ? answer.rollouts[0]?.counts?.requests : undefined;
  }

  test('each process hears what the others counted, also those that ended, each number once', async () => {
    const { supervisor, all } = await begun(3);
    const says = (index: number, failed: number, rolloutId = 'iris'): Promise<void> | undefined =>
      all[index]?.says({ kind: 'counted', rollouts: [{ rolloutId, counts: counts(failed) }] });
    await says(0, 1);
    expect(requestsOf(all[0])).toBeUndefined();
    await says(1, 2);
    await says(2, 3, 'tulip');
    expect(requestsOf(all[1])).toEqual([300, 300]);
    expect(requestsOf(all[2])).toBeUndefined();
    await says(2, 3);
    expect(requestsOf(all[2])).toEqual([600, 600]);
    // One that ended counts until the next with its number tells, which goes on from its counts.
    await all[1]?.exit(1);
    await says(2, 3);
    expect(requestsOf(all[2])).toEqual([600, 600]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(all[3]?.slot).toBe(1);
    await all[3]?.ready();
    await says(3, 2);
    await says(2, 3);
    expect(requestsOf(all[2])).toEqual([600, 600]);
    supervisor.stopNow();
  });

  test('one of those that serve decides, and another one when it is gone', async () => {
    const { supervisor, all } = await begun(3);
    const leading = (): readonly number[] =>
      all.filter(({ isAlive, isLeading }) => isAlive && isLeading).map(({ pid }) => pid);
    expect(leading()).toEqual([1]);
    await all[1]?.exit(1);
    expect(leading()).toEqual([1]);
    await all[0]?.exit(1);
    expect(leading()).toEqual([3]);
    void supervisor.roll();
    await vi.advanceTimersByTimeAsync(1000);
    for (const process of all.slice(3)) await process.ready();
    await vi.advanceTimersByTimeAsync(1000);
    expect(leading()).toHaveLength(1);
    supervisor.stopNow();
  });

  test('where the one that decides went on to, all others go, also those that come later', async () => {
    const { supervisor, all } = await begun(2);
    const decision = {
      at: '',
      model: 'iris',
      rollout_id: 'r',
      decision: 'next_step',
      reason: 'fine',
    } as const;
    const step = {
      model: 'iris',
      rolloutId: 'r',
      state: { step: 1, sinceMs: 5 },
      decisions: [decision],
    };
    await all[0]?.says({ kind: 'wentOn', step });
    expect(all.map(({ toldKinds }) => toldKinds)).toEqual([[], ['follow']]);
    expect(all[1]?.told[0]).toEqual({ kind: 'follow', step });
    await all[1]?.exit(1);
    await vi.advanceTimersByTimeAsync(1000);
    await all[2]?.ready();
    expect(all[2]?.told[0]).toEqual({ kind: 'follow', step: { ...step, decisions: [] } });
    supervisor.stopNow();
  });
});
