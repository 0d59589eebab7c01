/**
 * Makes a fresh clone ready: installs the locked dependencies and compiles, each only when something changed.
 * Plain JavaScript on purpose: it runs before anything is installed.
 *
 * One process at a time does this for a clone, others wait for it. What is compiled takes the place of `dist` when it
 * is whole and stamped, so a run that fails or is killed leaves what was there, and the next one starts from it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { buildStamp, linkCommand } from './after-build.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const sourceFolders = [
  'gateway',
  'runtime',
  'registry-store',
  'client',
  'cli',
  'bench',
  'deploy',
  'docs/examples',
  'test/conformance',
];
const draft = 'dist.next';
const superseded = 'dist.old';
/** A link that leads nowhere: unlike a file it is made and says whose it is in one step. */
const lock = 'dist.lock';
/** An install over a slow line takes minutes. */
const lockWaitMs = 15 * 60_000;
const lockEveryMs = 200;

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 20)) {
  fail(`Tidegate needs Node.js 20.20 or later; this is ${process.versions.node}.`);
}
await takeLock();
if (!isInstalled()) {
  console.log('Installing dependencies (once; about 500 MB, most of it prebuilt binaries) ...');
  run('npm', ['ci', '--no-audit', '--loglevel=error'], 'npm ci failed; see the lines above.');
}
const bundler = 'deploy/bundle.mjs';
const wanted = digest([
  'package-lock.json',
  'tsconfig.json',
  'deploy/tsconfig.json',
  bundler,
  ...sourceFolders.flatMap(sources),
]);
if (readIfThere(`dist/${buildStamp}`) !== wanted) {
  console.log('Compiling ...');
  compile();
}
linkCommand();

/** Held until this process ends. That of a process that is gone is taken over. */
async function takeLock() {
  const mine = String(process.pid);
  const deadlineMs = performance.now() + lockWaitMs;
  for (let hasWaited = false; !tryTo(() => symlinkSync(mine, lock), 'EEXIST');) {
    const holder = tryTo(() => readlinkSync(lock), 'ENOENT');
    if (holder === undefined) continue;
    if (isGone(holder)) {
      removeDead(holder);
      continue;
    }
    if (performance.now() > deadlineMs) {
      fail(
        `Process ${holder} has been preparing this clone for long. If it is something else, remove ${lock}.`,
      );
    }
    if (!hasWaited) console.log(`Waiting for process ${holder}, which is preparing this clone ...`);
    hasWaited = true;
    await wait(lockEveryMs);
  }
  process.on('exit', () => rmSync(lock, { force: true }));
}

function isGone(holder) {
  // Our own number, and we do not hold it: numbers come back, in containers always.
  if (holder === String(process.pid)) return true;
  // One that is not ours is there.
  return !tryTo(() => tryTo(() => process.kill(Number(holder), 0), 'EPERM'), 'ESRCH');
}

/** Somebody else may have taken it over since it was looked at: then what was moved away is theirs, and goes back. */
function removeDead(holder) {
  const aside = `${lock}.${process.pid}`;
  if (!tryTo(() => renameSync(lock, aside), 'ENOENT')) return;
  if (readlinkSync(aside) === holder) rmSync(aside);
  else renameSync(aside, lock);
}

/** Whether `npm ci` was done for this lock file, by whomever; npm writes down what it installed when all is there. */
function isInstalled() {
  const installed = readIfThere('node_modules/.package-lock.json');
  if (installed === undefined) return false;
  const { packages: there } = JSON.parse(installed);
  const { '': own, ...needed } = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages;
  const asked = JSON.parse(readFileSync('package.json', 'utf8'));
  // Where these disagree npm has something to say.
  const isAsked = ['dependencies', 'devDependencies'].every((kind) =>
    isDeepStrictEqual(own[kind], asked[kind]),
  );
  const isThere = ([path, { version, integrity, optional }]) => {
    const found = there[path];
    // Those of other systems are left out.
    if (found === undefined) return optional === true;
    return found.version === version && found.integrity === integrity;
  };
  return isAsked && Object.entries(needed).every(isThere);
}

/** In a folder beside, which then takes the place of `dist`; a gateway that runs from there always finds its files. */
function compile() {
  for (const left of [draft, superseded]) rmSync(left, { recursive: true, force: true });
  const into = ['--outDir', draft, '--tsBuildInfoFile', `${draft}/.tsbuildinfo`];
  // A configuration of its own: while there is no `dist`, the name of the package leads nowhere for the examples.
  const onFailure = 'The build failed; see the lines above.';
  // Types are for `npm run check` and `npm run build`: to check them takes as long as everything else here.
  const compiler = ['node_modules/typescript/bin/tsc', '-p', 'deploy/tsconfig.json', '--noCheck'];
  run(process.execPath, [...compiler, ...into], onFailure);
  run(process.execPath, [bundler, draft], onFailure);
  writeFileSync(`${draft}/${buildStamp}`, wanted);
  tryTo(() => renameSync('dist', superseded), 'ENOENT');
  renameSync(draft, 'dist');
  rmSync(superseded, { recursive: true, force: true });
}

/** Digest of the files that decide the outcome of a step; names are part of it, so a removal counts. */
function digest(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function sources(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((name) => `${folder}/${name}`)
    .filter((name) => name.endsWith('.ts') && statSync(name).isFile())
    .sort();
}

function readIfThere(path) {
  return tryTo(() => readFileSync(path, 'utf8'), 'ENOENT');
}

function run(command, args, onFailure) {
  const result = spawnSync(command, args, { stdio: 'inherit' });
  if (result.status !== 0) fail(onFailure);
}

/** What it answers, or `true` where that is nothing; undefined when it fails in the way that is expected. */
function tryTo(action, expectedCode) {
  try {
    return action() ?? true;
  } catch (error) {
    if (error.code !== expectedCode) throw error;
    return undefined;
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
