/** docs/store.md says what is so: its commands are run in order, its pipeline is run as it stands, its tables are compared. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stageMoves } from '../../registry-store/manifest/stage.ts';
import { release } from '../registry-store/platform/pipeline-example.ts';
import { TemporaryStore } from '../registry-store/temporary-store.ts';
import { modelFile, run } from './command-line.ts';

const page = await readFile(new URL('../../docs/store.md', import.meta.url), 'utf8');

function blocks(language: string): readonly string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map(
    ([, text = '']) => text,
  );
}

/** Words of a line as a shell would split it; the page uses double quotes only. */
function words(line: string): readonly string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

describe('the commands of the page', () => {
  const lines = blocks('sh').flatMap((block) => block.replaceAll('\\\n', ' ').trim().split('\n'));
  const before = process.cwd();
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidegate-'));
    await symlink(fileURLToPath(new URL('../../deploy', import.meta.url)), join(folder, 'deploy'));
    process.chdir(folder);
  });

  afterAll(async () => {
    process.chdir(before);
    await rm(folder, { recursive: true, force: true });
  });

  test.each(lines.map((line) => ({ line })))('$line', async ({ line }) => {
    const [program = '', ...args] = words(line);
    if (program === 'tidegate') {
      expect(await run(args)).toMatchObject({ code: 0, err: '' });
    } else {
      expect(['mkdir', 'mv']).toContain(program);
      expect(spawnSync(program, args).status).toBe(0);
    }
  });

  test('are all of those that change a store', () => {
    const used = new Set(lines.map((line) => line.split(' ')[1]));
    for (const command of [
      'publish',
      'deploy',
      'promote',
      'scale',
      'rollback',
      'undeploy',
      'stage',
      'archive',
    ]) {
      expect(used).toContain(command);
    }
  });
});

describe('the pipeline of the page', () => {
  test('is the one that is type-checked and run here', async () => {
    const example = await readFile(
      new URL('../registry-store/platform/pipeline-example.ts', import.meta.url),
      'utf8',
    );
    const code = example.slice(example.indexOf('import '));
    expect(code.replace("'../../../registry-store/main.ts'", "'tidegate'")).toBe(blocks('ts')[0]);
  });

  test('releases a version', async () => {
    const { folder: store, keysFolder: keys } = await TemporaryStore.makeWithIris();
    const said = await release({ store, keys, file: modelFile('1.0.0') });
    expect(said).toBe('revision 9: 3.0.0 after 4 events');
  });
});

test('the table of moves is the one in force', () => {
  const section = page.split('## Lifecycle and history')[1]?.split('\n## ')[0] ?? '';
  const rows = [...section.matchAll(/^\| `(\w+)` +\| (.+?) +\|$/gm)].map(([, from = '', to = '']) => [
    from,
    [...to.matchAll(/`(\w+)`/g)].map(([, stage = '']) => stage),
  ]);
  expect(Object.fromEntries(rows)).toEqual(stageMoves);
});
