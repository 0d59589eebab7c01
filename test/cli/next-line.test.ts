/** The lines to paste at the end of an answer mean the store that the command was about, and no other. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { placeText } from '../../cli/options/store-options.ts';
import { CommandLine, modelFile, run } from './command-line.ts';
import { temporaryFolder } from './served.ts';

/** The first line to paste, as words of a shell without quotes in them. */
function pasted(out: string, label = 'Next:'): readonly string[] {
  const line = out.split('\n').find((one) => one.startsWith(label)) ?? '';
  return (/tidegate (.*?)(?: {3,}.*)?$/.exec(line)?.[1] ?? '').split(' ');
}

test('each works when it is pasted, on a store that is somewhere else', async () => {
  const folder = await temporaryFolder();
  const place = ['--store', join(folder, 'my-store'), '--keys', join(folder, 'my-keys')];
  const made = pasted((await run(['init', ...place])).out);
  const publish = made.map((word) =>
    word.replace('<model>', 'iris').replace('<file.onnx>', modelFile('1.0.0')).replace('<version>', '1.0.0'),
  );
  const published = await run(publish);
  expect(published.code).toBe(0);
  expect((await run(pasted(published.out))).out).toContain('iris 1.0.0 is live');
  await run(['publish', 'iris', modelFile('2.0.0'), '--version', '2.0.0', ...place]);
  const canary = await run(['deploy', 'iris', '--version', '2.0.0', '--canary', '5', ...place]);
  expect((await run(pasted(canary.out, '      tidegate rollback'))).out).toContain('iris 1.0.0 is live');
  await run(['deploy', 'iris', '--version', '2.0.0', '--canary', '5', ...place]);
  expect((await run(pasted(canary.out))).out).toContain('iris 2.0.0 is live');
});

test.each([
  [{ store: '.tidegate/store', keys: ['.tidegate/keys'] }, ''],
  [{ store: '/srv/models', keys: ['.tidegate/keys'] }, ' --store /srv/models'],
  [{ store: '.tidegate/store', keys: ['a', '/media/ada'] }, ' --keys a --keys /media/ada'],
  [{ store: "it's here", keys: ['.tidegate/keys'] }, " --store 'it'\\''s here'"],
])('only what is not as usual is printed: %j', (options, text) => {
  expect(placeText(options)).toBe(text);
});

test('a history without changes says of what', async () => {
  const cli = await CommandLine.makeWithIris();
  expect(await cli.ok('history', 'rose')).toBe('The history has no change of rose.\n');
  expect(await cli.ok('history', '--from', '99')).toBe('The history has no change from revision 99 on.\n');
});

test('a token stands alone on standard output, and cannot be made expired', async () => {
  const file = join(await temporaryFolder(), 'tokens.json');
  const made = await run(['token', 'create', 'ci', '--scope', 'read', '--expires', '2h', '--tokens', file]);
  expect(made.code).toBe(0);
  expect(made.out).toMatch(/^\S+\n$/);
  expect(made.err).toMatch(/^The token ci may read until .*It is not shown again\.\n$/);
  const json = await run(['token', 'create', 'cd', '--scope', 'read', '--json', '--tokens', file]);
  expect([json.err, (JSON.parse(json.out) as { name: string }).name]).toEqual(['', 'cd']);
  for (const time of ['0d', '0s']) {
    const refused = await run([
      'token',
      'create',
      'x',
      '--scope',
      'read',
      '--expires',
      time,
      '--tokens',
      file,
    ]);
    expect([refused.code, refused.out]).toEqual([2, '']);
    expect(refused.err).toContain('it would have expired at once');
  }
  expect((await run(['token', 'list', '--tokens', file])).out).not.toMatch(/^x /m);
});

test('what is neither a folder nor an address of a file server is told so', async () => {
  const keys = join(await temporaryFolder(), 'keys');
  const store = 'ftp://example.com/models';
  const verified = await run(['verify', '--store', store, '--keys', keys]);
  expect(verified.err).toBe(`error: ${store} is an address; give the folder of the store here.\n`);
  const served = await run(['serve', '--store', store, '--root', join(keys, 'root.json'), '--port', '0']);
  expect(served.code).toBe(1);
  expect(served.err).toContain(
    `${store} is no store: it is a folder, or an address that begins with https://`,
  );
});
