/** A server of the suite as a target of load: on this machine, in plain text. */
import { parseTarget, type Target } from '../../cli/bench/load/target.ts';

export function localTarget(port: number): Target {
  const target = parseTarget(`http://127.0.0.1:${port}`);
  if (target === undefined) throw new RangeError(`${port} is no port.`);
  return target;
}
