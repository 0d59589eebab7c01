/** The WebSocket protocol as a client sees it: handshake, hello, ping, both forms of frames, compression, limits. */
import { deflateRawSync, inflateRawSync, constants } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { echoModel } from './odd-models.ts';
import { clientFrame, opcode, type RefusedHandshake, StreamClient } from './stream-client.ts';
import { StreamTalk } from './stream-talk.ts';
import { packed, unpacked } from './wire-forms.ts';

const offer = { 'sec-websocket-protocol': 'tidegate.v1' };
const row = [6.7, 2.5, 5.8, 1.8];
const data = Buffer.from(Float32Array.from(row).buffer);
const binaryInput = { name: 'features', shape: [1, 4], datatype: 'FP32', data };
const textInput = { ...binaryInput, data: row };

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({
    models: [
      { name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') },
      { name: 'wide', version: '1.0.0', file: echoModel([{ datatype: 'FP32', shape: ['batch', 1024] }]) },
    ],
    limits: { frameBytesMax: 1024 * 1024, connectionInflightMax: 77, requestRowsMax: 99 },
    websocketCompression: true,
    corsOrigins: ['https://app.example.com'],
  });
});
afterAll(() => under.close());

describe('the handshake', () => {
  test('chooses tidegate.v1 among others and says hello first', async () => {
    const headers = { 'sec-websocket-protocol': 'other, tidegate.v1' };
    const talk = await StreamTalk.open(under.port, headers);
    expect(talk.client.headers['sec-websocket-protocol']).toBe('tidegate.v1');
    talk.say({ id: 1, model: 'iris', inputs: [binaryInput] });
    await talk.answer(1);
    expect(talk.heard[0]).toMatchObject({
      isText: false,
      fields: {
        op: 'hello',
        protocol: 'tidegate.v1',
        server: { name: 'tidegate', version: '0.0.0' },
        limits: { inflight_max: 77, frame_bytes_max: 1024 * 1024, request_rows_max: 99 },
      },
    });
    expect(talk.heard).toHaveLength(2);
    talk.client.destroy();
  });

  test('without an offer is the same protocol without hello', async () => {
    const talk = await StreamTalk.open(under.port);
    expect(talk.client.headers['sec-websocket-protocol']).toBeUndefined();
    talk.say({ op: 'ping', id: 'p' });
    await talk.operation('pong');
    expect(talk.heard.map(({ fields }) => fields)).toEqual([{ op: 'pong', id: 'p' }]);
    talk.client.destroy();
  });

  test.each([
    ['a page of another site', 'localhost', 'https://evil.example'],
    ['a page that says nothing about itself', 'localhost', 'null'],
    ['a page whose own name leads to this machine', 'evil.example', 'http://evil.example'],
  ])('refuses %s', async (_, host, origin) => {
    const refused = await StreamClient.handshake(under.port, { ...offer, host, origin });
    expect(refused).toMatchObject({ status: 403 });
    expect(JSON.parse((refused as RefusedHandshake).body)).toMatchObject({ code: 'ORIGIN_NOT_ALLOWED' });
  });

  test.each([
    ['the page of the gateway itself', 'http://localhost:8080'],
    ['a page on the list', 'https://app.example.com'],
  ])('takes %s', async (_, origin) => {
    const talk = await StreamTalk.open(under.port, { ...offer, host: 'localhost:8080', origin });
    await talk.operation('hello');
    talk.client.destroy();
  });

  test.each(['tidegate.v2', 'mqtt, graphql-ws', 'tidegate.v1x'])(
    'refuses an offer of %s',
    async (offered) => {
      const refused = await StreamClient.handshake(under.port, { 'sec-websocket-protocol': offered });
      if (refused instanceof StreamClient) throw new Error('the handshake was taken');
      expect(refused.status).toBe(400);
      const body = JSON.parse(refused.body) as Record<string, string>;
      expect(body['code']).toBe('UNSUPPORTED_SUBPROTOCOL');
      expect(body['error']).toContain('tidegate.v1');
    },
  );

  test('works with a trailing slash', async () => {
    const client = await StreamClient.handshake(under.port, offer, '/v2/stream/');
    expect(client).toBeInstanceOf(StreamClient);
    if (client instanceof StreamClient) client.destroy();
  });
});

describe('text frames', () => {
  test('are answered as over HTTP, with the type of the id, and in text', async () => {
    const talk = await StreamTalk.open(under.port);
    const response = await fetch(`${under.url}/v2/models/iris/infer`, {
      method: 'POST',
      body: JSON.stringify({ inputs: [textInput] }),
    });
    const overHttp = (await response.json()) as Record<string, unknown>;
    talk.sayText({ id: 7, model: 'iris', inputs: [textInput] });
    talk.sayText({ id: '7', model: 'iris', version: '2.0.0', inputs: [textInput] });
    expect(await talk.answer(7)).toEqual({ id: 7, ...overHttp });
    expect(await talk.answer('7')).toEqual({ id: '7', ...overHttp });
    talk.sayText({ op: 'ping' });
    expect(await talk.operation('pong')).toEqual({ op: 'pong' });
    expect(talk.heard.every(({ isText }) => isText)).toBe(true);
    talk.client.destroy();
  });

  test('and binary frames may be mixed; ids are one space, each is answered in its own form', async () => {
    const talk = await StreamTalk.open(under.port);
    for (let id = 0; id < 40; id += 2) {
      talk.say({ id, model: 'iris', inputs: [binaryInput] });
      talk.sayText({ id: id + 1, model: 'iris', inputs: [textInput] });
    }
    await talk.answered(40);
    for (const { fields, isText } of talk.heard) {
      expect(isText).toBe(Number(fields['id']) % 2 === 1);
      expect(fields).toMatchObject({ model_name: 'iris' });
    }
    expect((await under.metrics()).sum('tidegate_inflight_requests')).toBe(0);
    expect(
      (await under.metrics()).sum('tidegate_requests_total', { protocol: 'stream-json' }),
    ).toBeGreaterThan(19);
    talk.client.destroy();
  });

  test('that are large are refused, binary ones are not', async () => {
    const talk = await StreamTalk.open(under.port);
    talk.client.sendText(`{"id":1,"model":"iris","filler":"${'x'.repeat(300_000)}"}`);
    talk.say({ id: 2, model: 'iris', filler: 'x'.repeat(300_000), inputs: [binaryInput] });
    await talk.answer(2);
    expect(talk.answersTo(null)).toMatchObject([{ code: 'BODY_TOO_LARGE' }]);
    talk.client.destroy();
  });
});

test('refusals carry the id, and the time to wait where waiting helps', async () => {
  const talk = await StreamTalk.open(under.port);
  talk.say({ id: 'a', model: 'nobody', inputs: [binaryInput] });
  talk.say({ id: 'b', model: 'iris', inputs: [{ ...binaryInput, data: data.subarray(4) }] });
  talk.say({ id: 'c', model: 'iris', inputs: [binaryInput], parameters: { sequence_id: 7 } });
  talk.say({ id: 'x'.repeat(129), model: 'iris', inputs: [binaryInput] });
  talk.say({ op: 'resume', id: 'd' });
  expect(await talk.answer('a')).toMatchObject({ code: 'UNKNOWN_MODEL' });
  expect(await talk.answer('b')).toMatchObject({ code: 'ELEMENT_COUNT_MISMATCH' });
  expect(await talk.answer('c')).toMatchObject({ code: 'UNSUPPORTED_PARAMETER' });
  expect(await talk.answer(null)).toMatchObject({ code: 'INVALID_REQUEST' });
  expect(await talk.answer('d')).toMatchObject({ code: 'INVALID_REQUEST' });
  expect(talk.answers.every((answer) => !('retry_after_ms' in answer))).toBe(true);
  talk.client.destroy();
});

test('protocol pings are answered with pongs', async () => {
  const client = await StreamClient.open(under.port);
  client.write(clientFrame('are you there', { opcode: opcode.ping }));
  const pong = await within(client.next(), 'a pong');
  expect(pong).toMatchObject({ opcode: opcode.pong, payload: Buffer.from('are you there') });
  client.destroy();
});

test('a frame in fragments is one frame', async () => {
  const talk = await StreamTalk.open(under.port);
  const frame = packed({ id: 5, model: 'iris', inputs: [binaryInput] });
  talk.client.write(clientFrame(frame.subarray(0, 10), { final: false }));
  talk.client.write(clientFrame(frame.subarray(10, 11), { final: false, opcode: opcode.continuation }));
  talk.client.write(clientFrame(frame.subarray(11), { opcode: opcode.continuation }));
  expect(await talk.answer(5)).toMatchObject({ model_name: 'iris' });
  talk.client.destroy();
});

test('a frame over the limit ends the socket', async () => {
  const client = await StreamClient.open(under.port);
  client.send(Buffer.alloc(1024 * 1024 + 1));
  await within(client.closed, 'the end of the socket');
});

describe('permessage-deflate', () => {
  const deflate = { 'sec-websocket-extensions': 'permessage-deflate' };

  test('when both want it, compresses large answers and reads compressed frames', async () => {
    const client = await StreamClient.open(under.port, deflate);
    expect(client.headers['sec-websocket-extensions']).toContain('permessage-deflate');
    const x0 = { name: 'x0', shape: [1, 1024], datatype: 'FP32', data: Buffer.alloc(4096) };
    const frame = packed({ id: 1, model: 'wide', inputs: [x0] });
    const answered = within(client.next(), 'an answer');
    client.write(clientFrame(squeezed(frame), { compressed: true }));
    const message = await answered;
    expect(message?.compressed).toBe(true);
    expect(message?.payload.length).toBeLessThan(500);
    const read = unpacked(expanded(message?.payload ?? Buffer.of()));
    expect(read).toMatchObject({ id: 1, outputs: [{ name: 'y0', data: Buffer.alloc(4096) }] });
    client.destroy();
  });

  test('leaves small answers as they are', async () => {
    const client = await StreamClient.open(under.port, deflate);
    const answered = within(client.next(), 'an answer');
    client.send(packed({ id: 1, model: 'iris', inputs: [binaryInput] }));
    expect((await answered)?.compressed).toBe(false);
    client.destroy();
  });

  test('does not inflate beyond the limit for a frame', async () => {
    const client = await StreamClient.open(under.port, deflate);
    client.write(
      clientFrame(squeezed(Buffer.alloc(64 * 1024 * 1024)).subarray(0, 0xffff), { compressed: true }),
    );
    await within(client.closed, 'the end of the socket');
    expect((await fetch(`${under.url}/v2/health/live`)).status).toBe(200);
  });

  test('is not agreed to by a gateway that was not told so', async () => {
    const plain = await startTestGateway({ models: [] });
    const client = await StreamClient.open(plain.port, deflate);
    expect(client.headers['sec-websocket-extensions']).toBeUndefined();
    client.destroy();
    await plain.close();
  });
});

/** RFC 7692 section 7.2.1: without the four bytes that every block of this kind ends with. */
function squeezed(bytes: Uint8Array): Buffer {
  return deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

function expanded(bytes: Uint8Array): Buffer {
  return inflateRawSync(Buffer.concat([bytes, Buffer.of(0, 0, 0xff, 0xff)]), {
    finishFlush: constants.Z_SYNC_FLUSH,
  });
}
