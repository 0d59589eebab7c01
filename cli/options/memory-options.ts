/** Options of `serve` about the memory that models may take, and which of them never leave it. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { GatewayOptions } from '../../gateway/gateway-options.ts';
import { parseSizeBytes } from '../../registry-store/platform/quantity.ts';
import { sizeOption } from './quantity.ts';

export interface MemoryOptions {
  readonly modelMemory?: string;
  readonly pin: readonly string[];
}

export function addMemoryOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--model-memory <size>',
        'memory for models; those that do not fit are loaded when somebody asks (default: no limit)',
      )
        .env('TIDEGATE_MODEL_MEMORY')
        .argParser(sizeOption),
    )
    .addOption(
      new Option('--pin <model>', 'keep this model in memory, whoever else needs the room; may be repeated')
        .env('TIDEGATE_PIN')
        .default([], 'none')
        .argParser(collectModels),
    );
}

/** For the gateway. */
export function memoryOf({
  modelMemory,
  pin,
}: MemoryOptions): Pick<GatewayOptions, 'modelMemoryBytesMax' | 'pinnedModels'> {
  if (modelMemory === undefined) return { pinnedModels: pin };
  const modelMemoryBytesMax = Math.floor(parseSizeBytes(modelMemory) ?? 0);
  if (modelMemoryBytesMax >= 1) return { modelMemoryBytesMax, pinnedModels: pin };
  throw new InvalidArgumentError('Models need memory. Leave --model-memory away for no limit.');
}

/** Given by option several times, or by environment variable with spaces or commas between. */
function collectModels(text: string, before: readonly string[]): readonly string[] {
  return [...before, ...text.split(/[\s,]+/).filter((part) => part !== '')];
}
