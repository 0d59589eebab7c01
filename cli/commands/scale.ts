/** `tidegate scale` and `tidegate undeploy`: how much a deployment may use, and its end. */
import { type Command, InvalidArgumentError } from 'commander';
import { DeploymentConfig, scaleDeployment, undeployModel } from '../../registry-store/main.ts';
import { addBatchingOptions, type BatchingOptions, batchingOf } from '../options/batching-options.ts';
import {
  type ResourceOptions,
  addResourceOptions,
  resourceFields,
  withTakenBack,
} from '../options/resource-options.ts';
import {
  addDeploymentCacheOptions,
  type DeploymentCacheOptions,
  deploymentCacheOf,
} from '../options/response-cache-options.ts';
import { type ChangeOptions, addChangeOptions, withChange } from '../options/store-options.ts';
import { type Output, write } from '../output.ts';
import { deploymentAnswerJson, deploymentLines } from '../text/deployment-answer.ts';

type ScaleOptions = BatchingOptions & ChangeOptions & DeploymentCacheOptions & ResourceOptions;

export function registerScale(program: Command, output: Output): void {
  const command = program
    .command('scale')
    .description('change how much a deployment may use, and how its requests are batched')
    .argument('<model>', 'name of the model');
  addChangeOptions(addDeploymentCacheOptions(addBatchingOptions(addResourceOptions(command))))
    .addHelpText(
      'after',
      `
What is not named stays as it is. A node with fewer threads than asked for uses those it has, and says so:
see "tidegate status --node".

Examples:
  $ tidegate scale iris --replicas 4
  $ tidegate scale iris --min-replicas 1 --max-replicas 8 --target-cpu 60
  $ tidegate scale iris --batch-rows 32 --weight 4 --default-timeout 250
  $ tidegate scale iris --batch-sizes 1,4,16 --no-cache
  $ tidegate scale iris --cpu-limit none --default-timeout none`,
    )
    .action(async (model: string, options: ScaleOptions) => {
      const wanted = new DeploymentConfig(resourceFields(options));
      const resources = withTakenBack(wanted.resources, options);
      const batching = batchingOf(options);
      const cache = deploymentCacheOf(options);
      if ((resources ?? batching ?? cache) === undefined) {
        throw new InvalidArgumentError('Name what changes, such as --replicas 4.');
      }
      const result = await withChange(options, output, (change) =>
        scaleDeployment({ ...change, model, resources, batching, cache }),
      );
      const { deployment, changed, revision } = result;
      const lines = changed
        ? deploymentLines(deployment, revision, options)
        : [`${model} was scaled like this already; nothing changed`];
      write(output, { json: deploymentAnswerJson(model, result), lines }, options);
    });
}

export function registerUndeploy(program: Command, output: Output): void {
  addChangeOptions(program.command('undeploy'))
    .description('take a model out of service, or one version of it')
    .argument('<model>', 'name of the model')
    .argument('[version]', 'version of it')
    .addHelpText(
      'after',
      `
With a version only that one goes: one that is kept for going back is kept no longer, a candidate is dropped, and
with the live version the model is out of service. Nothing is archived: versions stay in the store and in their
stages, so deploying one of them brings it back.

Examples:
  $ tidegate undeploy iris 1.0.0
  $ tidegate undeploy iris --why "replaced by irises"`,
    )
    .action(async (model: string, version: string | undefined, options: ChangeOptions) => {
      const result = await withChange(options, output, (change) =>
        undeployModel({ ...change, model, ...(version !== undefined && { version }) }),
      );
      const { deployment, revision } = result;
      const lines =
        deployment === undefined
          ? [`${model} is out of service (revision ${revision})`]
          : deploymentLines(deployment, revision, options);
      write(output, { json: deploymentAnswerJson(model, result), lines }, options);
    });
}
