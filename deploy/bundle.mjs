/**
 * Joins the command and each of its threads to a few files: `node deploy/bundle.mjs <folder of the build>` writes `bin/` in
 * it. A start that reads every module by itself spends half a second of processor time on finding and opening files.
 *
 * The whole tree that tsc wrote stays beside it: that is what `import 'tidegate'`, the tests and the bench use.
 */
import { chmodSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const whole = join(resolve(process.argv[2] ?? 'dist'), 'bin');
/** Takes the place of the other when it is whole: a gateway that runs from there finds its files until then. */
const folder = `${whole}.next`;

/** Native code, what need not be there, and our package.json. */
const external = ['uWebSockets.js', 'msgpackr-extract', '@napi-rs/nice', '#package'];

/** Piscina looks for the module that its threads begin with beside itself, by the name that CommonJS has for the folder. */
const piscina = join(root, 'node_modules/piscina/dist');
const nameOfFolder = 'const __dirname = import.meta.dirname;';

const packages = new Set();
/** Modules of threads by the name of their file; filled while what starts them is bundled. */
const threads = new Map();

/** `new URL('./x.js', import.meta.url)` is how the sources name the module of a thread: that becomes a file of its own. */
const findThreads = {
  name: 'find-threads',
  transform(code, id) {
    if (!id.startsWith(root) || id.includes('node_modules')) return null;
    const found = code.replace(/new URL\('([^']+)\.js', import\.meta\.url\)/g, (_, path) => {
      const module = resolve(dirname(id), `${path}.ts`);
      const name = relative(root, module).replace(/\.ts$/, '').replaceAll('/', '-');
      threads.set(name, module);
      return `new URL('./${name}.js', import.meta.url)`;
    });
    // Nothing changes its line.
    return found === code ? null : { code: found, map: null };
  },
};

async function write(input) {
  const bundle = await rolldown({ cwd: root, platform: 'node', input, external, plugins: [findThreads] });
  const { output } = await bundle.write({
    dir: folder,
    format: 'esm',
    sourcemap: true,
    comments: { legal: true, annotation: false, jsdoc: false },
    entryFileNames: '[name].js',
    // No digest in it: a gateway that runs finds under the same name what it reads later, also when this was built anew.
    chunkFileNames: `${Object.keys(input)[0]}-[name].js`,
    intro: ({ moduleIds }) => (moduleIds.includes(join(piscina, 'index.js')) ? nameOfFolder : ''),
  });
  for (const id of output.flatMap(({ moduleIds = [] }) => moduleIds)) {
    for (const path of /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id) ?? []) packages.add(path);
  }
}

/** The license under which others gave us what the files hold a copy of. */
function licenseOf(path) {
  const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? '' : `\n${readFileSync(join(path, file), 'utf8')}`;
  return `${name} ${version} (${license})\n${text}`;
}

rmSync(folder, { recursive: true, force: true });
await write({ tidegate: 'cli/main.ts' });
// By themselves, so that a thread reads what it needs and nothing else.
const { 'runtime-worker-main': worker, ...others } = Object.fromEntries(threads);
await write({ worker: join(piscina, 'worker.js'), 'runtime-worker-main': worker });
for (const [name, module] of Object.entries(others)) await write({ [name]: module });
writeFileSync(
  join(folder, 'licenses.txt'),
  [...packages]
    .sort()
    .map(licenseOf)
    .join(`\n${'-'.repeat(80)}\n`),
);
chmodSync(join(folder, 'tidegate.js'), 0o755);
rmSync(whole, { recursive: true, force: true });
renameSync(folder, whole);
