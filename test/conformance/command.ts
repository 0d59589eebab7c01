/**
 * The whole command but the process: arguments and a signal in, lines and an exit code out. main.ts gives it a terminal,
 * tests give it lists.
 */
import { writeFileSync } from 'node:fs';
import { allChecks } from './checks/all-checks.ts';
import { CannotRun, discover } from './discover.ts';
import { HttpTalk } from './http-talk.ts';
import { type ConformanceOptions, parseOptions } from './options.ts';
import { jsonReport } from './report/json.ts';
import { junitReport } from './report/junit.ts';
import type { RunReport } from './report/run-report.ts';
import { resultLines, summaryLines } from './report/table.ts';
import { chosenChecks, countVerdicts, runChecks } from './run-checks.ts';
import { readSampleFile } from './sample-file.ts';

/** 0 nothing failed, 1 a check failed, 2 nothing could be checked. */
export type ExitCode = 0 | 1 | 2;

export interface Terminal {
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
  /** Ends the run; what was done by then is still reported. */
  readonly signal: AbortSignal;
}

export async function runCommand(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const said: string[] = [];
  const parsed = parseOptions(args, (text) => said.push(text.trimEnd()));
  if (!parsed.ok) {
    for (const line of said) (parsed.exitCode === 0 ? terminal.print : terminal.complain)(line);
    return parsed.exitCode;
  }
  try {
    return await checkServer(parsed.options, terminal);
  } catch (error) {
    if (!(error instanceof CannotRun)) throw error;
    const isInterrupted = terminal.signal.aborted;
    terminal.complain(
      `conformance: ${isInterrupted ? 'Interrupted before the first check.' : error.message}`,
    );
    return 2;
  }
}

async function checkServer(options: ConformanceOptions, { print, signal }: Terminal): Promise<ExitCode> {
  const { url, headers, timeoutMs, mayChangeModels } = options;
  const checks = chosenChecks(allChecks, options);
  if (checks.length === 0) throw new CannotRun(`No check has '${options.filter ?? ''}' in its id or title.`);
  const samples = new Map(
    [...options.sampleFiles].map(([model, file]) => [model, readSampleFile(file)] as const),
  );
  const talk = new HttpTalk({ baseUrl: url, timeoutMs, headers, signal });
  const startedAt = new Date();
  const { extensions, serverName, models, modelsLeftOut } = await discover(talk, {
    models: options.models,
    samples,
  });
  const names = models.map(({ name }) => name);
  print(`${serverName} at ${url.href}, models: ${names.join(', ')}`);
  if (modelsLeftOut > 0) print(`${modelsLeftOut} more models are left out; name those to use with --model.`);
  const context = { talk, extensions, models, mayChangeModels };
  const onResult = (result: Parameters<typeof resultLines>[0]): void => {
    for (const line of resultLines(result)) print(line);
  };
  const run = await runChecks(checks, context, { signal, onResult });
  const report = {
    url: url.href,
    serverName,
    extensions: [...extensions],
    models: names,
    ...run,
    startedAt: startedAt.toISOString(),
    durationMs: Date.now() - startedAt.getTime(),
  };
  for (const line of summaryLines(report)) print(line);
  writeReports(report, options);
  const { passed, failed } = countVerdicts(report.results);
  if (failed > 0) return 1;
  if (passed === 0) throw new CannotRun('No check had anything to look at.');
  return 0;
}

function writeReports(report: RunReport, { junitFile, jsonFile }: ConformanceOptions): void {
  const files = [
    [junitFile, junitReport],
    [jsonFile, jsonReport],
  ] as const;
  for (const [file, write] of files) {
    if (file === undefined) continue;
    try {
      writeFileSync(file, write(report));
    } catch (error) {
      throw new CannotRun(
        `The report '${file}' cannot be written: ${error instanceof Error ? error.message : ''}.`,
      );
    }
  }
}
