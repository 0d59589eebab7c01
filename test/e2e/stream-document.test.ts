/** The examples of docs/protocol.md, sent to the gateway as they stand there: the bytes, and the line for a browser. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { StreamClient } from './stream-client.ts';
import { StreamTalk } from './stream-talk.ts';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

/** The bytes of the indented block behind this line; what stands behind # is for people. */
function bytesBehind(line: string): Buffer {
  const block = page.slice(page.indexOf(line) + line.length).split(/\n\n(?! {4})/)[0] ?? '';
  const hex = block.replaceAll(/#.*/g, '').replaceAll(/\s/g, '');
  expect(hex).toMatch(/^(?:[0-9a-f]{2})+$/);
  return Buffer.from(hex, 'hex');
}

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({
    models: [{ name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') }],
  });
});
afterAll(() => under.close());

test('the request in bytes gets the answer in bytes', async () => {
  const client = await StreamClient.open(under.port);
  const answered = within(client.next(), 'an answer');
  client.send(bytesBehind('A request for one row, as the payload of a binary frame:'));
  expect((await answered)?.payload.toString('hex')).toBe(bytesBehind('and its answer:').toString('hex'));
  client.destroy();
});

test('the line for a browser console gets an answer in text', async () => {
  const [, line = ''] = /socket\.send\('(.+)'\)/.exec(page) ?? [];
  const talk = await StreamTalk.open(under.port, { 'sec-websocket-protocol': 'tidegate.v1' });
  talk.client.sendText(line);
  expect(await talk.answer(7)).toMatchObject({ model_name: 'iris', outputs: [{ data: [2] }, {}] });
  talk.client.destroy();
});
