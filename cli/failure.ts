/**
 * Every way a command can end badly, as output and exit code: 1 it could not be done, 2 the command line is wrong, 130
 * a person stopped it. With --json the error is one JSON value on standard error, with a stable code.
 */
import { CommanderError } from 'commander';
import { StoreError } from '../registry-store/store-error.ts';
import { CommandError } from './command-error.ts';
import type { Output } from './output.ts';
import { Interrupted, interruptedExitCode } from './terminal/interrupt.ts';

export type ExitCode = 0 | 1 | 2 | typeof interruptedExitCode;

export const exitCodes: Readonly<Record<'done' | 'failed' | 'wrongUsage' | 'interrupted', ExitCode>> = {
  done: 0,
  failed: 1,
  wrongUsage: 2,
  interrupted: interruptedExitCode,
};

/** A command that printed its whole answer, and the answer is no: only the exit code is left to give. */
export class AnsweredNo extends Error {
  constructor() {
    super('The answer is no.');
    this.name = 'AnsweredNo';
  }
}

export function reportFailure(
  error: unknown,
  { output, isJson }: { readonly output: Output; readonly isJson: boolean },
): ExitCode {
  if (error instanceof CommanderError) return reportUsage(error, { output, isJson });
  if (error instanceof AnsweredNo) return exitCodes.failed;
  output.err(isJson ? `${JSON.stringify(errorJson(error))}\n` : `error: ${messageOf(error)}\n`);
  return error instanceof Interrupted ? exitCodes.interrupted : exitCodes.failed;
}

function reportUsage(
  error: CommanderError,
  { output, isJson }: { readonly output: Output; readonly isJson: boolean },
): ExitCode {
  const isAnswer = ['commander.helpDisplayed', 'commander.version'].includes(error.code);
  if (isAnswer) return exitCodes.done;
  const message = error.message.replace(/^error: /, '');
  if (isJson) output.err(`${JSON.stringify({ error: message, code: 'WRONG_USAGE' })}\n`);
  // Commander wrote what it found itself; what a command threw is still unsaid.
  else if (error.name === 'InvalidArgumentError') output.err(`error: ${message}\n`);
  return exitCodes.wrongUsage;
}

function errorJson(error: unknown): object {
  if (error instanceof Interrupted) return { error: error.message, code: 'INTERRUPTED' };
  if (error instanceof CommandError) return { error: error.message, code: error.code };
  if (!(error instanceof StoreError)) return { error: messageOf(error), code: 'UNEXPECTED' };
  const { code, check, message } = error;
  return { error: message, code, ...(check === undefined ? {} : { check }) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
