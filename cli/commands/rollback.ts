/** `tidegate rollback`: back to the version before, or to the whole state of a past revision. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { rollbackModel, rollbackTo } from '../../registry-store/main.ts';
import { changeJson } from '../../registry-store/manifest/change.ts';
import { counted } from '../options/quantity.ts';
import { type ChangeOptions, addChangeOptions, withChange } from '../options/store-options.ts';
import { type Output, write } from '../output.ts';
import { changeText } from '../text/change-text.ts';
import { deploymentAnswerJson, deploymentLines } from '../text/deployment-answer.ts';
import { revisionOption } from './history.ts';

interface RollbackOptions extends ChangeOptions {
  readonly to?: number;
  readonly model?: string;
}

export function registerRollback(program: Command, output: Output): void {
  addChangeOptions(program.command('rollback'))
    .description('go back to the version before, or to a past revision')
    .argument('[model]', 'back to its previous version, or out of its rollout')
    .addOption(
      new Option('--to <revision>', 'bring back what was live and where versions stood then').argParser(
        revisionOption,
      ),
    )
    .option('--model <model>', 'with --to: only this model')
    .addHelpText(
      'after',
      `
Going back is a new revision, so nothing of the history is lost and a rollback can be rolled back. Versions published
since then stay in the store.

Examples:
  $ tidegate rollback iris --why "2.0.0 is worse on long petals"
  $ tidegate rollback --to 41
  $ tidegate rollback --to 41 --model iris`,
    )
    .action(async (argument: string | undefined, options: RollbackOptions) => {
      const model = modelOf(argument, options);
      if (options.to === undefined) {
        if (model === undefined) throw new InvalidArgumentError('Name a model, or a revision with --to.');
        await backToPrevious(model, options, output);
      } else {
        await backTo({ revision: options.to, model }, options, output);
      }
    });
}

/** As an argument or as an option: with --to both read well. */
function modelOf(argument: string | undefined, { model, to }: RollbackOptions): string | undefined {
  if (argument !== undefined && model !== undefined && argument !== model) {
    throw new InvalidArgumentError(`Name one model: ${argument} or ${model}.`);
  }
  if (argument === undefined && model !== undefined && to === undefined) {
    throw new InvalidArgumentError('--model goes with --to. Without it, write: tidegate rollback <model>');
  }
  return argument ?? model;
}

async function backToPrevious(model: string, options: RollbackOptions, output: Output): Promise<void> {
  const result = await withChange(options, output, (change) => rollbackModel({ ...change, model }));
  const { deployment, revision } = result;
  const lines = deploymentLines(deployment, revision, options);
  write(output, { json: deploymentAnswerJson(model, result), lines }, options);
}

async function backTo(
  target: { readonly revision: number; readonly model: string | undefined },
  options: RollbackOptions,
  output: Output,
): Promise<void> {
  const { revision: to, model } = target;
  const { revision, changes, changed } = await withChange(options, output, (change) =>
    rollbackTo({ ...change, revision: to, ...(model !== undefined && { model }) }),
  );
  const lines = changed
    ? [
        `Brought back revision ${to} with ${counted(changes.length, 'change')} (revision ${revision})`,
        ...changes.map((change) => `  ${changeText(change)}`),
      ]
    : [`Everything is as it was at revision ${to}; nothing changed`];
  const json = { to, model: model ?? null, changes: changes.map(changeJson), changed, revision };
  write(output, { json, lines }, options);
}
