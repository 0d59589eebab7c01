/** `tidegate deploy`: puts a published version live, at once or beside the one that is. Running gateways follow at once. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DeploymentConfig, DeploymentStrategy, deployModel } from '../../registry-store/main.ts';
import { parseShareBps } from '../../registry-store/platform/quantity.ts';
import { addBatchingOptions, type BatchingOptions, batchingOf } from '../options/batching-options.ts';
import { addCohortOptions, type CohortOptions, cohortsOf } from '../options/cohort-options.ts';
import { addPipelineOptions, type PipelineOptions, pipelineOf } from '../options/pipeline-options.ts';
import { shareOption } from '../options/quantity.ts';
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
import {
  type RolloutOptions,
  addRolloutOptions,
  analysisOf,
  planRequest,
} from '../options/rollout-options.ts';
import { type ChangeOptions, addChangeOptions, withChange } from '../options/store-options.ts';
import { type Output, write } from '../output.ts';
import { deploymentAnswerJson, deploymentLines } from '../text/deployment-answer.ts';
import { pipelineSignature, signatureLine } from '../text/pipeline-text.ts';

/** A further candidate of a canary. */
interface Other {
  readonly version: string;
  readonly trafficBps: number;
}

interface DeployOptions
  extends
    BatchingOptions,
    ChangeOptions,
    CohortOptions,
    DeploymentCacheOptions,
    PipelineOptions,
    ResourceOptions,
    RolloutOptions {
  readonly version: string;
  readonly canary?: number;
  readonly and?: readonly Other[];
  readonly blueGreen?: true;
  readonly shadow?: number;
}

export function registerDeploy(program: Command, output: Output): void {
  const command = program
    .command('deploy')
    .description('put a published version live')
    .argument('<model>', 'name of the model')
    .requiredOption('--version <version>', 'the version that takes the traffic')
    .addOption(
      new Option('--canary <percent>', 'give it a share of the traffic beside the live version')
        .argParser(shareOption)
        .conflicts(['blueGreen', 'rolling', 'shadow', 'steps']),
    )
    .addOption(
      new Option(
        '--and <version=percent>',
        'with --canary: another version with a share of its own; repeatable, 3 at most',
      )
        .argParser(otherOption)
        .conflicts(['blueGreen', 'rolling', 'shadow', 'steps']),
    )
    .addOption(
      new Option('--blue-green', 'stand it beside the live version until it is promoted').conflicts([
        'rolling',
        'shadow',
        'steps',
      ]),
    )
    .addOption(
      new Option(
        '--rolling',
        'give it the share of one replica after the other, while it is no worse',
      ).conflicts(['shadow', 'steps']),
    )
    .addOption(
      new Option('--shadow <percent>', 'give it copies of a share of the requests, answers unused').argParser(
        shareOption,
      ),
    );
  addRolloutOptions(command);
  addCohortOptions(command);
  addPipelineOptions(command);
  addResourceOptions(command);
  addBatchingOptions(command);
  addDeploymentCacheOptions(command);
  addChangeOptions(command)
    .addHelpText(
      'after',
      `
Without a strategy it takes all traffic at once. The version that was live stays loaded, so going back is
"tidegate rollback". With a strategy it stands beside the live version until "tidegate promote <model>". Each gateway
goes through the steps by itself, and back to the live version by itself when the new one is worse: it fails more, is
slower, or gives numbers that are not finite. Where it predicts something else, it stays where it is until somebody
looks.

With --before and --after the version runs as one with other published models: callers send what the first takes and get
what the last gives. Later versions go through the same models until others are named, or --no-pipeline.

Examples:
  $ tidegate deploy iris --version 2.0.0
  $ tidegate deploy iris --version 2.0.0 --canary 5 --why "new petals"
  $ tidegate deploy iris --version 2.0.0 --steps 1,5,25,50,100 --hold 10m --bake 1h --deadline 6h
  $ tidegate deploy iris --version 2.0.0 --canary 10 --gate latency=pause:2 --gate prediction=rollback
  $ tidegate deploy iris --version 2.0.0 --canary 10 --cohort 'header:x-tenant=beta-*' --never key:ada
  $ tidegate deploy iris --version 2.0.0 --canary 10 --and 3.0.0=10
  $ tidegate deploy digits --version 2.0.0 --before scale@1.0.0 --after top@1.0.0:probabilities=scores
  $ tidegate deploy iris --version 2.0.0 --rolling --replicas 4 --hold 1m
  $ tidegate deploy iris --version 2.0.0 --blue-green --auto-promote-after 10m --watch 1h
  $ tidegate deploy iris --version 2.0.0 --min-replicas 1 --max-replicas 4 --memory-limit 512Mi
  $ tidegate deploy iris --version 2.0.0 --cache --cache-ttl 10m`,
    )
    .action(async (model: string, options: DeployOptions) => {
      const { trafficBps, resources: wanted, ...config } = configOf(options);
      const resources = withTakenBack(wanted, options);
      const strategy = options.steps === undefined ? config.strategy : ('canary' as const);
      const analysis = analysisOf(options);
      const cohorts = cohortsOf(options);
      const batching = batchingOf(options);
      const pipeline = pipelineOf(options);
      const cache = deploymentCacheOf(options);
      const result = await withChange(options, output, (change) =>
        deployModel({
          ...change,
          model,
          version: options.version,
          strategy,
          ...planRequest(options),
          ...(trafficBps !== undefined && { trafficBps }),
          ...(options.and !== undefined && { others: options.and }),
          ...(analysis !== undefined && { analysis }),
          ...(cohorts !== undefined && { cohorts }),
          ...(pipeline !== undefined && { pipeline }),
          ...(resources !== undefined && { resources }),
          ...(batching !== undefined && { batching }),
          ...(cache !== undefined && { cache }),
        }),
      );
      const { deployment, snapshot, changed, revision } = result;
      const signature = pipelineSignature(deployment, snapshot);
      const lines = changed
        ? deploymentLines(deployment, revision, {
            ...options,
            ...(signature !== undefined && { signature: signatureLine(signature) }),
          })
        : [`${model} ${options.version} was deployed like this already; nothing changed`];
      write(output, { json: deploymentAnswerJson(model, result), lines }, options);
    });
}

function otherOption(text: string, before: readonly Other[] = []): readonly Other[] {
  const [, version, share = ''] = /^(.+)=([^=]+)$/.exec(text) ?? [];
  const trafficBps = parseShareBps(share);
  if (version !== undefined && trafficBps !== undefined) return [...before, { version, trafficBps }];
  throw new InvalidArgumentError('Write another candidate like 3.0.0=10: a version and its percentage.');
}

function configOf(options: DeployOptions): DeploymentConfig {
  const { canary, shadow } = options;
  const share = canary ?? shadow;
  return new DeploymentConfig({
    ...resourceFields(options),
    strategy: strategyOf(options),
    ...(share !== undefined && { canaryTrafficPercentage: share }),
  });
}

function strategyOf({ canary, blueGreen, rolling, shadow }: DeployOptions): DeploymentStrategy {
  if (canary !== undefined) return DeploymentStrategy.CANARY;
  if (blueGreen === true) return DeploymentStrategy.BLUE_GREEN;
  if (rolling === true) return DeploymentStrategy.ROLLING;
  return shadow === undefined ? DeploymentStrategy.IMMEDIATE : DeploymentStrategy.SHADOW;
}
