/**
 * The server library is a prebuilt binary. This holds the one that this machine loads against the digests that were
 * recorded when the version was chosen (uws-binary-digests.json: sha256 of each file of the package as installed).
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import digests from './uws-binary-digests.json' with { type: 'json' };

const { platform, arch, versions } = process;

test('the server binary of this platform is the one that was reviewed', () => {
  const name = `uws_${platform}_${arch}_${versions.modules}.node`;
  const file = createRequire(import.meta.url).resolve(`uWebSockets.js/${name}`);
  const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
  expect(digest).toBe(new Map(Object.entries(digests)).get(name));
});
