/** Options that say how much a deployment may use, for `deploy` and `scale`. */
import { type Command, Option } from 'commander';
import type { DeploymentConfigOptions } from '../registry-store/main.ts';
import { coresOption, countOption, percentOption, sizeOption } from './quantity.ts';

export interface ResourceOptions {
  readonly replicas?: number;
  readonly minReplicas?: number;
  readonly maxReplicas?: number;
  readonly targetCpu?: number;
  readonly cpuLimit?: string;
  readonly memoryLimit?: string;
}

export function addResourceOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--replicas <number>', 'threads on each node that hold it (default: all)').argParser(
        countOption,
      ),
    )
    .addOption(new Option('--min-replicas <number>', 'scale between this').argParser(countOption))
    .addOption(new Option('--max-replicas <number>', 'and this many threads').argParser(countOption))
    .addOption(
      new Option('--target-cpu <percent>', 'by how busy the threads are (default: 70)').argParser(
        percentOption,
      ),
    )
    .addOption(
      new Option('--cpu-limit <cores>', 'such as 1.5 or 1500m; that many threads, rounded up').argParser(
        coresOption,
      ),
    )
    .addOption(
      new Option('--memory-limit <size>', 'such as 512Mi; what takes more is not loaded').argParser(
        sizeOption,
      ),
    );
}

export function resourceFields(
  options: ResourceOptions,
): Omit<DeploymentConfigOptions, 'strategy' | 'canaryTrafficPercentage'> {
  const { replicas, minReplicas, maxReplicas, targetCpu, cpuLimit, memoryLimit } = options;
  return {
    ...(replicas !== undefined && { replicas }),
    ...(minReplicas !== undefined && { minReplicas }),
    ...(maxReplicas !== undefined && { maxReplicas }),
    ...(targetCpu !== undefined && { targetCpuUtilization: targetCpu }),
    ...(cpuLimit !== undefined && { cpuLimit }),
    ...(memoryLimit !== undefined && { memoryLimit }),
  };
}
