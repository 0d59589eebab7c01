/**
 * Runs one command line: builds the program, and turns every way it can end into output and an exit code. A person
 * never sees a stack. Only the command that is asked for is read from disk, because that takes longer than many of them.
 */
import { Command } from 'commander';
import { type ExitCode, exitCodes, reportFailure } from './failure.ts';
import type { Output } from './output.ts';
import { packageVersion } from './package-version.ts';

export type { ExitCode } from './failure.ts';

export async function runCli(args: readonly string[], output: Output): Promise<ExitCode> {
  const isJson = args.includes('--json');
  try {
    const program = await createProgram(output, { isJson, asked: args[0] });
    await program.parseAsync(args, { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    return reportFailure(error, { output, isJson });
  }
}

type Register = (program: Command, output: Output) => void;

interface Entry {
  /** Of the commands that it registers, with their other names. */
  readonly names: readonly string[];
  readonly load: () => Promise<Register>;
}

function entry(names: string, load: Entry['load']): Entry {
  return { names: names.split(' '), load };
}

/** Groups in the order in which a person meets them. */
const groups: readonly (readonly [heading: string, entries: readonly Entry[]])[] = [
  [
    'Store and keys:',
    [
      entry('init', async () => (await import('./commands/init.ts')).registerInit),
      entry('keys', async () => (await import('./commands/keys.ts')).registerKeys),
      entry('refresh', async () => (await import('./commands/refresh.ts')).registerRefresh),
      entry('verify', async () => (await import('./commands/verify.ts')).registerVerify),
      entry('gc', async () => (await import('./commands/verify.ts')).registerGc),
    ],
  ],
  [
    'Models:',
    [
      entry('inspect', async () => (await import('./commands/inspect.ts')).registerInspect),
      entry('publish register', async () => (await import('./commands/publish.ts')).registerPublish),
      entry('stage', async () => (await import('./commands/stage.ts')).registerStage),
      entry('promote', async () => (await import('./commands/stage.ts')).registerPromote),
      entry('archive', async () => (await import('./commands/stage.ts')).registerArchive),
      entry('list', async () => (await import('./commands/list.ts')).registerList),
      entry('show', async () => (await import('./commands/list.ts')).registerShow),
    ],
  ],
  [
    'What is live:',
    [
      entry('deploy', async () => (await import('./commands/deploy.ts')).registerDeploy),
      entry('scale', async () => (await import('./commands/scale.ts')).registerScale),
      entry('undeploy', async () => (await import('./commands/scale.ts')).registerUndeploy),
      entry('rollback', async () => (await import('./commands/rollback.ts')).registerRollback),
      entry('pause resume approve abort', async () => (await import('./commands/steer.ts')).registerSteering),
    ],
  ],
  [
    'Looking:',
    [
      entry('status', async () => (await import('./commands/status.ts')).registerStatus),
      entry('rollout', async () => (await import('./commands/rollout.ts')).registerRollout),
      entry('history', async () => (await import('./commands/history.ts')).registerHistory),
      entry('diff', async () => (await import('./commands/history.ts')).registerDiff),
      entry('tuf-client', async () => (await import('./commands/tuf-client.ts')).registerTufClient),
    ],
  ],
  [
    'Serving:',
    [
      entry('serve', async () => (await import('./commands/serve.ts')).registerServe),
      entry('token', async () => (await import('./commands/token.ts')).registerToken),
      entry('bench', async () => (await import('./commands/bench.ts')).registerBench),
      // Without a name here, because it prints what all of them take.
      { names: [], load: async () => (await import('./commands/completion.ts')).registerCompletion },
    ],
  ],
];

/** All of them when it is not plain which one is asked for: for help, and for a name that does not exist. */
function entriesFor(asked: string | undefined, entries: readonly Entry[]): readonly Entry[] {
  const known = groups.flatMap(([, all]) => all).filter(({ names }) => names.some((name) => name === asked));
  return known.length === 0 ? entries : entries.filter((one) => known.includes(one));
}

async function createProgram(
  output: Output,
  { isJson, asked }: { readonly isJson: boolean; readonly asked: string | undefined },
): Promise<Command> {
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
  for (const [heading, entries] of groups) {
    program.commandsGroup(heading);
    for (const { load } of entriesFor(asked, entries)) (await load())(program, output);
  }
  return program;
}
