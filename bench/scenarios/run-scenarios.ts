/** Runs scenarios round by round and writes what came out. One round goes through all of them, so that what the machine does
 * meanwhile is spread over all. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Children } from '../children.ts';
import { projectRoot } from '../project-root.ts';
import { describeEnvironment, readEnvironment } from '../report/environment.ts';
import { scenarioCsv, scenarioHtml, type ScenarioResult, scenarioText } from '../report/scenario-report.ts';
import { Field } from './field.ts';
import type { ScenarioRow } from './scenario.ts';
import type { ScenarioOptions } from './scenario-options.ts';

export interface RunOptions extends ScenarioOptions {
  readonly children: Children;
  readonly folder: string;
  readonly command: string;
}

/** Resolves with whether every answer of every run was right; numbers that are not valid are marked, and no failure. */
export async function runScenarios(options: RunOptions): Promise<boolean> {
  const { children, folder, rounds, isQuick, mayInstall } = options;
  const startedAt = new Date().toISOString();
  const environment = readEnvironment();
  const progress = (line: string): void => {
    console.error(`bench: ${line}`);
  };
  progress('making the models and the store');
  const field = await Field.make({ children, folder, isQuick, mayInstall });
  const measured = new Map<string, (ScenarioRow & { readonly round: number })[]>();
  for (let round = 0; round < rounds; round++) {
    for (const scenario of options.scenarios) {
      const named = (line: string): void => {
        progress(`round ${round + 1} of ${rounds}: ${line}`);
      };
      const context = { ...options, field, round, progress: named };
      const rows = await scenario.run(context);
      measured.set(scenario.name, [
        ...(measured.get(scenario.name) ?? []),
        ...rows.map((row) => ({ ...row, round })),
      ]);
    }
  }
  const result: ScenarioResult = {
    format: 1,
    startedAt,
    command: options.command,
    environment,
    rounds,
    seconds: options.seconds,
    isQuick,
    missing: Object.fromEntries(field.missing),
    scenarios: options.scenarios.map(({ name, title, headline }) => ({
      name,
      title,
      headline,
      rows: measured.get(name) ?? [],
    })),
  };
  const out =
    options.out ?? fileURLToPath(new URL(`bench/results/${startedAt.replaceAll(':', '-')}`, projectRoot));
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(`${out}.json`, `${JSON.stringify(result, undefined, 2)}\n`);
  writeFileSync(`${out}.csv`, scenarioCsv(result));
  writeFileSync(`${out}.html`, scenarioHtml(result));
  console.log(
    `${describeEnvironment(environment)}\n\n${scenarioText(result)}\n\nAll of it: ${out}.json, .csv and .html`,
  );
  return result.scenarios.every(({ rows }) => rows.every(({ numbers }) => (numbers['failed'] ?? 0) === 0));
}
