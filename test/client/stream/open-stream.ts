/** What the tests of the stream client share: a client on a hand clock, a call, and an error that must come. */
import {
  StreamClient,
  type StreamClientOptions,
  type StreamEvent,
  tensor,
  TidegateError,
} from '../../../client/main.ts';
import type { InferCall } from '../../../client/infer-call.ts';
import { eventually } from '../../e2e/deadline.ts';
import { HandClock } from '../hand-clock.ts';
import { NodeWebSocket } from '../node-web-socket.ts';

export interface OpenStream {
  readonly client: StreamClient;
  readonly clock: HandClock;
  readonly events: readonly StreamEvent[];
  /** Turns the clock by what is left of a wait of at most this many milliseconds, once there is one. */
  readonly passBackoff: (atMostMs?: number) => Promise<void>;
  readonly happened: (kind: StreamEvent['kind']) => Promise<unknown>;
}

export function openStream(
  url: string | readonly string[],
  options: Partial<StreamClientOptions> = {},
): OpenStream {
  const clock = new HandClock();
  const events: StreamEvent[] = [];
  const client = new StreamClient({
    url,
    webSocket: NodeWebSocket,
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return {
    client,
    clock,
    events,
    passBackoff: async (atMostMs = 3000) => {
      const waitMs = await eventually(
        () => clock.waits.find((wait) => wait > 0 && wait <= atMostMs),
        `a wait of at most ${atMostMs} ms`,
      );
      clock.advance(waitMs);
    },
    happened: (kind) => eventually(() => events.some((event) => event.kind === kind), kind),
  };
}

/** One row that holds `value`. */
export function row(value: number, more: Partial<InferCall> = {}): InferCall {
  return { model: 'm', inputs: { x: tensor('FP32', [1, 1], [value]) }, ...more };
}

export async function errorOf(promise: Promise<unknown>): Promise<TidegateError> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (thrown instanceof TidegateError) return thrown;
  throw new Error(`no TidegateError but ${String(thrown)}`);
}

/** Resolves when everything that is ready to run has run; for showing that nothing more comes. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
