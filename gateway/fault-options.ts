/** What the limits of the gateway mean for its pools of threads. */
import { faultLimitsDefault } from '../runtime/pool/fault-record.ts';
import type { PoolOptions } from '../runtime/pool/pool-options.ts';
import type { Limits } from './admission/limits.ts';

export function faultOptions(
  limits: Limits,
): Pick<
  PoolOptions,
  'runMsMax' | 'loadMsMax' | 'loadBehindMsMax' | 'spareMsMax' | 'faults' | 'threadMemoryBytesMax'
> {
  const { runMsMax, loadMsMax, loadBehindMsMax, spareMsMax, threadMemoryBytesMax, threadLossesMax } = limits;
  const faults = { ...faultLimitsDefault, lossesMax: threadLossesMax };
  return { runMsMax, loadMsMax, loadBehindMsMax, spareMsMax, threadMemoryBytesMax, faults };
}
