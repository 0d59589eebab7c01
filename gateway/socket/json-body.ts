/**
 * Reads the small JSON body of a request that runs no model, compressed or not, and gives its fields. No body at all is
 * an empty object: the protocol's control endpoints take both.
 */
import type { HttpRequest } from 'uWebSockets.js';
import { fail, type Result, succeed } from '../wire/error-code.ts';
import { CollectedBody } from './collected-body.ts';
import { requestEncoding } from './content-encoding.ts';
import { BodyInflater } from './inflate-body.ts';
import type { RouteAnswer } from './route-answer.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Both as sent and inflated, bytes. */
const controlBytesMax = 1024 * 1024;

/** Call it inside the handler. A body that cannot be read is answered here; `take` is then not called. */
export function receiveJson(answer: RouteAnswer, req: HttpRequest, take: (fields: Fields) => void): void {
  const encoding = requestEncoding(req.getHeader('content-encoding'));
  if (!encoding.ok) {
    answer.error(encoding);
    return;
  }
  const finish = (body: Result<Uint8Array>): void => {
    const fields = body.ok ? readFields(body.value) : body;
    if (fields.ok) take(fields.value);
    else answer.error(fields);
  };
  const inflater =
    encoding.value === undefined
      ? undefined
      : new BodyInflater({ encoding: encoding.value, bytesMax: controlBytesMax, done: finish });
  const collected = new CollectedBody(controlBytesMax);
  let receivedBytes = 0;
  answer.receive(
    (chunk, isLast) => {
      receivedBytes += chunk.length;
      if (receivedBytes > controlBytesMax || (inflater === undefined && !collected.add(chunk))) {
        inflater?.cancel();
        const advice = 'This path takes a small JSON object or nothing.';
        answer.error(fail('BODY_TOO_LARGE', `The body is larger than ${controlBytesMax} bytes. ${advice}`));
      } else if (inflater !== undefined) inflater.write(chunk, isLast);
      else if (isLast) finish(succeed(collected.bytes()));
    },
    () => {
      inflater?.cancel();
    },
  );
}

function readFields(body: Uint8Array): Result<Fields> {
  if (body.length === 0) return succeed({});
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return fail('MALFORMED_JSON', 'The body is not JSON. Send a JSON object, or no body at all.');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return succeed(Object.fromEntries(Object.entries(value)));
  }
  return fail('INVALID_REQUEST', 'The body must be a JSON object, or be left out.');
}
