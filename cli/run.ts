/**
 * Runs one command line: builds the program, and turns every way it can end into output and an exit code.
 * 0 done, 1 it could not be done, 2 the command line is wrong. A person never sees a stack.
 */
import { Command, CommanderError } from 'commander';
import { StoreError } from '../registry-store/main.ts';
import type { Output } from './output.ts';
import { packageVersion } from './package-version.ts';
import { registerDeploy } from './deploy.ts';
import { registerInit } from './init.ts';
import { registerPublish } from './publish.ts';
import { registerServe } from './serve.ts';
import { registerStatus } from './status.ts';

const exitCodes = { done: 0, failed: 1, wrongUsage: 2 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export async function runCli(args: readonly string[], output: Output): Promise<ExitCode> {
  try {
    await createProgram(output).parseAsync(args, { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError) return reportUsage(error, output);
    output.err(
      args.includes('--json') ? `${JSON.stringify(errorJson(error))}\n` : `error: ${messageOf(error)}\n`,
    );
    return exitCodes.failed;
  }
}

function createProgram(output: Output): Command {
  const program = new Command('tidegate')
    .description('An inference gateway for the edge, and the signed store it serves models from.')
    .version(packageVersion())
    // `publish --version` is the version of the model, not ours.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: output.out, writeErr: output.err })
    .showHelpAfterError('Run it with --help to see what it takes.')
    .addHelpText(
      'after',
      `
Examples:
  $ tidegate init
  $ tidegate publish iris iris.onnx --version 1.0.0 --metric accuracy=0.97
  $ tidegate deploy iris --version 1.0.0
  $ tidegate status
  $ tidegate serve`,
    );
  registerInit(program, output);
  registerPublish(program, output);
  registerDeploy(program, output);
  registerStatus(program, output);
  registerServe(program, output);
  return program;
}

function reportUsage(error: CommanderError, output: Output): ExitCode {
  const isAnswer = ['commander.helpDisplayed', 'commander.version'].includes(error.code);
  if (isAnswer) return exitCodes.done;
  // Commander wrote what it found itself; what a command threw is still unsaid.
  if (error.name === 'InvalidArgumentError') output.err(`error: ${error.message}\n`);
  return exitCodes.wrongUsage;
}

function errorJson(error: unknown): object {
  if (!(error instanceof StoreError)) return { error: messageOf(error) };
  const { code, check, message } = error;
  return { error: message, code, ...(check === undefined ? {} : { check }) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
