/** The control API over TLS: where clients have to show a certificate, one without is not heard at all. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { TemporaryStore } from '../registry-store/temporary-store.ts';
import { ControlUnderTest } from '../gateway/admin/control-under-test.ts';

const [certificate = '', key = ''] = ['cert', 'key'].map((name) =>
  fileURLToPath(new URL(`../registry-store/storage/tls/${name}.pem`, import.meta.url)),
);

interface Client {
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** The status, or the error of the connection. */
async function reload(control: ControlUnderTest, client: Client): Promise<number | string | undefined> {
  const ca = await readFile(certificate);
  const headers = { authorization: `Bearer ${control.tokens.get('admin') ?? ''}` };
  return new Promise((resolve) => {
    const asked = request(
      {
        ...client,
        ca,
        headers,
        host: 'localhost',
        port: control.plane.port,
        path: '/v1/reload',
        method: 'POST',
        agent: false,
      },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    asked.on('error', ({ message }) => {
      resolve(message);
    });
    asked.end();
  });
}

test('with a certificate of its own', async () => {
  const store = await TemporaryStore.makeWithIris();
  const control = await ControlUnderTest.start({ store, tls: { certificate, key } });
  expect(await reload(control, {})).toBe(200);
});

test('with certificates of clients', async () => {
  const store = await TemporaryStore.makeWithIris();
  const control = await ControlUnderTest.start({ store, tls: { certificate, key, clientCa: certificate } });
  expect(await reload(control, {})).not.toBe(200);
  expect(await control.audit()).toEqual([]);
  const client = { cert: await readFile(certificate), key: await readFile(key) };
  expect(await reload(control, client)).toBe(200);
  expect(await control.audit()).toMatchObject([{ code: 'OK', certificate: 'localhost' }]);
});
