/**
 * `npm run bench`: one short comparison of the gateway with what it is measured by; `npm run bench -- stream` compares
 * the WebSocket with a bare echo instead (stream-speed.ts), `-- profile` draws flame graphs (profile.ts), `--scenario <name>`
 * measures scenarios (scenarios/). Progress goes to standard error, the report to standard output, every number to a file. Ends with 1 when an answer was wrong or missing; a missed
 * target is a result, not a failure.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Children } from './children.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import { planRound } from './plan.ts';
import { describeEnvironment, readEnvironment } from './report/environment.ts';
import { defaultResultFile, writeResultFile } from './report/result-file.ts';
import { summarize } from './report/summary.ts';
import { judge } from './report/targets.ts';
import { drawProfiles, parseProfile } from './profile.ts';
import { measureStreamSpeed, parseStreamSpeed } from './stream-speed.ts';
import { runScenarios } from './scenarios/run-scenarios.ts';
import { parseScenarioOptions } from './scenarios/scenario-options.ts';
import { runSuite } from './suite.ts';

const args = process.argv.slice(2);
const command = ['npm run bench --', ...args].join(' ');
const work = chosenWork();
const children = new Children();
let interruptedBy: NodeJS.Signals | undefined;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The run ends by itself once the child it waits for is gone.
    interruptedBy ??= signal;
    void children.stopAll();
  });
}

const folder = mkdtempSync(join(tmpdir(), 'tidegate-bench-'));
try {
  process.exitCode = (await work()) ? 0 : 1;
} catch (error) {
  console.error(interruptedBy ?? error);
  process.exitCode = interruptedBy === undefined ? 1 : 130;
} finally {
  await children.stopAll();
  rmSync(folder, { recursive: true, force: true });
}

/** What the command line asks for; ends the process for --help and what makes no sense. It tells whether all was right. */
function chosenWork(): () => Promise<boolean> {
  const [first, ...rest] = args;
  if (first === 'stream') {
    const streamSpeed = parseStreamSpeed(rest);
    return () => measureStreamSpeed({ ...streamSpeed, folder, children });
  }
  if (first === 'profile') {
    const profile = parseProfile(rest);
    return () => drawProfiles({ ...profile, folder });
  }
  if (args.some((arg) => arg === '--scenario' || arg.startsWith('--scenario='))) {
    const options = parseScenarioOptions(args);
    return () => runScenarios({ ...options, folder, children, command });
  }
  const options = parseOptions(args);
  return () => bench(options);
}

/** Whether every answer of every run was right. */
async function bench({ quick, rounds, seconds, warmUpSeconds, only, json }: BenchOptions): Promise<boolean> {
  const startedAt = new Date().toISOString();
  const environment = readEnvironment();
  const progress = (line: string): void => {
    console.error(`bench: ${line}`);
  };
  const wrkInstalled = environment.versions['wrk'] !== undefined;
  if (!wrkInstalled) {
    progress(
      'wrk is not installed (apt install wrk): autocannon alone measures itself, capacity is not judged',
    );
  }
  const plan = planRound({ wrkInstalled, quick, only });
  if (plan.series.length === 0 && plan.loopBatches.length === 0) {
    throw new Error(`No series has ${only.join(' or ')} in its name; see --help.`);
  }
  if (quick)
    progress('this shows that the bench works; a second each, not warmed up, says little about speed');
  const result = await runSuite({ plan, rounds, seconds, warmUpSeconds, folder, children, progress });

  const file = json ?? defaultResultFile(startedAt);
  const targets = judge(result);
  writeResultFile(file, {
    format: 1,
    startedAt,
    command,
    environment,
    seconds,
    warmUpSeconds,
    targets,
    ...result,
  });
  console.log(
    `${describeEnvironment(environment)}\n\n${summarize(result, plan.series)}\n\nAll numbers: ${file}`,
  );
  return result.measurements.every(({ report }) => report.failures === 0);
}
