/** `tidegate stage`, `promote` and `archive`: a version's way through its life, and the end of a rollout. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Stage, moveStage, promoteCandidate } from '../../registry-store/main.ts';
import { durationOption } from '../options/quantity.ts';
import { type ChangeOptions, addChangeOptions, withChange } from '../options/store-options.ts';
import { type Output, write } from '../output.ts';
import { deploymentAnswerJson, deploymentLines } from '../text/deployment-answer.ts';

export function registerStage(program: Command, output: Output): void {
  addChangeOptions(program.command('stage'))
    .description('make a version a candidate for production')
    .argument('<model>', 'name of the model')
    .argument('<version>', 'version of it')
    .addHelpText(
      'after',
      `
From training, from production and out of the archive. A staged version may be deployed.

Examples:
  $ tidegate stage iris 2.0.0
  $ tidegate stage iris 1.0.0 --why "archived by mistake"`,
    )
    .action(async (model: string, version: string, options: ChangeOptions) => {
      await move({ model, version, to: 'staged' }, options, output);
    });
}

interface PromoteOptions extends ChangeOptions {
  /** Milliseconds; false for none. */
  readonly watch?: number | false;
  /** Which of several candidates. */
  readonly version?: string;
}

export function registerPromote(program: Command, output: Output): void {
  const command = program
    .command('promote')
    .addOption(
      new Option(
        '--watch <time>',
        'watch it so long and go back when it is worse (default: as a blue/green was signed)',
      ).argParser(durationOption),
    )
    .option('--no-watch', 'do not watch it')
    .option('--version <version>', 'which candidate, where there are several');
  addChangeOptions(command)
    .description('move a version to production; without one, put a candidate live')
    .argument('<model>', 'name of the model')
    .argument('[version]', 'version of it')
    .addHelpText(
      'after',
      `
With a version this says that it is fit for production; it does not put it live. Without one it ends a rollout that
"tidegate deploy" began: its candidate takes all traffic, the version that was live is kept for going back.

Examples:
  $ tidegate promote iris 2.0.0
  $ tidegate promote iris --watch 1h
  $ tidegate promote iris --version 3.0.0
  $ tidegate promote iris --why "a week without complaints"`,
    )
    .action(async (model: string, version: string | undefined, options: PromoteOptions) => {
      const watchMs = options.watch === false ? 0 : options.watch;
      if (version !== undefined) {
        if ((watchMs ?? options.version) !== undefined)
          throw new InvalidArgumentError(
            '--watch and --version go with a candidate; a version as argument moves its stage.',
          );
        await move({ model, version, to: 'production' }, options, output);
        return;
      }
      const result = await withChange(options, output, (change) =>
        promoteCandidate({
          ...change,
          model,
          ...(watchMs !== undefined && { watchMs }),
          ...(options.version !== undefined && { version: options.version }),
        }),
      );
      const { deployment, revision } = result;
      const lines = deploymentLines(deployment, revision, options);
      write(output, { json: deploymentAnswerJson(model, result), lines }, options);
    });
}

export function registerArchive(program: Command, output: Output): void {
  addChangeOptions(program.command('archive'))
    .description('put a version away; it can no longer be deployed')
    .argument('<model>', 'name of the model')
    .argument('<version>', 'version of it')
    .addHelpText(
      'after',
      `
Its file stays in the store, and "tidegate stage" brings it back. A version that is live, or the candidate of a
rollout, cannot be archived.

Examples:
  $ tidegate archive iris 1.0.0`,
    )
    .action(async (model: string, version: string, options: ChangeOptions) => {
      await move({ model, version, to: 'archived' }, options, output);
    });
}

async function move(
  wanted: { readonly model: string; readonly version: string; readonly to: Stage },
  options: ChangeOptions,
  output: Output,
): Promise<void> {
  const { model, version } = wanted;
  const { from, to, changed, revision } = await withChange(options, output, (change) =>
    moveStage({ ...change, ...wanted }),
  );
  const line = changed
    ? `${model} ${version}: ${from} -> ${to} (revision ${revision})`
    : `${model} ${version} was ${to} already; nothing changed`;
  write(output, { json: { model, version, from, to, changed, revision }, lines: [line] }, options);
}
