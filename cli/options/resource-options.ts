/** Options that say how much a deployment may use, for `deploy` and `scale`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { DeploymentConfig, DeploymentConfigOptions, ScaleOptions } from '../../registry-store/main.ts';
import { coresOption, countOption, memoryOption, type OrNone, orNone, percentOption } from './quantity.ts';

export interface ResourceOptions {
  readonly replicas?: OrNone<number>;
  readonly minReplicas?: OrNone<number>;
  readonly maxReplicas?: number;
  readonly targetCpu?: number;
  readonly cpuLimit?: string;
  readonly memoryLimit?: string;
}

export function addResourceOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--replicas <number>',
        'threads on each node that hold it; none for all, the default',
      ).argParser(orNone(countOption)),
    )
    .addOption(
      new Option('--min-replicas <number>', 'scale between this (none: no longer)').argParser(
        orNone(countOption),
      ),
    )
    .addOption(new Option('--max-replicas <number>', 'and this many threads').argParser(countOption))
    .addOption(
      new Option('--target-cpu <percent>', 'by how busy the threads are (default: 70)').argParser(
        percentOption,
      ),
    )
    .addOption(
      new Option(
        '--cpu-limit <cores>',
        'such as 1.5 or 1500m; that many threads, rounded up; none for no limit',
      ).argParser(orNone(coresOption)),
    )
    .addOption(
      new Option(
        '--memory-limit <size>',
        'such as 512Mi; what takes more is not loaded; none for no limit',
      ).argParser(orNone(memoryOption)),
    );
}

export function resourceFields(
  options: ResourceOptions,
): Omit<DeploymentConfigOptions, 'strategy' | 'canaryTrafficPercentage'> {
  const { replicas, minReplicas, maxReplicas, targetCpu, cpuLimit, memoryLimit } = options;
  if (minReplicas === 'none' && (maxReplicas ?? targetCpu) !== undefined) {
    throw new InvalidArgumentError(
      '--min-replicas none ends the scaling: leave out --max-replicas and --target-cpu.',
    );
  }
  return {
    ...(typeof replicas === 'number' && { replicas }),
    ...(typeof minReplicas === 'number' && { minReplicas }),
    ...(maxReplicas !== undefined && { maxReplicas }),
    ...(targetCpu !== undefined && { targetCpuUtilization: targetCpu }),
    ...(cpuLimit !== undefined && cpuLimit !== 'none' && { cpuLimit }),
    ...(memoryLimit !== undefined && memoryLimit !== 'none' && { memoryLimit }),
  };
}

/** Those that were checked, and with them what is taken back; undefined leaves all of it as it is. */
export function withTakenBack(
  wanted: DeploymentConfig['resources'],
  { replicas, minReplicas, cpuLimit, memoryLimit }: ResourceOptions,
): ScaleOptions['resources'] {
  const resources = {
    ...wanted,
    ...(replicas === 'none' && { replicas: null }),
    ...(minReplicas === 'none' && { autoScaling: null }),
    ...(cpuLimit === 'none' && { cpuLimitMillis: null }),
    ...(memoryLimit === 'none' && { memoryLimitBytes: null }),
  };
  return Object.keys(resources).length === 0 ? undefined : resources;
}
