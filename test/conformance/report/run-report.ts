/** What every report is made from: which server was checked, when, and what came of it. */
import type { CheckResult } from '../run-checks.ts';

export interface RunReport {
  readonly url: string;
  readonly serverName: string;
  readonly extensions: readonly string[];
  readonly models: readonly string[];
  readonly startedAt: string;
  readonly durationMs: number;
  readonly isInterrupted: boolean;
  readonly results: readonly CheckResult[];
}
