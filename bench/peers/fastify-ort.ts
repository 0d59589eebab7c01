/**
 * A child of the suite: what one writes first. Fastify, the same protocol in JSON, one `session.run` for each request
 * on the main thread. No batching, no threads, no limits.
 * `node dist/bench/peers/fastify-ort.js <models as JSON> <web, or the file of onnxruntime-node>`
 */
import { fastify, type FastifyReply, type FastifyRequest } from 'fastify';
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { field, listField, textField } from '../json-field.ts';
import { jsonElements, loadOrt, openSession } from './ort-session.ts';

const [models = '[]', backend = 'web'] = process.argv.slice(2);
const list: unknown = JSON.parse(models);
const ort = await loadOrt(backend);
const served = new Map<string, { readonly version: string; readonly session: InferenceSession }>();
for (const model of Array.isArray(list) ? (list as unknown[]) : []) {
  const session = await openSession(ort, backend, { modelFile: textField(model, 'file') });
  served.set(textField(model, 'name'), { version: textField(model, 'version'), session });
}
const datatypes: Readonly<Record<string, string>> = { int64: 'INT64', float32: 'FP32' };

// An image is 3 MB of JSON.
const server = fastify({ logger: false, bodyLimit: 64 * 1024 * 1024 });

server.post('/v2/models/:model/infer', async (request: FastifyRequest, reply: FastifyReply) => {
  const model = textField(request.params, 'model');
  const found = served.get(model);
  if (found === undefined) return reply.code(404).send({ error: 'There is no such model.' });
  const feeds = readFeeds(request.body);
  if (feeds === undefined) return reply.code(400).send({ error: 'Send an OIP request with FP32 inputs.' });
  const { session, version } = found;
  const results = await session.run(feeds);
  const outputs = session.outputNames.map((name) => {
    const tensor = results[name];
    if (tensor === undefined) throw new Error(`no output ${name}`);
    return { name, shape: tensor.dims, datatype: datatypes[tensor.type], data: jsonElements(tensor) };
  });
  return { model_name: model, model_version: version, outputs };
});

const url = await server.listen({ host: '127.0.0.1', port: 0 });
console.log(JSON.stringify({ port: Number(new URL(url).port) }));

function readFeeds(body: unknown): Record<string, Tensor> | undefined {
  try {
    const feeds: Record<string, Tensor> = {};
    for (const input of listField(body, 'inputs')) {
      const data = Float32Array.from(listField(input, 'data'), Number);
      const shape = listField(input, 'shape').map(Number);
      if (field(input, 'datatype') !== 'FP32') return undefined;
      feeds[textField(input, 'name')] = new ort.Tensor('float32', data, shape);
    }
    return feeds;
  } catch {
    return undefined;
  }
}
