/** `tidegate deploy`: puts a published version live for all traffic of its model. Running gateways follow at once. */
import type { Command } from 'commander';
import { deployModel } from '../registry-store/main.ts';
import { type Output, write } from './output.ts';
import { type StoreOptions, addStoreOptions, userName } from './store-options.ts';

interface DeployOptions extends StoreOptions {
  readonly version: string;
  readonly why?: string;
  readonly by: string;
}

export function registerDeploy(program: Command, output: Output): void {
  addStoreOptions(program.command('deploy'))
    .description('put a published version live')
    .argument('<model>', 'name of the model')
    .requiredOption('--version <version>', 'the version that takes the traffic')
    .option('--why <text>', 'the reason, for the record')
    .option('--by <name>', 'who decided it', userName())
    .addHelpText(
      'after',
      `
The version that was live stays loaded, so going back is deploying it again.

Examples:
  $ tidegate deploy iris --version 2.0.0
  $ tidegate deploy iris --version 1.0.0 --why "2.0.0 is worse on long petals"`,
    )
    .action(async (model: string, options: DeployOptions) => {
      const { snapshot, changed } = await deployModel({
        folder: options.store,
        keysFolder: options.keys,
        nowMs: Date.now(),
        model,
        version: options.version,
        actor: options.by,
        why: options.why ?? '',
      });
      const previous = snapshot.deployments.get(model)?.previousVersion;
      const json = {
        model,
        version: options.version,
        previous_version: previous ?? null,
        changed,
        revision: snapshot.revision,
      };
      const kept = previous === undefined ? '' : `; ${previous} is kept for going back`;
      const line = changed
        ? `${model} ${options.version} is live${kept} (revision ${snapshot.revision})`
        : `${model} ${options.version} was live already; nothing changed`;
      write(output, { json, lines: [line] }, options);
    });
}
