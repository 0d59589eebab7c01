/**
 * Makes a fresh clone ready: installs the locked dependencies and compiles, each only when something changed.
 * Plain JavaScript on purpose: it runs before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

const installStamp = 'node_modules/.tidegate-installed';
const buildStamp = 'dist/.tidegate-built';
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

function fail(message) {
  console.error(message);
  process.exit(1);
}

function run(command, args, onFailure) {
  const result = spawnSync(command, args, { stdio: 'inherit' });
  if (result.status !== 0) fail(onFailure);
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

function upToDate(stamp, wanted) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 20)) {
  fail(`Tidegate needs Node.js 20.20 or later; this is ${process.versions.node}.`);
}

const lock = digest(['package.json', 'package-lock.json']);
if (!upToDate(installStamp, lock)) {
  console.log('Installing dependencies (once; about 500 MB, most of it prebuilt binaries) ...');
  run('npm', ['ci', '--no-audit', '--loglevel=error'], 'npm ci failed; see the lines above.');
  writeFileSync(installStamp, lock);
}

const wanted = digest(['package-lock.json', 'tsconfig.json', ...sourceFolders.flatMap(sources)]);
if (!upToDate(buildStamp, wanted)) {
  console.log('Compiling ...');
  rmSync('dist', { recursive: true, force: true });
  run('npm', ['run', '--silent', 'build'], 'The build failed; see the lines above.');
  writeFileSync(buildStamp, wanted);
}
linkCommand();

/** Makes `npx tidegate` work in the clone, as it does where the package is installed. */
function linkCommand() {
  chmodSync('dist/cli/main.js', 0o755);
  mkdirSync('node_modules/.bin', { recursive: true });
  rmSync('node_modules/.bin/tidegate', { force: true });
  symlinkSync('../../dist/cli/main.js', 'node_modules/.bin/tidegate');
}
