/**
 * Threads killed at random, running, starting or loading, while callers of every kind keep asking and versions come and
 * go: each request is answered once, with its own rows or a declared code, and at the end all is as it was. A few kills as
 * a rule; TIDEGATE_KILLS=200 for the long form, which takes about half an hour.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Form } from './callers.ts';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { ModelThreads } from './model-threads.ts';
import { rowModel } from '../runtime/pool/row-models.ts';
import { tensorOf } from './tensor.ts';

const kills = Number(process.env['TIDEGATE_KILLS'] ?? 10);
/** With a pause that doubles up to ten seconds a thread is back after at most this long, on a busy machine too. */
const killMsMax = 40_000;
const declared = ['WORKER_LOST', 'MODEL_NOT_READY'];

let threads: ModelThreads;
let under: GatewayUnderTest;
beforeEach(() => {
  threads = new ModelThreads();
});
afterEach(async () => {
  await under.close();
  threads.restore();
});

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(
  'every request is answered once, whatever happens to the threads',
  async () => {
    const seed = Date.now() % 2 ** 31;
    console.log(`seed ${seed}, ${kills} kills`);
    const random = chance(seed);
    under = await startTestGateway({
      models: [{ name: 'row', version: '1.0.0', file: rowModel() }],
      threads: 2,
      inlineRunUsMax: 0,
      // Killed from outside, so that no version is to blame.
      limits: { threadLossesMax: 0 },
    });
    under.store.publish('row', '2.0.0', rowModel(4));
    const forms: Form[] = ['oip-json', 'oip-msgpack', 'predict-json', 'stream-msgpack'];
    const count = { asked: 0, answered: 0, refused: 0 };
    const wrong: unknown[] = [];
    const work: { goesOn: boolean } = { goesOn: true };
    const done = forms.flatMap((form) => {
      const caller = under.caller(form);
      return Array.from({ length: form === 'stream-msgpack' ? 8 : 1 }, async () => {
        while (work.goesOn) {
          const number = ++count.asked;
          const inputs = [tensorOf({ name: 'x', datatype: 'FP32', shape: [1, 1] }, [number])];
          const outcome = await caller.call({ model: 'row', inputs });
          if (outcome.kind === 'error') {
            count.refused += 1;
            if (!declared.includes(outcome.code)) wrong.push(outcome);
          } else {
            count.answered += 1;
            if (outcome.outputs[0]?.data[0] !== number) wrong.push(outcome);
          }
        }
      });
    });
    for (let kill = 0; kill < kills; kill++) {
      await eventually(() => threads.alive > 0, `a thread before kill ${kill}`, killMsMax);
      await new Promise((resolve) => setTimeout(resolve, random() * 200));
      await threads.killOne(random());
      if (kill % 4 === 3) under.store.deploy('row', random() < 0.5 ? '1.0.0' : '2.0.0');
    }
    const before = count.answered;
    await eventually(() => count.answered > before + 100, 'work after the last kill', killMsMax);
    work.goesOn = false;
    await Promise.all(done);
    expect(wrong).toEqual([]);
    expect(count.answered + count.refused).toBe(count.asked);
    const idle = async (): Promise<boolean> =>
      (await under.metrics()).sum('tidegate_threads', { state: 'idle' }) === 2;
    await eventually(idle, 'every thread to be back', killMsMax);
    const metrics = await under.metrics();
    expect(metrics.sum('tidegate_requests_total', { model: 'row' })).toBe(count.asked);
    expect(metrics.sum('tidegate_inflight_requests')).toBe(0);
    expect(threads.alive).toBe(2);
  },
  120_000 + kills * killMsMax,
);
