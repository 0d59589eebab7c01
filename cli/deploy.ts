/** `tidegate deploy`: puts a published version live, at once or beside the one that is. Running gateways follow at once. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  DeploymentConfig,
  DeploymentStrategy,
  deployModel,
  type RolloutStep,
} from '../registry-store/main.ts';
import { deploymentAnswerJson, deploymentLines } from './deployment-answer.ts';
import { type Output, write } from './output.ts';
import { durationOption, shareOption, sharesOption } from './quantity.ts';
import { type ResourceOptions, addResourceOptions, resourceFields } from './resource-options.ts';
import { type ChangeOptions, addChangeOptions, withChange } from './store-options.ts';

interface DeployOptions extends ChangeOptions, ResourceOptions {
  readonly version: string;
  readonly canary?: number;
  readonly blueGreen?: true;
  readonly rolling?: true;
  readonly shadow?: number;
  readonly steps?: readonly number[];
  readonly hold?: number;
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
      new Option('--blue-green', 'stand it beside the live version until it is promoted').conflicts([
        'rolling',
        'shadow',
        'steps',
      ]),
    )
    .addOption(
      new Option(
        '--rolling',
        'replace the live version replica by replica (recorded, not carried out yet)',
      ).conflicts(['shadow', 'steps']),
    )
    .addOption(
      new Option('--shadow <percent>', 'give it copies of a share of the requests, answers unused').argParser(
        shareOption,
      ),
    )
    .addOption(
      new Option('--steps <percents>', 'a canary whose share grows like this, while it is no worse')
        .argParser(sharesOption)
        .conflicts(['shadow']),
    )
    .addOption(
      new Option(
        '--hold <time>',
        'with --steps: hold each so long; without it each waits for approval',
      ).argParser(durationOption),
    );
  addChangeOptions(addResourceOptions(command))
    .addHelpText(
      'after',
      `
Without a strategy it takes all traffic at once. The version that was live stays loaded, so going back is
"tidegate rollback". With a strategy it stands beside the live version until "tidegate promote <model>". Each gateway
goes through the steps by itself, and back to the live version by itself when the new one fails more.

Examples:
  $ tidegate deploy iris --version 2.0.0
  $ tidegate deploy iris --version 2.0.0 --canary 5 --why "new petals"
  $ tidegate deploy iris --version 2.0.0 --steps 1,5,25,50,100 --hold 10m
  $ tidegate deploy iris --version 2.0.0 --min-replicas 1 --max-replicas 4 --memory-limit 512Mi`,
    )
    .action(async (model: string, options: DeployOptions) => {
      const { strategy, trafficBps, resources } = configOf(options);
      const steps = stepsOf(options);
      const result = await withChange(options, output, (change) =>
        deployModel({
          ...change,
          model,
          version: options.version,
          ...(steps === undefined ? { strategy } : { strategy: 'canary' as const, steps }),
          ...(trafficBps !== undefined && { trafficBps }),
          ...(resources !== undefined && { resources }),
        }),
      );
      const { deployment, changed, revision } = result;
      const lines = changed
        ? deploymentLines(deployment, revision)
        : [`${model} ${options.version} was deployed like this already; nothing changed`];
      write(output, { json: deploymentAnswerJson(model, result), lines }, options);
    });
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

function stepsOf({ steps, hold: holdMs }: DeployOptions): readonly RolloutStep[] | undefined {
  if (steps === undefined && holdMs !== undefined) {
    throw new InvalidArgumentError('--hold goes with --steps, such as --steps 1,5,25,50,100.');
  }
  return steps?.map((trafficBps) => ({ trafficBps, ...(holdMs !== undefined && { holdMs }) }));
}

function strategyOf({ canary, blueGreen, rolling, shadow }: DeployOptions): DeploymentStrategy {
  if (canary !== undefined) return DeploymentStrategy.CANARY;
  if (blueGreen === true) return DeploymentStrategy.BLUE_GREEN;
  if (rolling === true) return DeploymentStrategy.ROLLING;
  return shadow === undefined ? DeploymentStrategy.IMMEDIATE : DeploymentStrategy.SHADOW;
}
