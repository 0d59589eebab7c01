/**
 * Bodies of JSON beyond `inlineJsonBytesMax` are read on a thread of their own. A client cannot tell, except that others
 * do not wait for it: same answers, same refusals, same end when it leaves.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { badOipJson, badPredict, datatypeModels, smallLimits } from './bad-bodies.ts';
import { oipBinaryOutcome } from './binary-form.ts';
import { openCaller, type Form } from './callers.ts';
import { eventually, within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { type HttpAnswer, HttpConnection } from './http-connection.ts';
import { echoModel } from './odd-models.ts';
import { differences, type Tensor, tensorOf } from './tensor.ts';
import { fieldsOf, oipJsonBody } from './wire-forms.ts';

const allDatatypes = [...datatypeModels, 'FP32', 'INT32', 'UINT16'] as const;
const models = [
  { name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') },
  {
    name: 'pair',
    version: '1.0.0',
    file: echoModel(Array(2).fill({ datatype: 'FP32', shape: ['batch', 2] })),
  },
  ...allDatatypes.map((datatype) => ({
    name: datatype,
    version: '1.0.0',
    file: echoModel([{ datatype, shape: ['batch'] }]),
  })),
];

/** With the limit 0 every body is a large one. */
let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({ models, limits: { ...smallLimits, inlineJsonBytesMax: 0 } });
});
afterAll(() => under.close());

async function ask(path: string, body: string | Uint8Array): Promise<HttpAnswer> {
  const connection = await HttpConnection.open(under.port);
  try {
    return await within(connection.exchange({ method: 'POST', path, body }), 'an answer');
  } finally {
    connection.destroy();
  }
}

describe('a body that is read on a thread of its own', () => {
  test.each(allDatatypes)('of %s gives the elements that were sent', async (datatype) => {
    const values = Array.from({ length: 100 }, (_, index) =>
      datatype === 'BYTES' ? `text ${index} \u{1f600}` : index % 2,
    );
    const inputs: Tensor[] = [tensorOf({ name: 'x0', datatype, shape: [100] }, values)];
    const outputs = [{ ...inputs[0]!, name: 'y0' }];
    for (const form of ['oip-json', 'oip-json-nested', 'oip-binary', 'predict-json'] satisfies Form[]) {
      const caller = openCaller(form, { port: under.port, outputsOf: () => [{ name: 'y0', datatype }] });
      const outcome = await caller.call({ model: datatype, inputs });
      caller.close();
      if (outcome.kind === 'error') throw new Error(`${form}: ${outcome.message}`);
      expect(differences(outcome.outputs, outputs)).toEqual([]);
    }
  });

  test('keeps the id, the outputs in their order and how they are wanted', async () => {
    const body = {
      id: 'late',
      inputs: [
        { name: 'x1', shape: [1, 2], datatype: 'FP32', data: [3, 4] },
        { name: 'x0', shape: [1, 2], datatype: 'FP32', data: [1, 2] },
      ],
      outputs: [{ name: 'y1', parameters: { binary_data: true } }, { name: 'y0' }],
    };
    const answer = await ask('/v2/models/pair/infer', JSON.stringify(body));
    expect(oipBinaryOutcome(answer)).toMatchObject({
      outputs: [
        { name: 'y1', data: Float32Array.of(3, 4) },
        { name: 'y0', data: Float32Array.of(1, 2) },
      ],
    });
    expect(answer.body.toString()).toContain('"id":"late"');
  });

  test.each(badOipJson)('is refused with its own code when it is $what ($code)', async (bad) => {
    const answer = await ask(`/v2/models/${bad.model}/infer`, bad.body);
    expect(fieldsOf(JSON.parse(String(answer.body)))['code']).toBe(bad.code);
  });

  test.each(badPredict)('of /predict is refused when it is $what ($code)', async (bad) => {
    const answer = await ask(`/predict/${bad.model}`, bad.body);
    expect(fieldsOf(JSON.parse(String(answer.body)))['code']).toBe(bad.code);
  });

  test('for an unknown model is refused without being read', async () => {
    expect((await ask('/v2/models/nobody/infer', 'not JSON')).status).toBe(404);
  });

  test('may set itself a deadline, and misses one that is over before it is read', async () => {
    const connection = await HttpConnection.open(under.port);
    const inputs = [tensorOf({ name: 'x0', datatype: 'FP32', shape: [1] }, [1])];
    const message = JSON.parse(oipJsonBody({ model: 'FP32', inputs })) as object;
    const path = '/v2/models/FP32/infer';
    const statuses: number[] = [];
    for (const timeout of [1, 60_000_000]) {
      const body = JSON.stringify({ ...message, parameters: { timeout } });
      statuses.push((await connection.exchange({ method: 'POST', path, body })).status);
    }
    connection.destroy();
    expect(statuses).toEqual([504, 200]);
  });
});

test('clients that leave while their bodies are read leave nothing behind', async () => {
  const body = oipJsonBody({
    model: 'FP32',
    inputs: [tensorOf({ name: 'x0', datatype: 'FP32', shape: [1000] }, Array<number>(1000).fill(0.5))],
  });
  const head = `POST /v2/models/FP32/infer HTTP/1.1\r\nhost: g\r\ncontent-length: ${body.length}\r\n\r\n`;
  for (let client = 0; client < 30; client++) {
    const connection = await HttpConnection.open(under.port);
    connection.write(Buffer.from(head + body));
    if (client % 3 === 0) await new Promise((resolve) => setTimeout(resolve, client % 7));
    connection.destroy();
  }
  const answered = await ask('/v2/models/FP32/infer', body);
  expect(answered.status).toBe(200);
  await eventually(async () => {
    const metrics = await under.metrics();
    return metrics.sum('tidegate_inflight_requests') + metrics.sum('tidegate_queue_rows') === 0;
  }, 'nothing to be left');
});
