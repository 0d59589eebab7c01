/** Health and metadata of the server itself. */
import { type Check, type CheckContext, CheckSkipped, failureOf } from '../check.ts';
import { readJson } from '../exact-json.ts';
import type { Exchange } from '../http-talk.ts';
import { expectFields, expectObject, expectOk, expectRefused } from '../expectations.ts';
import { isObject } from '../infer-message.ts';

export const serverChecks: readonly Check[] = [
  {
    id: 'server.live',
    title: 'the server says that it is live',
    level: 'core',
    clause: 'Health: GET v2/health/live is 200; empty or {"live": true} (some say {"ready": true})',
    run: async (context: CheckContext): Promise<void> => {
      const exchange = await expectOk(context, { method: 'GET', path: '/v2/health/live' });
      expectHealthBody(exchange);
    },
  },
  {
    id: 'server.ready',
    title: 'the server says whether it is ready',
    level: 'core',
    clause: 'Health: GET v2/health/ready is 200 when all models can answer; the status decides',
    run: async (context: CheckContext): Promise<void> => {
      const exchange = await context.talk.send({ method: 'GET', path: '/v2/health/ready' });
      const { status } = exchange.answer;
      if (status === 400 || status === 503) {
        throw new CheckSkipped(
          `the server says that it is not ready (${status}); start it with models that load`,
        );
      }
      if (status !== 200) throw failureOf(exchange, 'status 200 (or 400 or 503 when it is not ready)');
      expectHealthBody(exchange);
    },
  },
  {
    id: 'server.metadata',
    title: 'the server says its name, version and extensions',
    level: 'core',
    clause: 'Server Metadata: GET v2 gives {"name", "version", "extensions": [...]}',
    run: async (context: CheckContext): Promise<void> => {
      const [exchange, metadata] = await expectObject(context, { method: 'GET', path: '/v2' });
      expectFields(exchange, metadata, { name: 'string', version: 'string', extensions: 'list' });
      const { extensions } = metadata;
      if (Array.isArray(extensions) && !extensions.every((name) => typeof name === 'string')) {
        throw failureOf(exchange, "'extensions' as a list of texts");
      }
    },
  },
  {
    id: 'server.unknown-path',
    title: 'a path that the protocol does not have is refused',
    level: 'robustness',
    clause: 'Errors: {"error": "..."}; documented servers answer 404',
    run: (context: CheckContext): Promise<void> =>
      expectRefused(context, { method: 'GET', path: '/v2/no-such-thing' }),
  },
  {
    id: 'server.wrong-method',
    title: 'a method that a path of the server does not have is refused',
    level: 'robustness',
    clause: 'Errors: documented servers answer 405 with {"error": "Method Not Allowed"}',
    run: (context: CheckContext): Promise<void> =>
      expectRefused(context, { method: 'DELETE', path: '/v2/health/live' }),
  },
];

/** Empty as Triton and MLServer, or an object as KServe and the text of the specification. */
export function expectHealthBody(exchange: Exchange): void {
  const { body } = exchange.answer;
  if (body.length === 0) return;
  const expected = 'an empty body, or an object that says true';
  let value: unknown;
  try {
    value = readJson(body.toString());
  } catch {
    throw failureOf(exchange, expected);
  }
  const isTrue = isObject(value) && (value['live'] ?? value['ready'] ?? value['alive']) === true;
  if (!isTrue) throw failureOf(exchange, expected);
}
