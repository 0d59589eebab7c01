/** Watching, with a clock and a gateway moved by hand: what is printed when, what goes on, and how it ends. */
import { describe, expect, test } from 'vitest';
import type { RolloutReport } from '../../../gateway/main.ts';
import { type WatchOptions, watchRollouts } from '../../../cli/rollout/watch-rollouts.ts';
import { Interrupted } from '../../../cli/terminal/interrupt.ts';
import type { Screen } from '../../../cli/output.ts';
import { armOf, canary, decided, reportOf, shadow, startMs } from './reports.ts';

type Answer = RolloutReport | Error | string;

/** One answer for each time the gateway is asked; then a person presses Ctrl-C. */
class PuppetWorld {
  out = '';
  err = '';
  /** What was on standard output after each time it was waited. */
  readonly seen: string[] = [];
  asked = 0;
  #nowMs = startMs;
  readonly #answers: readonly Answer[];
  readonly #stop = new AbortController();

  constructor(answers: readonly Answer[]) {
    this.#answers = answers;
  }

  watch(
    options: Partial<WatchOptions> & { readonly model?: string; readonly screen?: Screen } = {},
    isRead: () => boolean = () => true,
  ): Promise<void> {
    const { model, screen, ...others } = options;
    const output = {
      out: (text: string) => (this.out += text),
      err: (text: string) => (this.err += text),
      isRead,
      ...(screen !== undefined && { screen }),
    };
    return watchRollouts(
      model,
      { node: ['http://node:8080'], intervalMs: 1000, ...others },
      {
        output,
        nowMs: () => this.#nowMs,
        wait: (ms) => this.#wait(ms),
        fetch: () => this.#fetch(),
        signal: this.#stop.signal,
      },
    );
  }

  #wait(ms: number): Promise<void> {
    this.seen.push(this.out);
    this.#nowMs += ms;
    if (this.asked >= this.#answers.length) this.#stop.abort(new Interrupted());
    return Promise.resolve();
  }

  #fetch(): Promise<Response> {
    const answer = this.#answers[this.asked];
    this.asked += 1;
    if (answer instanceof Error) return Promise.reject(answer);
    return Promise.resolve(new Response(typeof answer === 'string' ? answer : JSON.stringify(answer)));
  }
}

const refused = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
const on = reportOf([canary]);
const complete = reportOf([{ ...canary, phase: 'complete' }], [decided('completed', 'healthy')]);
const rolledBack = reportOf([{ ...canary, phase: 'rolled_back' }], [decided('rolled_back', 'worse')]);

/** The same rollout after more requests. */
const counted = reportOf(
  canary.judge === undefined ? [] : [{ ...canary, judge: { ...canary.judge, stable: armOf(99_999, 61) } }],
);

describe('without a terminal', () => {
  test('prints a block per change, none for counts alone, and no control characters', async () => {
    const world = new PuppetWorld([on, counted, reportOf([{ ...canary, phase: 'paused' }])]);
    await world.watch();
    const blocks = world.out.split('\n\nRollouts at');
    expect(blocks).toHaveLength(2);
    expect(blocks[0]).toContain('state     running');
    expect(blocks[1]).toContain('state     paused');
    expect(world.out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  test('tells once that the gateway is silent, goes on, and tells when it is back', async () => {
    const world = new PuppetWorld([on, refused, refused, '<html>', '{}', on]);
    await world.watch();
    expect(
      world.out.match(/no answer since 2026-11-23 20:30:01, trying again \(connect ECONN/g),
    ).toHaveLength(1);
    expect(world.out.match(/^Rollouts at/gm)).toHaveLength(3);
    expect(world.asked).toBe(6);
  });

  test('stops when nobody reads any more', async () => {
    const world = new PuppetWorld([on, on, on]);
    await world.watch({}, () => false);
    expect(world.asked).toBe(1);
  });
});

describe('at a terminal', () => {
  const screen: Screen = { columns: () => 70, rows: () => 30, hasColours: false };

  test('draws over the last frame, each second, and leaves the terminal as it was', async () => {
    const world = new PuppetWorld([on, complete]);
    await world.watch({ screen, intervalMs: 2500 });
    const frames = world.out.split('\u001b[H');
    expect(frames[0]).toBe('\u001b[?1049h\u001b[?25l');
    // Drawn on the way at 1 s and 2 s, so that the time that is left moves.
    expect(world.seen).toHaveLength(4);
    expect(frames[1]).toContain('10m 0s left');
    expect(frames[2]).toContain('9m 59s left');
    expect(frames[4]).toContain('complete');
    expect(world.out).toMatch(/\u001b\[\?25h\u001b\[\?1049l[^\u001b]+complete[^\u001b]+\n$/);
    for (const frame of frames.slice(1, -1)) expect(frame).not.toMatch(/[^\r]\n/);
  });

  test('leaves the terminal as it was also when something breaks', async () => {
    const world = new PuppetWorld([on, on]);
    let rows = 0;
    const broken: Screen = {
      ...screen,
      rows: () => {
        rows += 1;
        if (rows > 1) throw new RangeError('no size');
        return 30;
      },
    };
    await expect(world.watch({ screen: broken })).rejects.toThrow(RangeError);
    expect(world.out).toContain('\u001b[?25h\u001b[?1049l');
  });

  test('paints only where colours are wanted', async () => {
    const [plain, painted] = [new PuppetWorld([on]), new PuppetWorld([on])];
    await plain.watch({ screen });
    await painted.watch({ screen: { ...screen, hasColours: true } });
    expect(plain.out).not.toContain('\u001b[32m');
    expect(painted.out).toContain('\u001b[32mhealthy');
  });
});

describe('as JSON', () => {
  test('a line for each report that differs; silence is told on the other side', async () => {
    const world = new PuppetWorld([on, on, counted, refused, refused, counted, reportOf([])]);
    await world.watch({ json: true });
    const lines = world.out.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([on, counted, reportOf([])]);
    expect(JSON.parse(world.err)).toMatchObject({ code: 'NODE_UNREACHABLE' });
  });

  test('with --once one value, of one model if it is named', async () => {
    const world = new PuppetWorld([reportOf([canary, shadow], [decided('began', '', shadow)])]);
    await world.watch({ json: true, once: true, model: 'tulip' });
    expect(JSON.parse(world.out)).toEqual(reportOf([shadow], [decided('began', '', shadow)]));
  });
});

describe('--until-done', () => {
  test('ends well when the rollout is complete, and shows it', async () => {
    const world = new PuppetWorld([on, refused, complete, on]);
    await world.watch({ untilDone: true });
    expect(world.asked).toBe(3);
    expect(world.out).toContain('"tidegate promote iris" makes 2.0.0 live');
  });

  test.each([
    ['ROLLED_BACK', rolledBack, /iris to 2\.0\.0 did not complete. It is rolled back: worse\.$/],
    ['NOT_COMPLETED', reportOf([], [decided('ended', 'the store says so')]), /ended: the store says so\.$/],
  ])('fails with %s when it was not', async (code, last, message) => {
    const watching = new PuppetWorld([on, last]).watch({ untilDone: true });
    await expect(watching).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    });
  });

  test('waits for a rollout to begin, and is no success when a person stops it', async () => {
    const world = new PuppetWorld([reportOf([]), reportOf([]), on]);
    await expect(world.watch({ untilDone: true }, () => false)).rejects.toThrow(Interrupted);
    expect(world.asked).toBe(3);
  });
});

describe('at first the address may be wrong:', () => {
  test.each([
    ['nothing answers', refused, 'NODE_UNREACHABLE', /http:\/\/node:8080 \(connect ECONNREFUSED\)\. Is it/],
    ['no JSON comes', '<html>', 'NODE_UNREACHABLE', /No gateway answers/],
    ['another server answers', '{"rollouts": 1}', 'NODE_UNKNOWN', /does not tell of rollouts/],
    ['an older one', '{"code": "NOT_FOUND"}', 'NODE_UNKNOWN', /as new as this program/],
    ['a rollout without a model', '{"rollouts": [{}], "decisions": []}', 'NODE_UNKNOWN', /not tell/],
  ])('%s', async (_what, answer, code, message) => {
    const world = new PuppetWorld([answer]);
    await expect(world.watch()).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    });
    expect(world.out).toBe('');
  });
});

test('what a gateway says cannot move the cursor', async () => {
  const nasty = { ...canary, model: 'iris\u001b[2J', candidate: '2\u202e.0\n.0\u009b1m' };
  const world = new PuppetWorld([reportOf([nasty])]);
  await world.watch({ once: true });
  expect(world.out).toContain('iris [2J 1.0.0 -> 2 .0 .0 1m');
});
