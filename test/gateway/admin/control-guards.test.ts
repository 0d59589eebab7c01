/** What stands before a change: the limit of failures, names of this machine, the queue, and the list of endpoints. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ChangeQueue } from '../../../gateway/admin/change-queue.ts';
import { controlDocument } from '../../../gateway/admin/control-document.ts';
import { endpoints, matchEndpoint } from '../../../gateway/admin/control-endpoints.ts';
import { controlErrorTable, storeFailure } from '../../../gateway/admin/control-error.ts';
import { controlLimits } from '../../../gateway/admin/control-limits.ts';
import { FailureLimit } from '../../../gateway/admin/failure-limit.ts';
import { LocalCallers } from '../../../gateway/admin/local-callers.ts';
import { isLoopback } from '../../../gateway/admission/local-names.ts';
import { StoreError } from '../../../registry-store/main.ts';
import { schemaCheck } from '../../e2e/json-schema.ts';

const page = readFileSync(new URL('../../../docs/control-api.md', import.meta.url), 'utf8');

describe('failures', () => {
  const limit = (): FailureLimit => new FailureLimit({ max: 3, windowMs: 60_000 });
  const taken = (failures: FailureLimit, address: string, nowMs: number): readonly boolean[] =>
    [1, 2, 3, 4].map(() => failures.take(address, nowMs));

  test('are as many as allowed, and again with time', () => {
    const failures = limit();
    expect(taken(failures, '10.0.0.1', 0)).toEqual([true, true, true, false]);
    expect(taken(failures, '10.0.0.1', 20_000)).toEqual([true, false, false, false]);
    expect(taken(failures, '10.0.0.1', 3_600_000)).toEqual([true, true, true, false]);
    expect(taken(failures, '10.0.0.2', 0)).toEqual([true, true, true, false]);
  });

  test('of one network of IPv6 are one, and IPv4 is the same in both spellings', () => {
    const failures = limit();
    taken(failures, '2001:db8:0:1::1', 0);
    expect(failures.take('2001:db8:0:1:ffff::2', 0)).toBe(false);
    expect(failures.take('2001:db8:0:2::1', 0)).toBe(true);
    taken(failures, '10.0.0.1', 0);
    expect(failures.take('::ffff:10.0.0.1', 0)).toBe(false);
  });

  test('of many addresses do not fill the memory', () => {
    const failures = limit();
    for (let index = 0; index < 10_000; index += 1) failures.take(`10.0.${index >> 8}.${index & 255}`, 0);
    expect(taken(failures, '10.0.0.0', 0)).toEqual([true, true, true, false]);
  });
});

describe('callers', () => {
  const codeOf = (bound: string, host: string, origin = ''): string =>
    new LocalCallers(bound).refusalOf({ host, origin })?.code ?? 'OK';

  test.each([
    ['127.0.0.1', 'localhost:9090', '', 'OK'],
    ['127.0.0.1', '127.0.0.1', 'http://127.0.0.1:3000', 'OK'],
    ['::1', '[::1]:9090', '', 'OK'],
    ['127.0.0.7', '127.0.0.7:1', '', 'OK'],
    ['localhost', 'LOCALHOST', '', 'OK'],
    ['127.0.0.1', '', '', 'HOST_NOT_ALLOWED'],
    ['127.0.0.1', 'example.com', '', 'HOST_NOT_ALLOWED'],
    ['127.0.0.1', 'localhost.example.com:9090', '', 'HOST_NOT_ALLOWED'],
    ['127.0.0.1', 'localhost@example.com', '', 'HOST_NOT_ALLOWED'],
    ['127.0.0.1', 'localhost', 'null', 'ORIGIN_NOT_ALLOWED'],
    ['127.0.0.1', 'localhost', 'http://localhost.example.com', 'ORIGIN_NOT_ALLOWED'],
    ['0.0.0.0', 'node-7.example.com', 'https://example.com', 'OK'],
  ])('bound to %s, host %s and origin %s are %s', (bound, host, origin, code) => {
    expect(codeOf(bound, host, origin)).toBe(code);
  });

  test('loopback is what it is', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '127.example.com', '10.0.0.1'].some(isLoopback)).toBe(false);
  });
});

test('changes run one at a time, in order, whatever becomes of them', async () => {
  const queue = new ChangeQueue(2);
  const seen: string[] = [];
  const work =
    (name: string, fails = false) =>
    async (): Promise<string> => {
      seen.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
  const all = await Promise.allSettled([
    queue.run(work('one', true)),
    queue.run(work('two')),
    queue.run(work('three')),
    queue.run(work('four')),
  ]);
  expect(all.map((one) => (one.status === 'fulfilled' ? one.value : 'rejected'))).toMatchObject([
    'rejected',
    'two',
    'three',
    { code: 'TOO_MANY_CHANGES' },
  ]);
  expect(seen).toEqual(['one', 'two', 'three'].flatMap((name) => [`${name} begins`, `${name} ends`]));
  expect(await queue.run(work('five'))).toBe('five');
});

describe('endpoints', () => {
  test('are found by method and path', () => {
    const found = matchEndpoint('PUT', '/v1/models/iris/versions/1.0.0%2Bbuild/');
    expect(found.found === 'endpoint' && [...found.parameters.values()]).toEqual(['iris', '1.0.0+build']);
    expect(matchEndpoint('HEAD', '/models').found).toBe('endpoint');
    expect(matchEndpoint('PUT', '/v1/models/iris')).toEqual({ found: 'path', allow: ['GET', 'HEAD'] });
    for (const path of [
      '/',
      '',
      '//',
      '/models//',
      '/v1/models/%',
      '/v1/deployments/iris/delete',
      '/models/a/b',
    ]) {
      expect(matchEndpoint('GET', path).found, path).toBe('nothing');
    }
  });

  test('stand once in the list, in the description and in the documentation', () => {
    const routes = endpoints.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(routes).size).toBe(routes.length);
    const { paths } = controlDocument('1') as { paths: Record<string, Record<string, unknown>> };
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(routes.toSorted());
    const documented = [...page.matchAll(/^\| `([A-Z]+ \/\S*)`\s*\|\s*`(\w+)`/gm)].map(
      ([, route, scope]) => `${route} ${scope}`,
    );
    expect(documented.toSorted()).toEqual(
      endpoints.map(({ method, path, scope }) => `${method} ${path} ${scope}`).toSorted(),
    );
  });

  test('have schemas that a validator takes', () => {
    const { components } = controlDocument('1') as { components: { schemas: Record<string, object> } };
    for (const name of Object.keys(components.schemas)) {
      expect(() => schemaCheck({ $ref: `#/components/schemas/${name}`, components })).not.toThrow();
    }
  });
});

describe('the documentation', () => {
  test('lists every error code with its status, and no other', () => {
    const rows = [...page.matchAll(/^\| `([A-Z_]+)`\s*\|\s*(\d{3})\s*\|/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ]);
    const wanted = Object.entries(controlErrorTable).map(([code, { status }]) => [code, status]);
    expect(rows.toSorted()).toEqual(wanted.toSorted());
  });

  test('lists every limit with its default', () => {
    const rows = [...page.matchAll(/^\| `(\w+)`\s*\|\s*(\d+)\s*\|/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]);
    const limits: readonly (readonly unknown[])[] = Object.entries(controlLimits);
    expect(rows.filter(([name]) => limits.some(([limit]) => limit === name))).toEqual(limits);
  });
});

test('what the store says of places on this machine stays here', () => {
  const { message } = storeFailure(new StoreError('FILE_UNREADABLE', '/srv/secret cannot be read (EACCES).'));
  expect(message).not.toContain('/srv');
  expect(storeFailure(new StoreError('UNKNOWN_MODEL', 'The store has no model "x".')).message).toContain(
    '"x"',
  );
});
