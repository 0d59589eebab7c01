/**
 * Runs checks one after the other and gives what came of each. One at a time on purpose: a failure then belongs to the
 * request beside it, and the server is not under load.
 */
import {
  type Check,
  type CheckContext,
  CheckFailure,
  CheckSkipped,
  describeRequest,
  type Level,
  levels,
} from './check.ts';
import { NoAnswer } from './http-talk.ts';

export type Verdict =
  | { readonly kind: 'passed' }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'failed'; readonly sent: string; readonly expected: string; readonly received: string };

export interface CheckResult {
  readonly id: string;
  readonly title: string;
  readonly level: Level;
  readonly clause: string;
  readonly durationMs: number;
  readonly verdict: Verdict;
}

export interface Run {
  readonly results: readonly CheckResult[];
  /** Whether it ended before its last check. */
  readonly isInterrupted: boolean;
}

export type Counts = Readonly<Record<Verdict['kind'], number>>;

/** `onResult` hears of every check as it ends. */
export async function runChecks(
  checks: readonly Check[],
  context: CheckContext,
  { signal, onResult }: { readonly signal: AbortSignal; readonly onResult: (result: CheckResult) => void },
): Promise<Run> {
  const results: CheckResult[] = [];
  for (const check of checks) {
    if (signal.aborted) break;
    const startedAtMs = performance.now();
    const verdict = await verdictOf(check, context);
    // What was interrupted has no result: it neither passed nor failed.
    if (isAborted(signal)) break;
    const { id, title, level, clause } = check;
    const result = {
      id,
      title,
      level,
      clause,
      durationMs: Math.round(performance.now() - startedAtMs),
      verdict,
    };
    results.push(result);
    onResult(result);
  }
  return { results, isInterrupted: results.length < checks.length };
}

/** A function, so that the compiler does not take an earlier look at the signal for granted. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function verdictOf(check: Check, context: CheckContext): Promise<Verdict> {
  const { extension } = check;
  if (extension !== undefined && !context.extensions.has(extension)) {
    return { kind: 'skipped', reason: `the server does not advertise ${extension}` };
  }
  try {
    await check.run(context);
    return { kind: 'passed' };
  } catch (error) {
    if (error instanceof CheckSkipped) return { kind: 'skipped', reason: error.message };
    if (error instanceof CheckFailure) {
      const { sent, expected, received } = error;
      return { kind: 'failed', sent: describeRequest(sent), expected, received };
    }
    if (error instanceof NoAnswer) {
      const sent = describeRequest(error.request);
      return { kind: 'failed', sent, expected: 'an answer', received: error.message };
    }
    throw error;
  }
}

/** By level and id or title; empty when nothing is meant. */
export function chosenChecks(
  checks: readonly Check[],
  { filter, level }: { readonly filter: string | undefined; readonly level: readonly Level[] },
): readonly Check[] {
  const chosenLevels = level.length === 0 ? levels : level;
  const words = (filter ?? '').toLowerCase();
  return checks.filter(({ id, title, level: own }) => {
    return chosenLevels.includes(own) && `${id} ${title}`.toLowerCase().includes(words);
  });
}

export function countVerdicts(results: readonly CheckResult[]): Counts {
  const count = (kind: Verdict['kind']): number =>
    results.filter(({ verdict }) => verdict.kind === kind).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}
