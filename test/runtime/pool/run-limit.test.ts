/** How long a run may take before its thread counts as hanging. */
import { expect, it } from 'vitest';
import { runLimitMs } from '../../../runtime/pool/run-limit.ts';

const rows = (count: number): { inputs: { shape: number[]; pieces: [] }[] } => ({
  inputs: [{ shape: [count, 4], pieces: [] }],
});
const costs = [
  { rows: 1, us: 2_000 },
  { rows: 64, us: 64_000 },
];

it.each([
  { what: 'what is general, where nothing was measured', run: rows(1000), costs: [], limitMs: 10_000 },
  { what: 'what is general, for a quick model', run: rows(1), costs: [{ rows: 1, us: 50 }], limitMs: 10_000 },
  {
    what: 'fifty times the largest size that was measured',
    run: rows(1),
    costs,
    runMsMax: 100,
    limitMs: 3200,
  },
  { what: 'in proportion beyond that', run: rows(640), costs, runMsMax: 100, limitMs: 32_000 },
  {
    what: 'what one run costs, for a model without rows',
    run: { inputs: [{ shape: [], strings: ['a'] }] },
    costs: [{ rows: 1, us: 1e6 }],
    limitMs: 50_000,
  },
  { what: 'less than others where that is signed', run: rows(1), costs: [], signedMsMax: 500, limitMs: 500 },
  { what: 'what is signed and not what was measured', run: rows(640), costs, signedMsMax: 500, limitMs: 500 },
  { what: 'longer than others where that is signed', run: rows(1), costs, signedMsMax: 9e5, limitMs: 9e5 },
])('a run may take $what', ({ run, costs: measured, runMsMax = 10_000, signedMsMax, limitMs }) => {
  expect(runLimitMs(run, { costs: measured, runMsMax, signedMsMax })).toBe(limitMs);
});
