/**
 * `npm run bench -- profile`: where the event loop of the gateway spends its time under load, as flame graphs and as
 * microseconds a request by part of the code. V8 samples; a sample says nothing of what the kernel does inside of a system
 * call but how long it took.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { demoModels } from '../deploy/demo/demo-models.ts';
import { Children } from './children.ts';
import { answersPerSecond } from './load/load-report.ts';
import { runWrk, wrkVersion } from './load/wrk.ts';
import { startGateway } from './peers/gateway.ts';
import { describeEnvironment, readEnvironment } from './report/environment.ts';
import { callTree, type CpuProfile, flameGraph, timeByOwner } from './report/flame-graph.ts';
import { floodOnce } from './stream-speed.ts';
import { inferPath, jsonRequest, modelName } from './workload.ts';

export interface ProfileOptions {
  readonly seconds: number;
  /** Takes the drawings; made if need be. */
  readonly out: string;
  /** Empty; removed by the caller. */
  readonly folder: string;
}

/** Samples are taken this often, microseconds. */
const sampleUs = 200;

/** `args` behind `profile`. Ends the process for --help and for what makes no sense, with a message. */
export function parseProfile(args: readonly string[]): Pick<ProfileOptions, 'seconds' | 'out'> {
  return new Command('npm run bench -- profile')
    .description('Draws where the event loop of the gateway spends its time under load. Needs wrk.')
    .option('--seconds <count>', 'length of the load', wholeNumber, 10)
    .option('--out <folder>', 'where the drawings go', 'bench/results/profiles')
    .allowExcessArguments(false)
    .parse(args, { from: 'user' })
    .opts();
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 600) return value;
  throw new InvalidArgumentError('Give a whole number from 1 to 600.');
}

interface Load {
  readonly name: string;
  readonly title: string;
  /** Resolves with how many requests were answered in a second. */
  readonly run: (children: Children, port: number) => Promise<number>;
}

/** Always resolves with true: there is nothing to be wrong but what throws. */
export async function drawProfiles({ seconds, out, folder }: ProfileOptions): Promise<boolean> {
  if (wrkVersion() === undefined) throw new Error('The load comes from wrk: apt install wrk');
  const sample = demoModels().find(({ name }) => name === modelName)?.sample;
  if (sample === undefined) throw new Error(`There is no demo model ${modelName}.`);
  const loads: readonly Load[] = [
    {
      name: 'json-256',
      title: 'iris, JSON over HTTP, 256 connections',
      run: async (children, port) => {
        const url = `http://127.0.0.1:${port}${inferPath}`;
        const load = { url, body: jsonRequest(sample), connections: 256, seconds, warmUpSeconds: 0 };
        return answersPerSecond(await runWrk(children, load, folder));
      },
    },
    {
      name: 'stream-64x16',
      title: 'iris, msgpack over WebSocket, 64 sockets with 16 rows in flight each',
      run: (children, port) => floodOnce(children, port, { rows: 1, sockets: 64, inflight: 16, seconds }),
    },
  ];
  console.log(describeEnvironment(readEnvironment()));
  mkdirSync(out, { recursive: true });
  for (const load of loads) {
    const { profile, window, requests } = await profiled(load, { seconds, folder });
    const tree = callTree(profile, window);
    const perRequestUs = tree.us / requests;
    const title = `${load.title}: ${perRequestUs.toFixed(1)} us of the event loop a request`;
    const file = join(out, `${load.name}.svg`);
    writeFileSync(file, flameGraph(tree, { title, requests }));
    console.log(`\n${title}`);
    for (const [owner, us] of timeByOwner(tree)) {
      const line = `${(us / requests).toFixed(2).padStart(6)} us ${((us / tree.us) * 100).toFixed(0).padStart(3)} %`;
      console.log(`  ${owner.padEnd(12)} ${line}`);
    }
    console.log(`  ${file}`);
  }
  return true;
}

/** A gateway of its own, loaded once to warm up and once to be looked at. It writes its profile when it ends. */
async function profiled(
  load: Load,
  { seconds, folder }: Pick<ProfileOptions, 'seconds' | 'folder'>,
): Promise<{
  readonly profile: CpuProfile;
  readonly window: { readonly fromUs: number; readonly toUs: number };
  readonly requests: number;
}> {
  const children = new Children();
  const profiles = join(folder, `profiles-${load.name}`);
  const home = join(folder, load.name);
  mkdirSync(home);
  try {
    const options = ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-interval=${sampleUs}`];
    // Not the joined files: a profile says of a function which file it is in, and that is how we know its part of the code.
    const port = await startGateway(children, home, ['--dev'], { options, script: 'dist/cli/main.js' });
    await load.run(children, port);
    const perSecond = await load.run(children, port);
    const endUs = clockUs();
    // The middle of the load: its process starts before it and ends after it.
    const window = { fromUs: endUs - seconds * 0.9e6, toUs: endUs - seconds * 0.1e6 };
    const requests = perSecond * seconds * 0.8;
    await children.stopAll();
    // The event loop is thread 0: CPU.<date>.<time>.<process>.<thread>.<count>.cpuprofile
    const file = readdirSync(profiles).find((name) => /\.0\.\d+\.cpuprofile$/.test(name));
    if (file === undefined) throw new Error('The gateway left no profile.');
    return {
      profile: JSON.parse(readFileSync(join(profiles, file), 'utf8')) as CpuProfile,
      window,
      requests,
    };
  } finally {
    await children.stopAll();
  }
}

/** On the clock that V8 samples by. */
function clockUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
