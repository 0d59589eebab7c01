/** Options of `serve` about rollouts: what is read, what of the secret is kept, and what is refused before anything starts. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addRoutingOptions, type RoutingOptions, routingOf } from '../../../cli/options/routing-options.ts';
import { run } from '../command-line.ts';
import { temporaryFolder } from '../served.ts';

const secret = '0123456789abcdef0123456789abcdef';

async function secretFile(text: string): Promise<string> {
  const file = join(await temporaryFolder(), 'force-token');
  writeFileSync(file, text);
  return file;
}

function parsed(...args: readonly string[]): ReturnType<typeof routingOf> {
  const command = addRoutingOptions(new Command());
  return routingOf(command.parse(args, { from: 'user' }).opts<RoutingOptions>());
}

test('nothing said leaves the places of keys to the gateway, and everybody may choose', () => {
  expect(parsed()).toEqual({ callerSources: [], missingKey: 'random', forceVersion: 'any' });
});

test('places of keys in their order', () => {
  expect(
    parsed('--routing-key', 'cookie:uid', '--routing-key', 'address', '--missing-key', 'reject'),
  ).toEqual({
    callerSources: [],
    keySources: [{ kind: 'cookie', name: 'uid' }, { kind: 'address' }],
    missingKey: 'reject',
    forceVersion: 'any',
  });
});

test('proxies that are trusted, and the header they set', () => {
  expect(
    parsed('--trusted-proxy', '10.0.0.0/8, fd00::1', '--proxy-header', 'forwarded').trustedProxies,
  ).toEqual({
    ranges: [
      { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
      { address: 'fd00::1', prefix: 128, family: 'ipv6' },
    ],
    header: 'forwarded',
  });
});

test('of the secret only a digest is kept, without the end of the line', async () => {
  const { forceVersion } = parsed(
    '--force-version',
    'token',
    '--force-token-file',
    await secretFile(`${secret}\n`),
  );
  expect(forceVersion).toEqual({ tokenSha256: createHash('sha256').update(secret).digest() });
});

describe('refused before anything starts:', () => {
  test.each([
    [['--missing-key', 'guess'], /Allowed choices are random, stable, reject/],
    [['--trusted-proxy', '0.0.0.0/0'], /no range of proxies/],
    [['--trusted-proxy', 'gateway'], /no range of proxies/],
    [['--proxy-header', 'x-real-ip'], /Allowed choices are x-forwarded-for, forwarded/],
    [['--routing-key', 'address:x'], /no place for a key/],
    [['--routing-key', 'body:user'], /no place for a key/],
    [
      ['--routing-key', 'body:/a', '--routing-key', 'header:b', '--routing-key', 'body:/c'],
      /in the body side by side/,
    ],
    [['--force-version', 'some'], /Allowed choices are any, none, token/],
    [['--force-version', 'token'], /go together/],
    [['--force-token-file', '/nowhere'], /go together/],
    [['--force-version', 'token', '--force-token-file', '/nowhere'], /cannot be read/],
  ])('%j', async (options, message) => {
    const { code, err } = await run(['serve', ...options]);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  test.each([
    ['a short secret', 'short'],
    ['two lines', `${secret}\n${secret}`],
    ['nothing', ''],
    ['a secret that is too long', 'a'.repeat(1025)],
  ])('%s', async (_, text) => {
    const { code, err } = await run([
      'serve',
      '--force-version',
      'token',
      '--force-token-file',
      await secretFile(text),
    ]);
    expect(code).toBe(2);
    expect(err).toMatch(/must be 16 to 1024 printable/);
    if (text !== '') expect(err).not.toContain(text);
  });
});
