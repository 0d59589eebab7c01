/** The report for build servers: JUnit XML, one suite for each level. */
import { levels } from '../check.ts';
import { type CheckResult, countVerdicts } from '../run-checks.ts';
import type { RunReport } from './run-report.ts';

export function junitReport(report: RunReport): string {
  const suites = levels.flatMap((level) => {
    const results = report.results.filter((result) => result.level === level);
    if (results.length === 0) return [];
    const cases = results.map(testCase).join('');
    return [
      `  <testsuite name="${level}" ${numbers(results)} timestamp="${xml(report.startedAt)}">\n${cases}  </testsuite>\n`,
    ];
  });
  const name = xml(`conformance of ${report.serverName} at ${report.url}`);
  const head = `<testsuites name="${name}" ${numbers(report.results)}>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${head}\n${suites.join('')}</testsuites>\n`;
}

function numbers(results: readonly CheckResult[]): string {
  const { failed, skipped } = countVerdicts(results);
  const durationMs = results.reduce((sum, result) => sum + result.durationMs, 0);
  return `tests="${results.length}" failures="${failed}" errors="0" skipped="${skipped}" time="${durationMs / 1000}"`;
}

function testCase({ id, title, level, clause, durationMs, verdict }: CheckResult): string {
  const head = `    <testcase classname="conformance.${level}" name="${xml(`${id}: ${title}`)}" time="${durationMs / 1000}"`;
  switch (verdict.kind) {
    case 'passed':
      return `${head}/>\n`;
    case 'skipped':
      return `${head}>\n      <skipped message="${xml(verdict.reason)}"/>\n    </testcase>\n`;
    case 'failed': {
      const { sent, expected, received } = verdict;
      const text = `sent: ${sent}\nexpected: ${expected}\nclause: ${clause}\nreceived: ${received}`;
      const failure = `      <failure message="${xml(`expected ${expected}`)}">${xml(text)}</failure>\n`;
      return `${head}>\n${failure}    </testcase>\n`;
    }
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  // As they are, readers turn them into spaces where they stand in an attribute.
  '\n': '&#10;',
  '\r': '&#13;',
  '\t': '&#9;',
};

/** What a server sends ends up here: control characters and lone surrogates, which XML cannot hold, become U+FFFD. */
function xml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"'\n\r\t]/g, (character) => entities[character] ?? character);
}
