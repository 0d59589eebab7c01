/** The result of a run as a file: every single number, and all that it takes to make it again. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SuiteResult } from '../measurement.ts';
import { projectRoot } from '../project-root.ts';
import type { Environment } from './environment.ts';
import type { Verdict } from './targets.ts';

export interface ResultFile extends SuiteResult {
  /** Of this layout; a reader that knows another one should stop. */
  readonly format: 1;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly command: string;
  readonly environment: Environment;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly targets: readonly Verdict[];
}

/** A file of its own for each run, in bench/results, which is not committed. */
export function defaultResultFile(startedAt: string): string {
  return fileURLToPath(new URL(`bench/results/${startedAt.replaceAll(':', '-')}.json`, projectRoot));
}

export function writeResultFile(path: string, result: ResultFile): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
}
