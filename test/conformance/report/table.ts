/** The report for people: one line for each check, below it what is wrong, and at the end the sums. */
import { levels } from '../check.ts';
import { type CheckResult, type Counts, countVerdicts } from '../run-checks.ts';
import type { RunReport } from './run-report.ts';

const words = { passed: 'pass', failed: 'FAIL', skipped: 'skip' } as const;
const idColumns = 32;

/** Several lines where there is something to explain. */
export function resultLines({ id, title, verdict, clause }: CheckResult): readonly string[] {
  const line = `${words[verdict.kind]}  ${id.padEnd(idColumns)}  ${title}`;
  switch (verdict.kind) {
    case 'passed':
      return [line];
    case 'skipped':
      return [line, `        because   ${verdict.reason}`];
    case 'failed':
      return [
        line,
        `        sent      ${verdict.sent}`,
        `        expected  ${verdict.expected}`,
        `        clause    ${clause}`,
        `        received  ${verdict.received}`,
      ];
  }
}

export function summaryLines({ results, durationMs, isInterrupted }: RunReport): readonly string[] {
  const rows = levels.map((level) =>
    sumLine(level, countVerdicts(results.filter((result) => result.level === level))),
  );
  const failed = results.filter(({ verdict }) => verdict.kind === 'failed').map(({ id }) => id);
  return [
    '',
    `${''.padEnd(12)}${['passed', 'failed', 'skipped'].map((word) => word.padStart(9)).join('')}`,
    ...rows,
    sumLine('all', countVerdicts(results)),
    '',
    ...(failed.length === 0 ? [] : [`Failed: ${failed.join(', ')}`]),
    `${results.length} checks in ${(durationMs / 1000).toFixed(1)} s${isInterrupted ? ', then interrupted' : ''}.`,
  ];
}

function sumLine(name: string, { passed, failed, skipped }: Counts): string {
  return `${name.padEnd(12)}${[passed, failed, skipped].map((count) => String(count).padStart(9)).join('')}`;
}
