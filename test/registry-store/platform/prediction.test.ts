/** `predict` against real HTTP servers that answer well, badly, late or not at all. */
import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DeploymentPlatform, PredictionError } from '../../../registry-store/main.ts';

async function platformFor(
  listener: RequestListener,
  predictTimeoutMs = 10_000,
): Promise<DeploymentPlatform> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new DeploymentPlatform({
    store: 'unused',
    keys: 'unused',
    gatewayUrl: `http://127.0.0.1:${port}/`,
    predictTimeoutMs,
  });
}

function answering(status: number, body: string): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  };
}

async function errorOf(prediction: Promise<unknown>): Promise<PredictionError> {
  const error: unknown = await prediction.catch((caught: unknown) => caught);
  if (error instanceof PredictionError) return error;
  throw new Error('not a PredictionError', { cause: error });
}

describe('predict', () => {
  test('asks the live version, or the one that is named, and gives the answer back', async () => {
    const asked: string[] = [];
    const platform = await platformFor((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (text: string) => (body += text));
      request.on('end', () => {
        asked.push(`${request.method ?? ''} ${request.url ?? ''} ${body}`);
        response.end('{"prediction":[2],"probabilities":[[0.1,0.2,0.7]],"model_version":"2.0.0"}');
      });
    });
    expect(await platform.predict('iris', [[6.7, 3, 5.2, 2.3]])).toEqual({
      prediction: [2],
      probabilities: [[0.1, 0.2, 0.7]],
      modelVersion: '2.0.0',
    });
    await platform.predict('iris', { x: [[1]] }, { version: '1.0.0+b' });
    await platform.predict('iris', [[1]], { routingKey: 'Zoë & co' });
    expect(asked).toEqual([
      'POST /predict/iris {"features":[[6.7,3,5.2,2.3]]}',
      'POST /predict/iris/1.0.0%2Bb {"features":{"x":[[1]]}}',
      'POST /predict/iris?routing_key=Zo%C3%AB%20%26%20co {"features":[[1]]}',
    ]);
  });

  test("carries the gateway's code and status", async () => {
    const platform = await platformFor(answering(503, '{"error":"busy","code":"QUEUE_FULL"}'));
    expect(await errorOf(platform.predict('iris', [[1]]))).toMatchObject({
      code: 'QUEUE_FULL',
      status: 503,
      message: 'busy',
    });
  });

  test.each([
    [200, '<html>'],
    [200, '{"prediction":1,"model_version":"1"}'],
    [502, '<html>bad gateway'],
    [500, 'null'],
  ])('tells an answer %d %s from one of a gateway', async (status, body) => {
    const platform = await platformFor(answering(status, body));
    expect(await errorOf(platform.predict('iris', [[1]]))).toMatchObject({
      code: 'GATEWAY_UNREADABLE',
      status,
    });
  });

  test('does not follow a redirect', async () => {
    const platform = await platformFor((_request, response) => {
      response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end();
    });
    expect(await errorOf(platform.predict('iris', [[1]]))).toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
  });

  test('gives up after its time', async () => {
    const platform = await platformFor(() => undefined, 50);
    expect(await errorOf(platform.predict('iris', [[1]]))).toMatchObject({ code: 'GATEWAY_TIMEOUT' });
  });

  test('can be given up by the caller', async () => {
    const controller = new AbortController();
    const platform = await platformFor(() => {
      controller.abort(new Error('enough'));
    });
    await expect(platform.predict('iris', [[1]], { signal: controller.signal })).rejects.toThrow('enough');
  });

  test('says when nobody listens or no gateway is named', async () => {
    const nobody = new DeploymentPlatform({ store: 'x', keys: 'x', gatewayUrl: 'http://127.0.0.1:1' });
    expect(await errorOf(nobody.predict('iris', [[1]]))).toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
    const unnamed = new DeploymentPlatform({ store: 'x', keys: 'x' });
    expect(await errorOf(unnamed.predict('iris', [[1]]))).toMatchObject({ code: 'GATEWAY_NOT_NAMED' });
  });
});
