/**
 * A child of the suite: what one writes first. Fastify, the same protocol in JSON, one `session.run` for each request
 * on the main thread. No batching, no threads, no limits.
 */
import { fastify, type FastifyReply, type FastifyRequest } from 'fastify';
import * as ort from 'onnxruntime-web';
import { listField, textField } from '../json-field.ts';
import { inferPath, modelName } from '../workload.ts';
import { jsonElements, openSession } from './iris-session.ts';

const [modelFile = '', modelVersion = ''] = process.argv.slice(2);
const session = await openSession(modelFile);
const datatypes: Readonly<Record<string, string>> = { int64: 'INT64', float32: 'FP32' };

const server = fastify({ logger: false });

server.post(inferPath, async (request: FastifyRequest, reply: FastifyReply) => {
  const feeds = readFeeds(request.body);
  if (feeds === undefined) return reply.code(400).send({ error: 'Send an OIP request with FP32 inputs.' });
  const results = await session.run(feeds);
  const outputs = session.outputNames.map((name) => {
    const tensor = results[name];
    if (tensor === undefined) throw new Error(`no output ${name}`);
    return { name, shape: tensor.dims, datatype: datatypes[tensor.type], data: jsonElements(tensor) };
  });
  return { model_name: modelName, model_version: modelVersion, outputs };
});

const url = await server.listen({ host: '127.0.0.1', port: 0 });
console.log(JSON.stringify({ port: Number(new URL(url).port) }));

function readFeeds(body: unknown): Record<string, ort.Tensor> | undefined {
  try {
    const feeds: Record<string, ort.Tensor> = {};
    for (const input of listField(body, 'inputs')) {
      const data = Float32Array.from(listField(input, 'data'), Number);
      feeds[textField(input, 'name')] = new ort.Tensor(
        'float32',
        data,
        listField(input, 'shape').map(Number),
      );
    }
    return feeds;
  } catch {
    return undefined;
  }
}
