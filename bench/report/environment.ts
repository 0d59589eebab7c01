/** Where and with what a run was made, so that its numbers can be judged later. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { wrkVersion } from '../load/wrk.ts';
import { textField } from '../json-field.ts';
import { projectRoot } from '../project-root.ts';

export interface Environment {
  /** Commit that was checked out, with `+changes` when files differ from it; undefined outside a repository. */
  readonly commit: string | undefined;
  readonly cpuModel: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** Of other work, over the last minute before the run; the numbers are only good when it is near 0. */
  readonly loadAverage: number;
  readonly versions: Readonly<Record<string, string | undefined>>;
}

/** Load average from which on something else visibly takes part in the run. */
const busyLoad = 0.5;

const packages = ['onnxruntime-web', 'uWebSockets.js', 'piscina', 'msgpackr', 'fastify', 'autocannon'];

export function readEnvironment(): Environment {
  const versions = Object.fromEntries(packages.map((name) => [name, packageVersion(name)]));
  return {
    commit: commit(),
    cpuModel: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${process.platform} ${process.arch} ${release()}`,
    node: process.version,
    loadAverage: loadavg()[0] ?? 0,
    versions: { ...versions, wrk: wrkVersion() },
  };
}

/** Two lines for people, and a third one when the machine was too busy for the numbers to mean much. */
export function describeEnvironment(environment: Environment): string {
  const { commit, cpuModel, cores, node, loadAverage, versions } = environment;
  const listed = Object.entries(versions).map(([name, version]) => `${name} ${version ?? '(none)'}`);
  return [
    `${cpuModel}, ${cores} cores, load ${loadAverage.toFixed(2)} before; Node ${node}; commit ${commit ?? 'unknown'}`,
    listed.join(', '),
    ...(loadAverage > busyLoad
      ? ['Other work was running before the bench: these numbers mean little.']
      : []),
  ].join('\n');
}

function packageVersion(name: string): string {
  return textField(packageJson(name), 'version');
}

export function packageJson(name: string): unknown {
  const file = new URL(`node_modules/${name}/package.json`, projectRoot);
  return JSON.parse(readFileSync(file, 'utf8'));
}

function commit(): string | undefined {
  const head = git(['rev-parse', '--short=12', 'HEAD']);
  if (head === undefined) return undefined;
  return git(['status', '--porcelain']) === '' ? head : `${head}+changes`;
}

function git(args: readonly string[]): string | undefined {
  const { error, status, stdout } = spawnSync('git', args, {
    cwd: fileURLToPath(projectRoot),
    encoding: 'utf8',
  });
  return error === undefined && status === 0 ? stdout.trim() : undefined;
}
