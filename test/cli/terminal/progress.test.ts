/** The bar: for a person at a terminal only, never wider than the terminal, gone at the end. */
import { describe, expect, test, vi } from 'vitest';
import { sizeText } from '../../../cli/options/quantity.ts';
import type { Output } from '../../../cli/output.ts';
import { barLine, progressFor } from '../../../cli/terminal/progress.ts';

function recorder(isTerminal: boolean): { readonly output: Output; readonly err: () => string } {
  let err = '';
  const terminal = { askSecret: () => Promise.reject(new Error('not asked')), width: () => 80 };
  return {
    output: {
      out: () => {
        throw new Error('progress does not belong on standard output');
      },
      err: (text) => (err += text),
      ...(isTerminal && { terminal }),
    },
    err: () => err,
  };
}

/** A step that takes a second, with a report every 50 ms. */
function slowStep(output: Output, options: { readonly json?: true }): void {
  vi.useFakeTimers();
  try {
    const bar = progressFor(output, options, 'bytes');
    for (let done = 1; done <= 20; done += 1) {
      vi.advanceTimersByTime(50);
      bar.step('writing', done * 1024 * 1024, 20 * 1024 * 1024);
    }
    bar.end();
  } finally {
    vi.useRealTimers();
  }
}

describe('the bar', () => {
  test('moves at a terminal and is wiped at the end', () => {
    const { output, err } = recorder(true);
    slowStep(output, {});
    expect(err()).toMatch(/writing \[#+ +\] {2}50% {2}10\.0 MiB of 20\.0 MiB/);
    expect(err()).toMatch(/\r +\r$/);
    expect(err()).not.toContain('\n');
  });

  test.each([
    ['without a terminal', false, {}],
    ['with --json', true, { json: true }],
  ] as const)('is silent %s', (_name, isTerminal, options) => {
    const { output, err } = recorder(isTerminal);
    slowStep(output, options);
    expect(err()).toBe('');
  });

  test('does not flash up for a short step', () => {
    const { output, err } = recorder(true);
    const bar = progressFor(output, {}, 'bytes');
    bar.step('writing', 1, 2);
    bar.end();
    expect(err()).toBe('');
  });

  test.each([20, 40, 60, 80, 200])('fits into %d columns', (width) => {
    const state = { label: 'checking files', total: 3_000_000_000, width, count: sizeText };
    for (const done of [0, 1, 1_500_000_000, 3_000_000_000]) {
      expect(barLine({ ...state, done }).length).toBeLessThan(width);
    }
  });

  test('counts when the end is not known', () => {
    expect(barLine({ label: 'checking files', done: 7, total: undefined, width: 80, count: String })).toBe(
      'checking files 7',
    );
  });
});
