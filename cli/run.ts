/**
 * Runs one command line: builds the program, and turns every way it can end into output and an exit code. A person
 * never sees a stack.
 */
import { Command } from 'commander';
import { registerBench } from './bench.ts';
import { registerCompletion } from './completion.ts';
import { registerDeploy } from './deploy.ts';
import { type ExitCode, exitCodes, reportFailure } from './failure.ts';
import { registerDiff, registerHistory } from './history.ts';
import { registerInit } from './init.ts';
import { registerInspect } from './inspect.ts';
import { registerKeys } from './keys.ts';
import { registerList, registerShow } from './list.ts';
import type { Output } from './output.ts';
import { packageVersion } from './package-version.ts';
import { registerPublish } from './publish.ts';
import { registerRefresh } from './refresh.ts';
import { registerRollback } from './rollback.ts';
import { registerRollout } from './rollout.ts';
import { registerSteering } from './steer.ts';
import { registerScale, registerUndeploy } from './scale.ts';
import { registerServe } from './serve.ts';
import { registerArchive, registerPromote, registerStage } from './stage.ts';
import { registerStatus } from './status.ts';
import { registerToken } from './token.ts';
import { registerTufClient } from './tuf-client.ts';
import { registerGc, registerVerify } from './verify.ts';

export type { ExitCode } from './failure.ts';

export async function runCli(args: readonly string[], output: Output): Promise<ExitCode> {
  const isJson = args.includes('--json');
  try {
    await createProgram(output, { isJson }).parseAsync(args, { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    return reportFailure(error, { output, isJson });
  }
}

/** Groups in the order in which a person meets them. */
const groups: readonly (readonly [string, readonly ((program: Command, output: Output) => void)[]])[] = [
  ['Store and keys:', [registerInit, registerKeys, registerRefresh, registerVerify, registerGc]],
  [
    'Models:',
    [
      registerInspect,
      registerPublish,
      registerStage,
      registerPromote,
      registerArchive,
      registerList,
      registerShow,
    ],
  ],
  ['What is live:', [registerDeploy, registerScale, registerUndeploy, registerRollback, registerSteering]],
  ['Looking:', [registerStatus, registerRollout, registerHistory, registerDiff, registerTufClient]],
  ['Serving:', [registerServe, registerToken, registerBench, registerCompletion]],
];

function createProgram(output: Output, { isJson }: { readonly isJson: boolean }): Command {
  const program = new Command('tidegate')
    .description('An inference gateway for the edge, and the signed store it serves models from.')
    .version(packageVersion())
    // `publish --version` is the version of the model, not ours.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: output.out,
      // With --json the error is one JSON value, which `reportFailure` writes.
      writeErr: isJson ? () => undefined : output.err,
    })
    .showHelpAfterError('Run it with --help to see what it takes.')
    .addHelpText(
      'after',
      `
Examples:
  $ tidegate init
  $ tidegate inspect iris.onnx
  $ tidegate publish iris iris.onnx --version 1.0.0 --metric accuracy=0.97
  $ tidegate deploy iris --version 1.0.0
  $ tidegate status
  $ tidegate serve`,
    );
  for (const [heading, commands] of groups) {
    program.commandsGroup(heading);
    for (const register of commands) register(program, output);
  }
  return program;
}
