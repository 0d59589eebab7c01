/**
 * Two versions that take turns under load: no request fails, and each answer is that of a version which was live at some
 * time between the request and its answer. `TIDEGATE_FLIPS=1000` is the long form.
 */
import { afterEach, expect, test } from 'vitest';
import { collectGarbage } from './collect-garbage.ts';
import { eventually } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';

const flips = Number(process.env['TIDEGATE_FLIPS'] ?? 100);
const callers = 8;
/** Bytes that may be left behind by all flips together, beyond what the first tenth of them left. */
const growthBytesMax = 8 * 1024 * 1024;

let under: GatewayUnderTest;
afterEach(() => under.close());

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test(`${flips} flips cost no request, and no answer comes from a version that was not live`, async () => {
  const files = { '1.0.0': demoModel('iris-1.0.0'), '2.0.0': demoModel('iris-2.0.0') };
  under = await startTestGateway({ models: [{ name: 'iris', version: '1.0.0', file: files['1.0.0'] }] });
  under.store.publish('iris', '2.0.0', files['2.0.0']);
  /** Which version was live after so many changes, as the log tells in the turn of the swap. */
  const lives = (): readonly string[] =>
    under.log.flatMap(({ msg, version }) => (msg === 'live version changed' ? [String(version)] : []));

  let isOver = false;
  let answered = 0;
  const wrong: unknown[] = [];
  const call = async (): Promise<void> => {
    while (!isOver) {
      const before = lives().length;
      const response = await fetch(`${under.url}/predict/iris`, {
        method: 'POST',
        body: '{"features": [[5.1, 3.5, 1.4, 0.2]]}',
      });
      const body = (await response.json()) as { readonly model_version?: string };
      const possible = lives().slice(before - 1);
      answered += 1;
      const isRight = response.status === 200 && possible.includes(body.model_version ?? '');
      if (!isRight) wrong.push({ status: response.status, body, possible });
    }
  };
  const work = Array.from({ length: callers }, call);
  let usedEarly = 0;
  for (let flip = 1; flip <= flips; flip += 1) {
    const before = lives().length;
    const answeredBefore = answered;
    under.store.deploy('iris', flip % 2 === 0 ? '1.0.0' : '2.0.0');
    await eventually(() => lives().length > before, 'the flip', 20_000);
    await eventually(() => answered > answeredBefore + callers, 'answers between two flips');
    if (flip === Math.ceil(flips / 10)) usedEarly = usedBytes();
  }
  isOver = true;
  await Promise.all(work);
  expect(wrong.slice(0, 3)).toEqual([]);
  expect(new Set(lives())).toEqual(new Set(['1.0.0', '2.0.0']));
  const grownBytes = usedBytes() - usedEarly;
  console.log(
    `${flips} flips, ${answered} answers, ${(grownBytes / 2 ** 20).toFixed(1)} MiB more than after a tenth`,
  );
  // The log that this test keeps, and every answer of it, is part of that.
  expect(grownBytes).toBeLessThan(growthBytesMax);
  expect((await under.metrics()).sum('tidegate_inflight_requests')).toBe(0);
}, 600_000);
