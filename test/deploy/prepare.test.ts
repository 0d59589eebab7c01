/**
 * What runs before `npm start` in a clone, as processes on a small project of the same form: its compiler is slow and
 * says when it runs. Two at a time, a killed one, a failed one and an install by hand all leave a clone that starts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';

/** Writes the sources, one after the other; fails on one that says so. Each run leaves a line in `compiled`. */
const compiler = `
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
const out = process.argv[process.argv.indexOf('--outDir') + 1];
appendFileSync('compiled', 'run\\n');
for (const name of ['main', 'other']) {
  const source = readFileSync('cli/' + name + '.ts', 'utf8');
  if (source.includes('error')) process.exit(2);
  mkdirSync(out + '/cli', { recursive: true });
  writeFileSync(out + '/cli/' + name + '.js', source);
  await wait(Number(process.env.COMPILE_MS ?? 0));
}
`;
/** Stands for what joins the modules: here the command has one. */
const bundler = `
import { cpSync } from 'node:fs';
const [, , out] = process.argv;
cpSync(out + '/cli/main.js', out + '/bin/tidegate.js');
`;
const manifest = { name: 'project', version: '1.0.0', devDependencies: { typescript: 'file:compiler' } };
const installed = {
  compiler: { name: 'typescript', version: '1.0.0', dev: true },
  'node_modules/typescript': { resolved: 'compiler', link: true },
};
const otherSystem = { version: '1.0.0', integrity: 'sha512-none', optional: true };

class Clone {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Installed as `npm ci` leaves it. */
  static async make(): Promise<Clone> {
    const clone = new Clone(await mkdtemp(join(tmpdir(), 'tidegate-prepare-')));
    onTestFinished(() => rm(clone.folder, { recursive: true, force: true }));
    const script = (name: string): URL => new URL(`../../deploy/${name}`, import.meta.url);
    for (const name of ['prepare.mjs', 'after-build.mjs']) {
      await cp(script(name), clone.path(`deploy/${name}`), { recursive: true });
    }
    const lock = { lockfileVersion: 3, requires: true };
    const own = { name: manifest.name, version: manifest.version, devDependencies: manifest.devDependencies };
    const packages = { '': own, ...installed, 'node_modules/other-system': otherSystem };
    await clone.write('package.json', JSON.stringify(manifest));
    await clone.write('package-lock.json', JSON.stringify({ ...lock, packages }));
    await clone.write('node_modules/.package-lock.json', JSON.stringify({ ...lock, packages: installed }));
    await clone.write('compiler/package.json', JSON.stringify({ name: 'typescript', version: '1.0.0' }));
    await clone.write('compiler/bin/tsc', `import(${JSON.stringify('./tsc.mjs')});`);
    await clone.write('compiler/bin/tsc.mjs', compiler);
    await symlink('../compiler', clone.path('node_modules/typescript'));
    await clone.write('deploy/bundle.mjs', bundler);
    await clone.write('tsconfig.json', '{}');
    await clone.write('deploy/tsconfig.json', '{}');
    await clone.write('cli/main.ts', 'first');
    await clone.write('cli/other.ts', 'first');
    return clone;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, text: string): Promise<void> {
    await mkdir(join(this.path(name), '..'), { recursive: true });
    await writeFile(this.path(name), text);
  }

  start(compileMs: number): Run {
    return new Run(this.folder, compileMs);
  }

  /** Exit code and what was said, by one run from start to end. */
  prepare(): Promise<{ readonly code: number | null; readonly said: string }> {
    return this.start(0).done;
  }

  async built(): Promise<readonly string[]> {
    const main = await readFile(this.path('dist/cli/main.js'), 'utf8');
    return [main, await readFile(this.path('dist/cli/other.js'), 'utf8')];
  }

  async compilations(): Promise<number> {
    return (await readFile(this.path('compiled'), 'utf8')).split('\n').length - 1;
  }

  async leftovers(): Promise<readonly string[]> {
    return (await readdir(this.folder)).filter((name) => name.startsWith('dist.')).sort();
  }
}

class Run {
  readonly child: ChildProcess;
  readonly done: Promise<{ readonly code: number | null; readonly said: string }>;
  said = '';

  constructor(folder: string, compileMs: number) {
    // Its own group, so that a kill takes the compiler with it.
    this.child = spawn(process.execPath, ['deploy/prepare.mjs'], {
      cwd: folder,
      detached: true,
      env: { ...process.env, COMPILE_MS: String(compileMs) },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (bytes: Buffer) => (this.said += bytes.toString()));
    }
    this.done = once(this.child, 'close').then(([code]: (number | null)[]) => ({
      code: code ?? null,
      said: this.said,
    }));
  }

  kill(): void {
    process.kill(-(this.child.pid ?? 0), 'SIGKILL');
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await wait(10);
}

describe('preparing a clone', () => {
  test('compiles once, stamps it, and does nothing while nothing changes', async () => {
    const clone = await Clone.make();
    expect(await clone.prepare()).toEqual({ code: 0, said: 'Compiling ...\n' });
    expect(await clone.prepare()).toEqual({ code: 0, said: '' });
    await clone.write('cli/main.ts', 'second');
    expect((await clone.prepare()).said).toBe('Compiling ...\n');
    expect(await clone.built()).toEqual(['second', 'first']);
    expect(await readlink(clone.path('node_modules/.bin/tidegate'))).toBe('../../dist/bin/tidegate.js');
    expect(await readFile(clone.path('dist/bin/tidegate.js'), 'utf8')).toBe('second');
    expect(await clone.leftovers()).toEqual([]);
  });

  test('has the second of two wait for the first, which compiles for both', async () => {
    const clone = await Clone.make();
    const first = clone.start(500);
    await until(() => existsSync(clone.path('compiled')));
    const others = [clone.start(500), clone.start(500)];
    const done = await Promise.all([first, ...others].map((run) => run.done));
    expect(done.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(done.slice(1).map(({ said }) => said)).toEqual(
      Array.from({ length: 2 }, () => expect.stringMatching(/^Waiting for process \d+.*\n/) as string),
    );
    expect(await clone.compilations()).toBe(1);
    expect(await clone.built()).toEqual(['first', 'first']);
    expect(await clone.leftovers()).toEqual([]);
  });

  test('keeps what was compiled before until the new is whole', async () => {
    const clone = await Clone.make();
    await clone.prepare();
    await clone.write('cli/main.ts', 'second');
    await clone.write('cli/other.ts', 'second');
    const run = clone.start(300);
    let looks = 0;
    while (run.child.exitCode === null) {
      // Between the two renames of the swap there is nothing for a moment.
      const texts = await clone.built().catch(() => undefined);
      // Read in this order, a new first file means a new second one.
      if (texts?.[0] === 'second') expect(texts[1]).toBe('second');
      if (texts !== undefined) looks++;
      await wait(5);
    }
    expect(looks).toBeGreaterThan(10);
    expect(await clone.built()).toEqual(['second', 'second']);
  });

  test('takes over from one that was killed while it compiled', async () => {
    const clone = await Clone.make();
    await clone.prepare();
    await clone.write('cli/main.ts', 'second');
    const killed = clone.start(60_000);
    await until(() => existsSync(clone.path('dist.next/cli/main.js')));
    killed.kill();
    await killed.done;
    expect(await clone.leftovers()).toEqual(['dist.lock', 'dist.next']);
    expect(await clone.built()).toEqual(['first', 'first']);
    const done = await Promise.all([clone.prepare(), clone.prepare(), clone.prepare()]);
    expect(done.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(await clone.built()).toEqual(['second', 'first']);
    expect(await clone.leftovers()).toEqual([]);
    expect(await clone.compilations()).toBe(3);
  });

  test('leaves what is there when a build fails, says so without a stack, and builds again once it is mended', async () => {
    const clone = await Clone.make();
    await clone.prepare();
    await clone.write('cli/other.ts', 'error');
    for (let start = 1; start <= 2; start++) {
      const { code, said } = await clone.prepare();
      expect([code, said]).toEqual([1, 'Compiling ...\nThe build failed; see the lines above.\n']);
      expect(await clone.built()).toEqual(['first', 'first']);
    }
    await clone.write('cli/other.ts', 'second');
    expect((await clone.prepare()).code).toBe(0);
    expect(await clone.built()).toEqual(['first', 'second']);
  });

  test('installs when what is installed is not what is locked, and only then', async () => {
    const clone = await Clone.make();
    await clone.write('node_modules/mine', '');
    expect((await clone.prepare()).said).toBe('Compiling ...\n');
    expect(existsSync(clone.path('node_modules/mine'))).toBe(true);
    const name = 'node_modules/.package-lock.json';
    const listed = await readFile(clone.path(name), 'utf8');
    await clone.write(name, listed.replace('"version":"1.0.0"', '"version":"0.9.0"'));
    const { code, said } = await clone.prepare();
    expect(said).toMatch(/^Installing dependencies/);
    expect(code).toBe(0);
    // npm ci starts from nothing.
    expect(existsSync(clone.path('node_modules/mine'))).toBe(false);
    expect((await clone.prepare()).said).toBe('');
  });
});
