/** Several gateways watched at once: side by side, and judged by what they counted together. */
import { describe, expect, test } from 'vitest';
import { type WatchOptions, watchRollouts } from '../../../cli/rollout/watch-rollouts.ts';
import { Interrupted } from '../../../cli/terminal/interrupt.ts';
import { judgeReport } from '../../../gateway/live/rollouts/judge-report.ts';
import type { RolloutReport, RolloutState } from '../../../gateway/main.ts';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import { mixedHash } from '../../gateway/rollout/simulated-traffic.ts';
import { canary, decided, reportOf, startMs } from './reports.ts';

/** 600 callers, a third of them with the candidate, to every twentieth of whom it fails. */
function seenBy(node: number): RolloutState {
  const judge = new CanaryJudge();
  for (let caller = 0; caller < 600; caller += 1) {
    const arm = caller % 3 === 0 ? 'candidate' : 'stable';
    const failed = arm === 'candidate' ? caller % 60 === 0 : caller === 1;
    judge.record({ arm, share: 1 / 3, keyHash: mixedHash(node * 1000 + caller), failed, nowMs: caller });
  }
  const verdict = judge.judge(1000);
  return { ...canary, judge: judgeReport(verdict, judge.totals, judge.evidence) };
}

type Answers = Readonly<Record<string, readonly (RolloutReport | Error)[]>>;

/** Each gateway gives its answers one after the other, the last one again and again; then a person presses Ctrl-C. */
async function watched(
  answers: Answers,
  options: Partial<WatchOptions> & { readonly rounds?: number } = {},
): Promise<{ readonly out: string; readonly err: string; readonly asked: readonly string[] }> {
  const { rounds = 1, ...others } = options;
  const asked: string[] = [];
  const counts = new Map<string, number>();
  const stop = new AbortController();
  let [out, err, nowMs, waits] = ['', '', startMs, 0];
  const output = { out: (text: string) => (out += text), err: (text: string) => (err += text) };
  await watchRollouts(
    undefined,
    { node: Object.keys(answers), intervalMs: 1000, ...others },
    {
      output,
      nowMs: () => nowMs,
      wait: () => {
        nowMs += 1000;
        waits += 1;
        if (waits > rounds) stop.abort(new Interrupted());
        return Promise.resolve();
      },
      fetch: (input) => {
        const url = input instanceof URL ? input.href : '';
        asked.push(url);
        const node = Object.keys(answers).find((address) => url.startsWith(address)) ?? '';
        const count = counts.get(node) ?? 0;
        counts.set(node, count + 1);
        const own = answers[node] ?? [];
        const answer = own[Math.min(count, own.length - 1)];
        if (answer instanceof Error) return Promise.reject(answer);
        return Promise.resolve(new Response(JSON.stringify(answer)));
      },
      signal: stop.signal,
    },
  );
  return { out, err, asked };
}

const bad = reportOf([seenBy(1)]);
const alsoBad = reportOf([seenBy(2)]);

describe('several gateways', () => {
  test('what none of them can say alone, they say together, in words', async () => {
    expect([bad, alsoBad].map(({ rollouts }) => rollouts[0]?.judge?.verdict)).toEqual(['healthy', 'healthy']);
    const { out, asked } = await watched({ 'http://a:1': [bad], 'http://b:1': [alsoBad] }, { once: true });
    expect(asked).toEqual(['http://a:1/v2/rollouts?evidence=true', 'http://b:1/v2/rollouts?evidence=true']);
    expect(out).toContain('Rollouts at 2 gateways, 2026-11-23 20:30:00');
    expect(out).toMatch(
      /http:\/\/a:1 {2}5%, running, step 2 of 4; healthy: the candidate failed in 10 of 200/,
    );
    expect(out).toContain('what 2 of them counted together:');
    expect(out).toMatch(/candidate 400 requests, 20 failed \(5\.00%\), 400 callers/);
    expect(out).toMatch(
      /judge {5}rollback: the candidate failed in 20 of 400 requests, the stable version in/,
    );
  });

  test('JSON has each of them and what they say together, without the counts behind it', async () => {
    const { out } = await watched(
      { 'http://a:1': [bad], 'http://b:1': [alsoBad] },
      { once: true, json: true },
    );
    const answer = JSON.parse(out) as object;
    expect(answer).toMatchObject({
      nodes: [
        { node: 'http://a:1', rollouts: [{ rollout_id: 'iris:1' }] },
        { node: 'http://b:1', decisions: [] },
      ],
      together: [{ model: 'iris', rollout_id: 'iris:1', nodes: 2, judge: { verdict: 'rollback' } }],
    });
    expect(out).not.toContain('evidence');
  });

  test('there is no verdict where only one of them counted', async () => {
    const gone = reportOf([{ ...canary, phase: 'rolled_back' }]);
    const { out } = await watched({ 'http://a:1': [bad], 'http://b:1': [gone] }, { once: true });
    expect(out).toContain('no verdict: fewer than two of them');
    const spoilt = JSON.parse(
      JSON.stringify(bad).replace('"requests":[', '"requests":[-1,'),
    ) as RolloutReport;
    expect((await watched({ 'http://a:1': [bad], 'http://b:1': [spoilt] }, { once: true })).out).toContain(
      'no verdict: fewer than two of them',
    );
  });

  test('one that falls silent is told once, and the others are shown on', async () => {
    const refused = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
    const { out, err } = await watched(
      { 'http://a:1': [bad], 'http://b:1': [alsoBad, refused] },
      { json: true, rounds: 3 },
    );
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(err)).toMatchObject({ code: 'NODE_UNREACHABLE', node: 'http://b:1' });
    const last = JSON.parse(out.trim().split('\n').at(-1) ?? '') as object;
    expect(last).toMatchObject({ nodes: [{ node: 'http://a:1' }], together: [] });
  });

  test('--until-done waits for all of them, and fails if it failed at one', async () => {
    const complete = reportOf([{ ...canary, phase: 'complete' }], [decided('completed', 'healthy')]);
    const rolledBack = reportOf([{ ...canary, phase: 'rolled_back' }], [decided('rolled_back', 'worse')]);
    const both = (last: RolloutReport): Answers => ({
      'http://a:1': [complete],
      'http://b:1': [bad, bad, last],
    });
    const { asked } = await watched(both(complete), { untilDone: true, rounds: 9 });
    expect(asked).toHaveLength(6);
    await expect(watched(both(rolledBack), { untilDone: true, rounds: 9 })).rejects.toMatchObject({
      code: 'ROLLED_BACK',
    });
  });
});
