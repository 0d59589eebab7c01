/** The report for programs. The shape is stable: `format` grows when a field changes its meaning or goes. */
import { countVerdicts } from '../run-checks.ts';
import type { RunReport } from './run-report.ts';

export function jsonReport({ results, isInterrupted, ...about }: RunReport): string {
  const checks = results.map(({ verdict, ...check }) => {
    const { kind, ...details } = verdict;
    return { ...check, outcome: kind, ...details };
  });
  const report = { format: 1, ...about, interrupted: isInterrupted, counts: countVerdicts(results), checks };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
