/** What the control API does not do: for whom, from where, and with what it is turned away, and that nothing changed then. */
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeToken } from '../../gateway/admin/control-tokens.ts';
import { changeTokenFile } from '../../gateway/admin/token-file.ts';
import { readStatus } from '../../registry-store/main.ts';
import { benchFolder } from '../../registry-store/trust/store-file.ts';
import { TemporaryStore, demoModel } from '../registry-store/temporary-store.ts';
import { ControlUnderTest, artifactsOf, tokensOf } from '../gateway/admin/control-under-test.ts';

const deployBody = { model_name: 'iris', model_version: '1.0.0' };

/** iris 1.0.0 and 2.0.0, of which 2.0.0 is live; revision 5. */
async function startWithIris(
  options: Parameters<typeof ControlUnderTest.start>[0] = {},
): Promise<ControlUnderTest> {
  return ControlUnderTest.start({ store: await TemporaryStore.makeWithIris(), ...options });
}

async function revisionOf({ store }: ControlUnderTest): Promise<number> {
  return (await readStatus(store.reader)).snapshot.revision;
}

describe('on a store with iris', () => {
  let control: ControlUnderTest;
  beforeEach(async () => {
    control = await startWithIris();
  });
  afterEach(async () => {
    expect(await revisionOf(control)).toBe(5);
  });

  test('nobody is let in without a token that is known and counts', async () => {
    const none = await control.call('GET', '/models', { as: null });
    expect([none.status, none.body['code']]).toEqual([401, 'UNAUTHENTICATED']);
    expect(none.headers.get('www-authenticate')).toBe('Bearer realm="tidegate control"');
    const wrong = await control.call('POST', '/deploy_model', {
      as: null,
      headers: { authorization: 'Bearer tgt_wrong' },
      body: deployBody,
    });
    expect([wrong.status, wrong.body['code']]).toEqual([401, 'UNAUTHENTICATED']);
    expect(wrong.headers.get('www-authenticate')).toContain('error="invalid_token"');
    const { token, entry } = makeToken({
      name: 'old',
      scopes: ['admin'],
      nowMs: Date.now() - 2000,
      lifetimeMs: 1000,
    });
    await changeTokenFile(tokensOf(control.store), (entries) => [...entries, entry]);
    const headers = { authorization: `Bearer ${token}` };
    expect(await control.refusal('GET', '/models', { as: null, headers })).toEqual([401, 'TOKEN_EXPIRED']);
    expect(await control.refusal('GET', '/nowhere', { as: null })).toEqual([401, 'UNAUTHENTICATED']);
    expect(await control.audit()).toMatchObject([{ token: null, code: 'UNAUTHENTICATED', revision: null }]);
  });

  test('scopes are kept apart', async () => {
    const refused = [
      ['read', 'POST', '/deploy_model'],
      ['publish', 'POST', '/deploy_model'],
      ['publish', 'DELETE', '/v1/deployments/iris'],
      ['deploy', 'POST', '/register_model'],
      ['read', 'PUT', '/v1/models/iris/versions/3.0.0'],
      ['deploy', 'POST', '/reload_platform'],
      ['deploy', 'POST', '/v1/rollback'],
    ] as const;
    for (const [as, method, path] of refused) {
      expect(await control.refusal(method, path, { as, body: deployBody })).toEqual([403, 'SCOPE_MISSING']);
    }
    // Everything at once is more than one model.
    const all = { as: 'deploy', body: { to_revision: 1 } } as const;
    expect(await control.refusal('POST', '/rollback', all)).toEqual([403, 'SCOPE_MISSING']);
    for (const as of ['read', 'deploy', 'publish', 'admin'] as const) {
      expect((await control.call('GET', '/deployments', { as })).status).toBe(200);
    }
    const lines = await control.audit();
    expect(lines).toHaveLength(refused.length + 1);
    expect(new Set(lines.map(({ code }) => code))).toEqual(new Set(['SCOPE_MISSING']));
  });

  test('a token that is revoked, or a file that others can read, counts from the next request on', async () => {
    const path = tokensOf(control.store);
    await changeTokenFile(path, (entries) => entries.filter(({ name }) => name !== 'read'));
    expect(await control.refusal('GET', '/models', { as: 'read' })).toEqual([401, 'UNAUTHENTICATED']);
    await chmod(path, 0o640);
    expect(await control.refusal('GET', '/models')).toEqual([503, 'TOKENS_UNAVAILABLE']);
    expect(control.log.join('')).toContain(`chmod 600 ${path}`);
    await chmod(path, 0o600);
    expect((await control.call('GET', '/models')).status).toBe(200);
  });

  test('an artifact path is not read out of its folder', async () => {
    const paths = [
      ['../secret.onnx', 403, 'ARTIFACT_PATH_REFUSED'],
      ['inside/../../secret.onnx', 403, 'ARTIFACT_PATH_REFUSED'],
      ['/etc/passwd', 403, 'ARTIFACT_PATH_REFUSED'],
      ['link.onnx', 403, 'ARTIFACT_PATH_REFUSED'],
      ['linked-folder/secret.onnx', 403, 'ARTIFACT_PATH_REFUSED'],
      ['inside', 403, 'ARTIFACT_PATH_REFUSED'],
      ['', 403, 'ARTIFACT_PATH_REFUSED'],
      ['inside/nothing.onnx', 404, 'ARTIFACT_NOT_FOUND'],
      ['inside/text.onnx', 422, 'MODEL_REFUSED'],
    ] as const;
    const folder = artifactsOf(control.store);
    const secret = join(control.store.base, 'secret.onnx');
    await writeFile(secret, await demoModel('1.0.0'));
    await mkdir(join(folder, 'inside'));
    await writeFile(join(folder, 'inside', 'text.onnx'), 'no model');
    await symlink(secret, join(folder, 'link.onnx'));
    await symlink(control.store.base, join(folder, 'linked-folder'));
    for (const [path, ...refusal] of paths) {
      const body = { name: 'iris', version: '3.0.0', author: 'eve', artifact_path: path };
      expect(await control.refusal('POST', '/register_model', { body }), path).toEqual(refusal);
    }
  });

  test('pages of other sites, and names that others let point here', async () => {
    const from = (headers: Record<string, string>): Promise<readonly unknown[]> =>
      control.refusal('POST', '/deploy_model', { headers, body: deployBody });
    expect(await from({ host: 'evil.example' })).toEqual([403, 'HOST_NOT_ALLOWED']);
    expect(await from({ host: `localhost.evil.example:${control.plane.port}` })).toEqual([
      403,
      'HOST_NOT_ALLOWED',
    ]);
    expect(await from({ origin: 'https://evil.example' })).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
    expect(await from({ origin: 'null' })).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
    const local = { host: '127.0.0.1:1', origin: 'http://localhost:3000' };
    expect((await control.call('GET', '/models', { headers: local })).status).toBe(200);
  });

  test('requests that cannot be right are told what is wrong with them', async () => {
    const requests: readonly (readonly [
      string,
      string,
      Readonly<Record<string, unknown>> | undefined,
      number,
      string,
    ])[] = [
      [
        'POST',
        '/deploy_model',
        { model_name: 'iris', model_version: '1.0.0', replica: 2 },
        400,
        'UNKNOWN_FIELD',
      ],
      ['POST', '/deploy_model', { model_name: 'iris' }, 400, 'INVALID_REQUEST'],
      ['POST', '/deploy_model', { ...deployBody, strategy: 'big_bang' }, 400, 'INVALID_REQUEST'],
      ['POST', '/deploy_model', { ...deployBody, replicas: 0 }, 400, 'INVALID_ARGUMENT'],
      ['POST', '/deploy_model', { model_name: 'rose', model_version: '1' }, 404, 'UNKNOWN_MODEL'],
      ['PUT', '/v1/deployments/iris', { version: '9.9.9' }, 404, 'UNKNOWN_VERSION'],
      ['PUT', '/v1/deployments/iris', { version: '2.0.0', strategy: 'canary' }, 409, 'INVALID_STRATEGY'],
      ['PATCH', '/v1/deployments/iris', {}, 400, 'INVALID_REQUEST'],
      ['POST', '/promote_canary', { model_name: 'iris' }, 409, 'INVALID_STRATEGY'],
      ['POST', '/deploy_model', { ...deployBody, why: 'two\nlines' }, 400, 'INVALID_ARGUMENT'],
      ['PATCH', '/v1/deployments/iris', { replicas: 2, why: 'x'.repeat(2001) }, 400, 'INVALID_ARGUMENT'],
      ['PATCH', '/v1/deployments/iris', { replicas: 2, why: '\ud800' }, 400, 'INVALID_ARGUMENT'],
      ['DELETE', '/v1/deployments/..%2firis', undefined, 404, 'UNKNOWN_MODEL'],
      ['POST', '/undeploy_model', { model_name: '__proto__' }, 404, 'UNKNOWN_MODEL'],
      ['POST', '/rollback', {}, 400, 'INVALID_REQUEST'],
      ['POST', '/v1/rollback', { to_revision: 99 }, 404, 'UNKNOWN_REVISION'],
      ['POST', '/register_model', { name: 'iris', version: '3', author: 'a' }, 400, 'INVALID_REQUEST'],
      [
        'POST',
        '/v1/models',
        { name: 'iris', version: '3', author: 'a', artifact_base64: 'a*==' },
        400,
        'INVALID_REQUEST',
      ],
      ['GET', '/v1/models?colour=red', undefined, 400, 'UNKNOWN_FIELD'],
      ['GET', '/v1/models/rose', undefined, 404, 'UNKNOWN_MODEL'],
      ['GET', '/nowhere', undefined, 404, 'NOT_FOUND'],
      ['GET', '/v1/models/%ff', undefined, 404, 'NOT_FOUND'],
      ['PUT', '/v1/deployments', {}, 405, 'METHOD_NOT_ALLOWED'],
    ];
    for (const [method, path, body, ...refusal] of requests) {
      const what = `${method} ${path} with ${JSON.stringify(body)}`;
      expect(await control.refusal(method, path, body && { body }), what).toEqual(refusal);
    }
  });

  test('bodies that are no JSON, or encoded', async () => {
    for (const body of ['{', '[]', '[['.repeat(100_000), '"text"']) {
      expect(await control.refusal('POST', '/deploy_model', { body })).toEqual([400, 'MALFORMED_JSON']);
    }
    const headers = { 'content-encoding': 'gzip' };
    expect(await control.refusal('POST', '/deploy_model', { headers, body: {} })).toEqual([
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ]);
    const broken = { headers: { 'content-type': 'multipart/form-data; boundary=x' }, body: '--x\r\nnothing' };
    expect(await control.refusal('POST', '/register_model', broken)).toEqual([400, 'INVALID_REQUEST']);
  });
});

test('a node without signing keys tells where the keys are, and still shows everything', async () => {
  const control = await startWithIris({ keysFolders: ['/nonexistent'] });
  expect(control.plane.mayChange).toBe(false);
  const { status, body } = await control.call('POST', '/deploy_model', { body: deployBody });
  expect([status, body['code']]).toEqual([403, 'READ_ONLY_NODE']);
  expect(body['error']).toContain(
    'tidegate deploy <model> --version <version> --store <folder> --keys <folder>',
  );
  expect((await control.call('GET', '/v1/deployments/iris')).body).toMatchObject({ version: '2.0.0' });
  expect((await control.call('GET', '/v1/history')).body['events']).toHaveLength(5);
  expect((await control.call('POST', '/v1/reload')).body).toMatchObject({ revision: 5 });
  expect((await control.audit()).map(({ code }) => code)).toEqual(['READ_ONLY_NODE', 'OK']);
});

test('a version that could never be in memory here is not deployed, and others are', async () => {
  const refused: number[] = [];
  const control = await startWithIris({
    memoryRefusalOf: ({ lengthBytes }) => {
      refused.push(lengthBytes);
      return refused.length === 1 ? 'MODEL_MEMORY: it is too large.' : undefined;
    },
  });
  const { status, body } = await control.call('POST', '/deploy_model', { body: deployBody });
  expect([status, body['code']]).toEqual([422, 'MODEL_MEMORY']);
  expect(refused[0]).toBeGreaterThan(0);
  expect((await control.call('GET', '/v1/deployments/iris')).body).toMatchObject({ version: '2.0.0' });
  expect((await control.call('POST', '/deploy_model', { body: deployBody })).status).toBeLessThan(300);
  // What the store does not have is the store's to refuse.
  expect(await control.refusal('PUT', '/v1/deployments/iris', { body: { version: '9' } })).toEqual([
    404,
    'UNKNOWN_VERSION',
  ]);
});

test('a node whose keys can be read by others says so at the start and to who needs one', async () => {
  const store = await TemporaryStore.makeWithIris();
  const key = join(store.keysFolder, 'deployments.key');
  await chmod(key, 0o644);
  const control = await startWithIris({ store });
  expect(control.log.join('')).toContain(`chmod 600 ${key}`);
  const { status, body } = await control.call('POST', '/deploy_model', { body: deployBody });
  expect([status, body['code']]).toEqual([500, 'KEY_UNSAFE']);
});

test('behind a trusted proxy each client has its own limit of failures, and its address in the audit log', async () => {
  const trustedProxies = {
    ranges: [{ address: '127.0.0.0', prefix: 8, family: 'ipv4' } as const],
    header: 'x-forwarded-for' as const,
  };
  const control = await startWithIris({ limits: { failuresMax: 1 }, trustedProxies });
  const from = (address: string): Promise<readonly unknown[]> =>
    control.refusal('POST', '/rollback', { as: null, headers: { 'x-forwarded-for': address } });
  expect(await from('192.0.2.7')).toEqual([401, 'UNAUTHENTICATED']);
  expect(await from('192.0.2.7')).toEqual([429, 'TOO_MANY_FAILURES']);
  expect(await from('192.0.2.7, 192.0.2.8')).toEqual([401, 'UNAUTHENTICATED']);
  expect((await control.audit()).map(({ remote }) => remote)).toEqual(['192.0.2.7', '192.0.2.8']);
});

test('limits have names, and what is too much is said at once', async () => {
  const limits = { jsonBytesMax: 100, artifactBytesMax: 1000, failuresMax: 3, uploadsMax: 0 };
  const control = await startWithIris({ limits });
  const large = { ...deployBody, why: 'x'.repeat(200) };
  const { status, body } = await control.call('POST', '/deploy_model', { body: large });
  expect([status, body['code']]).toEqual([413, 'BODY_TOO_LARGE']);
  expect(body['error']).toContain('jsonBytesMax');
  const upload = '/v1/models/iris/versions/3.0.0?author=a';
  expect(await control.refusal('PUT', upload, { body: 'x' })).toEqual([503, 'TOO_MANY_UPLOADS']);
  for (let count = 0; count < 3; count += 1) {
    expect(await control.refusal('POST', '/rollback', { as: null })).toEqual([401, 'UNAUTHENTICATED']);
  }
  // Nobody is trusted to say that it comes from elsewhere.
  const elsewhere = { as: null, headers: { 'x-forwarded-for': '192.0.2.7' } };
  expect(await control.refusal('POST', '/rollback', elsewhere)).toEqual([429, 'TOO_MANY_FAILURES']);
  const slow = await control.call('POST', '/rollback', { as: null });
  expect([slow.status, slow.body['code']]).toEqual([429, 'TOO_MANY_FAILURES']);
  expect(slow.headers.get('retry-after')).toBe('10');
  expect((await control.call('GET', '/models')).status).toBe(200);
  expect((await control.audit()).filter(({ code }) => code === 'UNAUTHENTICATED')).toHaveLength(3);
});

test('a client that asks first is refused before it sends its file', async () => {
  const control = await startWithIris({ limits: { artifactBytesMax: 1000 } });
  const answered = await new Promise<readonly unknown[]>((resolve, reject) => {
    const asked = request({
      port: control.plane.port,
      method: 'PUT',
      path: '/v1/models/iris/versions/3.0.0?author=a',
      headers: {
        authorization: `Bearer ${control.tokens.get('publish') ?? ''}`,
        expect: '100-continue',
        'content-length': 5000,
      },
    });
    asked.on('continue', () => {
      reject(new Error('it was told to go on'));
    });
    asked.on('response', (response) => {
      response.resume();
      resolve([response.statusCode, response.headers.connection]);
    });
    asked.on('error', reject);
    asked.flushHeaders();
  });
  expect(answered).toEqual([413, 'close']);
});

test('changes wait for each other, and not endlessly', async () => {
  const control = await startWithIris({ limits: { changesQueuedMax: 1 } });
  const answers = await Promise.all(
    [1, 2, 3, 4, 5].map((replicas) => control.call('PATCH', '/v1/deployments/iris', { body: { replicas } })),
  );
  const statuses = answers.map(({ status }) => status).sort();
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(2);
  expect(statuses.at(-1)).toBe(503);
  expect(answers.find(({ status }) => status === 503)?.body['code']).toBe('TOO_MANY_CHANGES');
});

test('another publisher at work is a conflict, told without names of this machine', async () => {
  const control = await startWithIris({ limits: { lockWaitMs: 50 } });
  await holdLock(control);
  const { status, body } = await control.call('POST', '/deploy_model', { body: deployBody });
  expect([status, body['code']]).toEqual([409, 'STORE_LOCKED']);
  expect(body['error']).not.toContain(String(process.ppid));
});

test('stopping finishes the change that is being made, and gives up one that cannot begin', async () => {
  const limits = { changesQueuedMax: 0 };
  const control = await startWithIris({ limits });
  const release = await holdLock(control);
  const scale = ['PATCH', '/v1/deployments/iris', { body: { replicas: 2 } }] as const;
  const finished = control.call(...scale);
  // Who comes next is told that it is being made.
  expect(await control.refusal(...scale)).toEqual([503, 'TOO_MANY_CHANGES']);
  const closed = control.plane.close(20_000);
  await release();
  expect((await finished).status).toBe(200);
  await closed;
  await expect(control.call('GET', '/models')).rejects.toThrow();

  const stuck = await startWithIris({ limits });
  await holdLock(stuck);
  const given = stuck.refusal('POST', '/deploy_model', { body: deployBody });
  expect(await stuck.refusal('POST', '/deploy_model', { body: deployBody })).toEqual([
    503,
    'TOO_MANY_CHANGES',
  ]);
  await stuck.plane.close(50);
  expect(await given).toEqual([503, 'SHUTTING_DOWN']);
  expect(await revisionOf(stuck)).toBe(5);
});

/** As a publisher would that is at work in another process. */
async function holdLock({ store }: ControlUnderTest): Promise<() => Promise<void>> {
  const holder = { token: '0'.repeat(36), pid: process.ppid, thread: 0, host: hostname() };
  await mkdir(join(store.folder, benchFolder), { recursive: true });
  const lock = join(store.folder, benchFolder, 'lock');
  await writeFile(lock, JSON.stringify(holder));
  return () => rm(lock);
}

test('without an audit log nothing is changed', async () => {
  const store = await TemporaryStore.makeWithIris();
  const auditFile = join(store.base, 'log', 'audit.jsonl');
  await mkdir(join(store.base, 'log'));
  const control = await ControlUnderTest.start({ store, auditFile });
  await rm(join(store.base, 'log'), { recursive: true });
  expect(await control.refusal('POST', '/deploy_model', { body: deployBody })).toEqual([
    503,
    'AUDIT_UNAVAILABLE',
  ]);
  expect(await revisionOf(control)).toBe(5);
  await mkdir(join(store.base, 'log'));
  expect((await control.call('POST', '/deploy_model', { body: deployBody })).status).toBe(201);
});

test('it does not start with tokens that others can read, or a log that cannot be written', async () => {
  const store = await TemporaryStore.makeWithIris();
  await writeFile(join(store.base, 'open.json'), '{}', { mode: 0o644 });
  const start = (options: object): Promise<unknown> =>
    ControlUnderTest.start({ store, ...options }).catch((error: unknown) => error);
  expect(await start({ tokensFile: join(store.base, 'open.json') })).toMatchObject({
    code: 'KEY_UNSAFE',
    message: expect.stringContaining('chmod 600') as string,
  });
  await changeTokenFile(tokensOf(store), () => []);
  expect(await start({ tokensFile: join(store.base, 'none.json') })).toMatchObject({
    code: 'FILE_UNREADABLE',
  });
  await changeTokenFile(tokensOf(store), () => []);
  expect(await start({ auditFile: join(store.base, 'none', 'audit') })).toMatchObject({
    code: 'FILE_UNREADABLE',
  });
});
