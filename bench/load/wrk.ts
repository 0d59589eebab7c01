/**
 * Load from `wrk`, where it is installed: one thread in C, which leaves the machine to the server and so measures
 * capacity. The request is fixed, so its script runs once at the start and once at the end, not per request.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Children } from '../children.ts';
import { type LoadReport, parseLoadReport } from './load-report.ts';
import type { HttpLoad } from './http-load.ts';

/** The version line of the installed `wrk`, undefined when there is none. */
export function wrkVersion(): string | undefined {
  const { error, stdout, stderr } = spawnSync('wrk', ['-v'], { encoding: 'utf8' });
  if (error !== undefined) return undefined;
  return /wrk (\S+)/.exec(`${stdout}${stderr}`)?.[1];
}

/** `folder` takes the script; whoever made it removes it. */
export async function runWrk(children: Children, load: HttpLoad, folder: string): Promise<LoadReport> {
  const script = join(folder, 'wrk.lua');
  writeFileSync(script, wrkScript(load.body));
  const run = (seconds: number): Promise<string> => {
    const options = ['--threads', '1', '--connections', String(load.connections), '--timeout', '10s'];
    const args = [...options, '--duration', `${seconds}s`, '--script', script, load.url];
    return children.start({ name: 'wrk', file: 'wrk', args, channel: false }).output();
  };
  // wrk counts in whole seconds.
  if (load.warmUpSeconds > 0) await run(Math.ceil(load.warmUpSeconds));
  return parseWrkOutput(await run(Math.ceil(load.seconds)));
}

const marker = 'tidegate-bench ';

/** `body` must not hold `]==]`, which no JSON of numbers and names does. */
export function wrkScript(body: string): string {
  return `wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[${body}]==]
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\n${marker}{"answers":%d,"failures":%d,"seconds":%.6f,"p50Us":%.1f,"p99Us":%.1f,"p999Us":%.1f}\\n',
    summary.requests - e.status, e.status + e.connect + e.read + e.write + e.timeout, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
`;
}

export function parseWrkOutput(output: string): LoadReport {
  const line = output.split('\n').find((candidate) => candidate.startsWith(marker));
  if (line === undefined) throw new Error(`wrk printed no result:\n${output}`);
  return parseLoadReport(line.slice(marker.length));
}
