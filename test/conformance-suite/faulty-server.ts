/**
 * A small server of the protocol that does everything right but for one fault, which the suite has to find. Written on
 * node:http and kept apart from our gateway, so that the suite is not merely a description of it.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jsonBytesHeader } from '../conformance/infer-message.ts';
import type { Fault, Habit } from './fault.ts';
import { type FakeModel, infer, outputName, Refused, type Reply } from './faulty-inference.ts';

export interface FaultyServer {
  readonly url: string;
  /** Paths in the order in which they were asked for. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

const version = '3';
const models: readonly FakeModel[] = [
  { name: 'whole', inputs: [{ name: 'x0', datatype: 'INT64', shape: [-1, 2] }] },
  { name: 'word', inputs: [{ name: 'x0', datatype: 'BYTES', shape: [-1, 1] }] },
  {
    name: 'pair',
    inputs: [
      { name: 'x0', datatype: 'FP32', shape: [-1, 3] },
      { name: 'x1', datatype: 'UINT8', shape: [-1, 2] },
    ],
  },
];

export async function startFaultyServer(fault?: Fault | Habit, delayMs = 0): Promise<FaultyServer> {
  const asked: string[] = [];
  const counts = new Map<string, number>();
  let isDead = false;
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      const body = Buffer.concat(chunks);
      const header = request.headers[jsonBytesHeader];
      asked.push(path);
      if (fault === 'infer-hangs' && request.method === 'POST' && path.endsWith('/infer')) return;
      if (fault === 'ready-hangs' && path === '/v2/models/whole/ready') return;
      if (fault === 'resets-on-depth' && body.toString('utf8', 0, 3) === '[[[') {
        request.socket.resetAndDestroy();
        return;
      }
      // For one look only, so that no other check is hit.
      const isLookedAt = isDead && path === '/v2/health/live';
      isDead = fault === 'dies-of-a-header' && header === '-1';
      const jsonBytes = typeof header === 'string' ? header : undefined;
      const asking = { method: request.method ?? '', path, body, jsonBytes };
      const reply = isLookedAt ? { status: 503, body: '' } : replyTo(asking, { fault, counts });
      const type = fault === 'content-type-of-text' ? 'text/plain' : 'application/json';
      setTimeout(() => {
        response.writeHead(reply.status, { 'content-type': type, ...reply.headers }).end(reply.body);
      }, delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

interface Asking {
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
  readonly jsonBytes: string | undefined;
}

interface State {
  readonly fault: Fault | Habit | undefined;
  /** Answered requests of each model. */
  readonly counts: Map<string, number>;
}

function replyTo(asking: Asking, state: State): Reply {
  try {
    return route(asking, state);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return refusal(error, state.fault);
  }
}

function refusal({ message, status }: Refused, fault: State['fault']): Reply {
  if (fault === 'error-as-text' && status === 405) return { status, body: message };
  if (fault === 'error-without-reason' && message === 'unknown output') {
    return { status, body: JSON.stringify({ message }) };
  }
  return { status, body: JSON.stringify({ error: message }) };
}

function route(asking: Asking, { fault, counts }: State): Reply {
  const { method, path, body } = asking;
  const { modelName, versionName, rest } = partsOf(path);
  if (modelName !== undefined) {
    const model = models.find(({ name }) => name === modelName);
    if (model === undefined) {
      const isInfer = rest === 'infer' && fault === 'unknown-model-is-500';
      throw new Refused('unknown model', isInfer ? 500 : fault === 'of-triton' ? 400 : 404);
    }
    if (versionName !== undefined && versionName !== version) throw new Refused('unknown version', 404);
    expectMethod(method, rest === 'infer' ? 'POST' : 'GET');
    return ofModel(model, { rest, asking, fault, counts, isVersioned: versionName !== undefined });
  }
  expectMethod(method, path.startsWith('/v2/repository') ? 'POST' : 'GET');
  switch (path) {
    case '/v2':
      return json({
        name: 'faulty',
        ...(fault === 'metadata-without-version' ? {} : { version: '1' }),
        extensions: ['binary_tensor_data', modelRepository(fault), 'statistics'],
      });
    case '/v2/health/live':
    case '/v2/health/ready':
      return fault === 'of-kserve'
        ? json({ [path.slice('/v2/health/'.length)]: true })
        : { status: 200, body: '' };
    case '/v2/models/stats':
      return json({ model_stats: models.map((model) => statistics(model, counts)) });
    case '/v2/repository/index': {
      const reason = fault === 'index-with-numbers' ? 0 : '';
      const versions = fault === 'of-kserve' ? {} : { version };
      return json(models.map(({ name }) => ({ name, ...versions, state: 'READY', reason })));
    }
    default:
      throw new Refused(`nothing at ${path} for ${body.length} bytes`, 404);
  }
}

function partsOf(path: string): {
  readonly modelName?: string | undefined;
  readonly versionName?: string | undefined;
  readonly rest: string;
} {
  const parts = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(\w+))?$/.exec(path);
  if (parts === null || path === '/v2/models/stats') return { rest: '' };
  return { modelName: parts[1], versionName: parts[2], rest: parts[3] ?? '' };
}

function ofModel(
  model: FakeModel,
  {
    rest,
    asking,
    fault,
    counts,
    isVersioned,
  }: State & {
    readonly rest: string;
    readonly asking: Asking;
    readonly isVersioned: boolean;
  },
): Reply {
  switch (rest) {
    case '':
      return json({
        ...metadata(model, fault === 'shape-as-text' && isVersioned),
        ...(fault === 'of-kserve' ? { versions: undefined } : {}),
      });
    case 'ready':
      return fault === 'of-kserve' ? json({ name: model.name, ready: true }) : { status: 200, body: '' };
    case 'stats':
      return json({ model_stats: [statistics(model, counts)] });
    case 'infer': {
      if (fault === 'infer-is-500') throw new Refused('out of luck', 500);
      const isOther = fault === 'answers-for-another-version' && isVersioned;
      const { body, jsonBytes } = asking;
      const reply = infer({ model, version: isOther ? '99' : version, body, jsonBytes, fault });
      if (fault !== 'counts-nothing') counts.set(model.name, (counts.get(model.name) ?? 0) + 1);
      return reply;
    }
    default:
      throw new Refused('nothing there', 404);
  }
}

function metadata({ name, inputs }: FakeModel, hasTextShape: boolean): object {
  const ports = inputs.map((input) => ({
    ...input,
    shape: hasTextShape ? input.shape.map(String) : input.shape,
  }));
  const outputs = ports.map((port, place) => ({ ...port, name: outputName(place) }));
  return { name, versions: [version], platform: 'fake', inputs: ports, outputs };
}

function statistics({ name }: FakeModel, counts: ReadonlyMap<string, number>): object {
  const count = counts.get(name) ?? 0;
  const none = { count: 0, ns: 0 };
  const times = { fail: none, queue: none, compute_input: none, compute_infer: none, compute_output: none };
  return {
    ...{ name, version, last_inference: 0, inference_count: count, execution_count: count },
    inference_stats: { success: { count, ns: count * 1000 }, ...times },
    batch_stats: [],
  };
}

function modelRepository(fault: State['fault']): string {
  return fault === 'of-kserve' ? 'model_repository_extension' : 'model_repository';
}

function expectMethod(given: string, asked: string): void {
  if (given !== asked) throw new Refused('Method Not Allowed', 405);
}

function json(value: object): Reply {
  return { status: 200, body: JSON.stringify(value) };
}
