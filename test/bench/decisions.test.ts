/** The decisions at their smallest: what they print must be there for every alternative. What they time is for a quiet machine. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const command = fileURLToPath(new URL('../../dist/bench/decisions.js', import.meta.url));

function decide(...args: readonly string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], { encoding: 'utf8' });
  return { status, out: stdout, err: stderr };
}

/** A bound, not a measurement: four processes load the runtime. */
const patience = { timeout: 120_000 };

test('one decision is measured alone, each alternative beside the first', patience, () => {
  const { status, out, err } = decide('1', '0.1', '--tiny', '--only', 'intra-op-mlp-16');
  expect({ status, err }).toMatchObject({ status: 0 });
  const rows = out.split('\n').filter((line) => line.includes('mlp, 16 rows'));
  const [one = '', two = '', loops = ''] = rows;
  expect(rows).toHaveLength(3);
  // Rate, and 1.00 of itself.
  expect(one).toMatch(/in a loop\s+1\s+[\d,.]+ .*\b1\.00\b/);
  expect(two).toMatch(/in a loop\s+2\s+[\d,.]+ .*\b\d+\.\d\d\b/);
  expect(loops).toMatch(/in a loop\s+1, in two loops\s+[\d,.]+ .*\b\d+\.\d\d\b/);
});

test('a decision that there is not is answered with those that there are', () => {
  const { status, err } = decide('1', '0.1', '--tiny', '--only', 'cuda');
  expect(status).toBe(1);
  expect(err).toMatch(/No decision is called cuda; there are atomics-iris, .*, intra-op-mobilenet-1\./);
});
