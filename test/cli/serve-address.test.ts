/** `tidegate serve` with the address of a store: from any file server, and without it once it was here. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PuppetServer } from '../registry-store/storage/puppet-server.ts';
import { makeIrisStore } from './iris-store.ts';
import { Served, temporaryFolder } from './served.ts';

test('a store at an address is served, and served again when the address is gone', async () => {
  const base = await temporaryFolder();
  const { folder, root } = await makeIrisStore(base);
  const server = await PuppetServer.start(folder);
  const args = ['--store', server.url, '--root', root, '--port', '0'];
  const sizes = ['--cache', join(base, 'cache'), '--cache-size', '1Gi', '--poll', '0.2'];

  const first = await Served.start([...args, ...sizes]);
  expect(await health(await first.url())).toMatchObject({ ready: true, store: { revision: 3, fresh: true } });
  first.child.kill('SIGTERM');
  await first.exited;

  await server.stop();
  const second = await Served.start([...args, ...sizes], first.folder);
  expect(await health(await second.url())).toMatchObject({
    ready: true,
    store: { fresh: false, error: { code: 'SOURCE_UNREACHABLE' } },
  });
  expect(second.err).toContain('serving the last good state');

  const stranger = await Served.start(args);
  expect((await stranger.exited).code).toBe(1);
  expect(stranger.err).toContain('cannot be reached');
});

test.each([
  [['--store', 'https://user:secret@host/store'], /without user, password/],
  [['--store', 'https://host/store', '--dev'], /--dev makes a store of its own in a folder/],
  [['--poll', '0'], /0\.1 to 86400 seconds/],
  [
    ['--control-port', '9', '--port', '9'],
    /--control-port and --port are both 9\. Give the control API a port/,
  ],
] as const)('%j is told to be wrong', async (args, message) => {
  const served = await Served.start(['--port', '0', '--root', '/dev/null', ...args]);
  expect((await served.exited).code).not.toBe(0);
  expect(served.err).toMatch(message);
});

async function health(url: string): Promise<unknown> {
  return (await fetch(`${url}/v2/health/ready`)).json();
}
