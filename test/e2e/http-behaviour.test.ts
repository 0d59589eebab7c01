/**
 * What people expect of any HTTP server: HEAD and OPTIONS everywhere, trailing slashes, 404 and 405 that help, 415 that
 * says what would be read, connections that live on, and web pages let in only when they are listed.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkedAnswers } from './contract.ts';
import { within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { type HttpAnswer, HttpConnection, type RequestParts } from './http-connection.ts';
import { echoModel } from './odd-models.ts';

const models = [
  { name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') },
  { name: 'digits', version: '1.0.0', file: demoModel('digits-1.0.0') },
  {
    name: 'wide',
    version: '1',
    file: echoModel([
      { datatype: 'BYTES', shape: ['batch', 3] },
      { datatype: 'BOOL', shape: ['batch'] },
    ]),
  },
  { name: 'large', version: '1', file: echoModel([{ datatype: 'FP32', shape: ['batch', 100_000] }]) },
];
const body = '{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}]}';
const infer = { method: 'POST', path: '/v2/models/iris/infer', body };
const page = 'https://app.example.com';

let under: GatewayUnderTest;
let open: GatewayUnderTest;
let closed: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({ models, corsOrigins: [page, 'http://localhost:3000'] });
  open = await startTestGateway({ models, corsOrigins: ['*'] });
  closed = await startTestGateway({ models });
});
afterAll(() => Promise.all([under.close(), open.close(), closed.close()]));

async function ask(parts: RequestParts, gateway: GatewayUnderTest = under): Promise<HttpAnswer> {
  const connection = await HttpConnection.open(gateway.port);
  try {
    return await within(connection.exchange(parts), 'an answer');
  } finally {
    connection.destroy();
  }
}

const readable = [
  '/v2',
  '/v2/health/live',
  '/v2/health/ready',
  '/v2/models/stats',
  '/v2/models/iris',
  '/v2/models/iris/config',
  '/v2/models/iris/ready',
  '/v2/models/iris/stats',
  '/v2/models/iris/versions/1.0.0',
  '/v2/models/iris/versions/1.0.0/config',
  '/v2/models/iris/versions/1.0.0/ready',
  '/v2/models/iris/versions/1.0.0/stats',
  '/v2/openapi.json',
  '/v2/docs',
  '/docs',
  '/metrics',
];

describe.each(readable)('%s', (path) => {
  test('is there with and without a slash and with a query', async () => {
    for (const form of [path, `${path}/`, `${path}?pretty=1`]) {
      expect([form, (await ask({ path: form })).status]).toEqual([form, 200]);
    }
  });

  test('answers HEAD like GET, without the body', async () => {
    const connection = await HttpConnection.open(under.port);
    const head = await connection.exchange({ method: 'HEAD', path });
    // Whatever is left of it would be taken for the start of this one.
    const get = await connection.exchange({ path });
    expect(head.status).toBe(200);
    expect(head.body).toHaveLength(0);
    expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
    // Metrics and statistics may have grown in between.
    const grows = path === '/metrics' || path.endsWith('stats');
    if (!grows) expect(head.headers.get('content-length')).toBe(String(get.body.length));
    connection.destroy();
  });

  test('tells OPTIONS and every other method what works', async () => {
    const options = await ask({ method: 'OPTIONS', path });
    expect(options.status).toBe(204);
    expect(options.body).toHaveLength(0);
    expect(options.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    expect(options.headers.has('content-length')).toBe(false);
    const refused = await ask({ method: 'DELETE', path });
    expect(refused.status).toBe(405);
    expect(refused.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    expect(JSON.parse(refused.body.toString())).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
  });
});

describe('a path that runs a model', () => {
  test.each(['/v2/models/iris/infer', '/v2/models/iris/versions/1.0.0/infer', '/predict/iris'])(
    '%s takes POST only, with and without a slash',
    async (path) => {
      const options = await ask({ method: 'OPTIONS', path });
      expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, OPTIONS']);
      for (const method of ['GET', 'HEAD', 'PUT']) {
        expect([method, (await ask({ method, path })).status]).toEqual([method, 405]);
      }
      const text = path.startsWith('/predict') ? '{"features":[[5.1,3.5,1.4,0.2]]}' : body;
      for (const form of [path, `${path}/`]) {
        expect((await ask({ method: 'POST', path: form, body: text })).status).toBe(200);
      }
    },
  );

  test('answers one request after the other on one connection, refused ones too', async () => {
    const connection = await HttpConnection.open(under.port);
    for (const [parts, status] of [
      [infer, 200],
      [{ ...infer, body: '{' }, 400],
      [{ path: '/nowhere' }, 404],
      [{ ...infer, path: '/v2/models/nobody/infer' }, 404],
      [{ method: 'OPTIONS', path: infer.path }, 204],
      [infer, 200],
    ] as const) {
      const answer = await connection.exchange(parts);
      expect([parts.path, answer.status]).toEqual([parts.path, status]);
      expect(answer.headers.get('connection')).not.toBe('close');
    }
    connection.destroy();
  });
});

test('a path that is nowhere says where things are', async () => {
  for (const method of ['GET', 'POST', 'OPTIONS', 'DELETE']) {
    const answer = await ask({ method, path: '/v1/models' });
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: 'NOT_FOUND' });
  }
  const unknown = await ask({ path: '/v2/models/nobody' });
  expect(JSON.parse(unknown.body.toString())).toMatchObject({
    error: expect.stringMatching(/^Request for unknown model: 'nobody' is not found/) as unknown,
  });
});

test('the examples in the description work as they are', async () => {
  const { paths } = JSON.parse((await ask({ path: '/v2/openapi.json' })).body.toString()) as {
    readonly paths: Readonly<Record<string, { readonly post?: DescribedPost }>>;
  };
  const tried: string[] = [];
  for (const [path, { post }] of Object.entries(paths)) {
    const [example] = post?.requestBody?.content['application/json']?.schema.examples ?? [];
    if (example === undefined) continue;
    const answer = await ask({ method: 'POST', path, body: JSON.stringify(example) });
    expect([path, answer.status]).toEqual([path, 200]);
    tried.push(path);
  }
  expect(tried.sort()).toEqual(
    ['digits', 'iris', 'wide'].flatMap((name) => [`/predict/${name}`, `/v2/models/${name}/infer`]).sort(),
  );
});

interface DescribedPost {
  readonly requestBody?: {
    readonly content: Readonly<
      Record<string, { readonly schema: { readonly examples?: readonly unknown[] } }>
    >;
  };
}

describe('a web page', () => {
  const preflight = {
    method: 'OPTIONS',
    path: infer.path,
    headers: {
      origin: page,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type, x-deadline-ms',
    },
  };

  test('that is listed may ask, send and read', async () => {
    const asked = await ask(preflight);
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe(page);
    expect(asked.headers.get('access-control-allow-methods')).toContain('POST');
    expect(asked.headers.get('access-control-allow-headers')).toBe('content-type, x-deadline-ms');
    expect(Number(asked.headers.get('access-control-max-age'))).toBeGreaterThan(0);
    const answers = [
      await ask({ ...infer, headers: { origin: page } }),
      await ask({ ...infer, headers: { origin: page }, body: '{' }),
      await ask({ path: '/v2', headers: { origin: page } }),
      await ask({ path: '/nowhere', headers: { origin: page } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 200, 404]);
    for (const { headers } of answers) {
      expect(headers.get('access-control-allow-origin')).toBe(page);
      expect(headers.get('access-control-expose-headers')).toContain('inference-header-content-length');
      expect(headers.get('access-control-expose-headers')).toContain('retry-after');
      expect(headers.get('vary')?.toLowerCase()).toContain('origin');
    }
  });

  test('that is not listed may not read, and caches are told that it depends', async () => {
    const origin = 'https://app.example.com.evil.example';
    const asked = await ask({ ...preflight, headers: { ...preflight.headers, origin } });
    const answered = await ask({ ...infer, headers: { origin } });
    for (const { headers } of [asked, answered]) {
      expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
    expect(answered.headers.get('vary')?.toLowerCase()).toContain('origin');
    expect((await ask(infer)).headers.has('access-control-allow-origin')).toBe(false);
  });

  test('may be any page where all are allowed, and none where nobody said so', async () => {
    const headers = { origin: 'https://anywhere.example' };
    const anywhere = await ask({ ...infer, headers }, open);
    expect(anywhere.headers.get('access-control-allow-origin')).toBe('*');
    expect(anywhere.headers.has('vary')).toBe(false);
    const nowhere = await ask({ ...infer, headers }, closed);
    expect(nowhere.status).toBe(200);
    expect([...nowhere.headers.keys()].filter((name) => /^access|vary/.test(name))).toEqual([]);
    expect((await ask(preflight, closed)).headers.has('access-control-allow-origin')).toBe(false);
  });
});

test('every answer above was held against the description that the gateway gives of itself', () => {
  expect(checkedAnswers.count).toBeGreaterThan(50);
});
