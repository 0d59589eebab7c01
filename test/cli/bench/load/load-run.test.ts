/**
 * The generator against servers that misbehave on purpose. What matters most: a stall is felt by every request that was to
 * be sent meanwhile, and not only by the few that were under way.
 */
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HttpLane } from '../../../../cli/bench/load/http-lane.ts';
import { type LoadShape, runWindow, type SeenAnswer } from '../../../../cli/bench/load/load-run.ts';
import { parseTarget, requestHead, type Target } from '../../../../cli/bench/load/target.ts';
import { generatorProblem, throughput, type WindowResult } from '../../../../cli/bench/load/window-result.ts';
import { StallingServer } from './stalling-server.ts';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function server(options: Parameters<typeof StallingServer.start>[0]): Promise<StallingServer> {
  const started = await StallingServer.start(options);
  closing.push(() => started.close());
  return started;
}

function targetOf(port: number): Target {
  const target = parseTarget(`127.0.0.1:${port}`);
  if (target === undefined) throw new Error('no target');
  return target;
}

function lanesTo(port: number, count: number): readonly HttpLane[] {
  const target = targetOf(port);
  const headers = { 'Content-Length': '2' };
  const request = Buffer.from(`${requestHead(target, { line: 'POST /', headers })}hi`);
  const lanes = Array.from({ length: count }, () => new HttpLane(target, { next: () => request }));
  closing.unshift(() => {
    for (const lane of lanes) lane.close();
  });
  return lanes;
}

const steady = { stallFromMs: Infinity, stallMs: 0 };
const constant = (ratePerSecond: number): LoadShape => ({
  kind: 'open',
  ratePerSecond,
  arrivals: 'constant',
  seed: 1,
});

/** Of this process, in milliseconds: less than the stalls that are made on purpose. */
const standstillMsMax = 400;

/** A window in which this process stood still, generator and server alike, shows nothing of either: another one is looked at. */
async function undisturbed<Seen>(look: () => Promise<Seen>): Promise<Seen> {
  for (;;) {
    const delays = monitorEventLoopDelay();
    delays.enable();
    const seen = await look();
    delays.disable();
    if (delays.max / 1e6 < standstillMsMax) return seen;
  }
}

function settled({ good, refused, failed, unsent }: WindowResult): number {
  return good + refused + failed + unsent;
}

describe('a server that stalls for a second', () => {
  let open: WindowResult;
  let closed: WindowResult;
  beforeAll(async () => {
    // Each has a server of its own; a second is the same for both.
    const run = async (shape: LoadShape): Promise<WindowResult> => {
      const { port } = await server({ stallFromMs: 500, stallMs: 1000 });
      return runWindow(lanesTo(port, 1), { shape, seconds: 3 });
    };
    [open, closed] = await undisturbed(() =>
      Promise.all([run(constant(200)), run({ kind: 'closed', concurrency: 1 })]),
    );
  });

  it('cannot hide it from an open loop, though only one request could be under way', () => {
    // A third of all requests were due in the stall and waited 500 ms on average, the first ones nearly all of it.
    expect(open.offered).toBe(600);
    expect(open.good).toBe(600);
    expect(open.latency.percentileUs(0.99) / 1000).toBeGreaterThan(800);
    expect(open.latency.percentileUs(0.85) / 1000).toBeGreaterThan(300);
    // The generator itself kept its times, as far as this machine lets it.
    expect(open.lateness.percentileUs(0.5) / 1000).toBeLessThan(100);
  });

  it('is hidden by a closed loop, which is why its latencies are not those of users', () => {
    expect(closed.latency.maxUs / 1000).toBeGreaterThan(800);
    expect(closed.latency.percentileUs(0.99) / 1000).toBeLessThan(300);
  });
});

describe('an open loop', () => {
  it('leaves the processor to others where it need not be on time to the millisecond, and sends the same', async () => {
    const { port } = await server(steady);
    const load = { shape: constant(400), seconds: 0.5 };
    const first = await undisturbed(() => runWindow(lanesTo(port, 8), load));
    const second = await undisturbed(() => runWindow(lanesTo(port, 8), { ...load, staysAwake: false }));
    expect([first.offered, second.offered]).toEqual([200, 200]);
    expect(settled(second)).toBe(200);
    expect(second.busyShare).toBeLessThan(first.busyShare);
  });

  it('sends what is due and no more, and every request is settled once', async () => {
    const target = await server(steady);
    const seen: SeenAnswer[] = [];
    const shape = { kind: 'open', ratePerSecond: 300, arrivals: 'poisson', seed: 3 } as const;
    const result = await runWindow(lanesTo(target.port, 8), {
      shape,
      seconds: 1,
      seen: (answer) => seen.push(answer),
    });
    expect(settled(result)).toBe(result.offered);
    expect(result.lateness.count).toBe(result.offered);
    expect(seen).toHaveLength(result.offered);
    expect(target.served).toBe(result.offered);
    expect(Math.abs(result.offered - 300)).toBeLessThan(100);
    expect(seen.every(({ dueMs }) => dueMs >= 0 && dueMs < 1000)).toBe(true);
  });

  it('tells refusals from failures and keeps their latencies apart', async () => {
    const statusOf = (index: number): number => (index % 4 === 0 ? 503 : index % 4 === 1 ? 500 : 200);
    const { port } = await server({ ...steady, statusOf });
    const result = await runWindow(lanesTo(port, 4), { shape: constant(100), seconds: 1 });
    expect(result).toMatchObject({ offered: 100, good: 50, refused: 25, failed: 25, unsent: 0 });
    expect(result.refusalLatency.count).toBe(25);
    expect(Object.fromEntries(result.reasons)).toEqual({ 'status 503': 25, 'status 500': 25 });
  });

  it('is not about the server when the generator itself is held up', async () => {
    const { port } = await server(steady);
    const running = runWindow(lanesTo(port, 8), { shape: constant(100), seconds: 1 });
    const holdUp = setInterval(() => {
      for (const endMs = performance.now() + 150; performance.now() < endMs;);
    }, 200);
    const result = await running;
    clearInterval(holdUp);
    expect(generatorProblem(result)).toMatch(/sent too late/);
  });
});

describe('a closed loop', () => {
  it('keeps as many requests under way as it is told, and counts what came in time', async () => {
    const result = await undisturbed(async () => {
      const { port } = await server({ stallFromMs: 0, stallMs: 800 });
      return runWindow(lanesTo(port, 7), { shape: { kind: 'closed', concurrency: 5 }, seconds: 0.3 });
    });
    expect(result.offered).toBe(5);
    expect(result.good).toBe(5);
    expect(throughput(result)).toBe(0);
  });
});

describe('what goes wrong', () => {
  it('ends the window when nobody listens', async () => {
    const { port } = await server(steady);
    await closing.pop()?.();
    const result = await runWindow(lanesTo(port, 2), {
      shape: { kind: 'closed', concurrency: 2 },
      seconds: 60,
    });
    expect(result.good).toBe(0);
    expect(result.failed).toBeGreaterThan(100);
    expect([...result.reasons.keys()].join()).toContain('ECONNREFUSED');
  });

  it('is counted when a server cuts the connection or answers something else', async () => {
    let index = 0;
    const odd = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(index++ % 2 === 0 ? 'HTTP/1.1 200 OK\r\n\r\nhi' : ''));
    });
    await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve));
    closing.push(
      () =>
        new Promise((resolve) =>
          odd.close(() => {
            resolve();
          }),
        ),
    );
    const address = odd.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const result = await runWindow(lanesTo(port, 1), { shape: constant(50), seconds: 0.4 });
    expect(result).toMatchObject({ offered: 20, good: 0, failed: 20 });
    expect([...result.reasons.keys()].sort()).toEqual([
      'connection closed by the server',
      'the answer has no Content-Length',
    ]);
  });

  it('ends early when it is told to, with what there was', async () => {
    const { port } = await server(steady);
    const stop = new AbortController();
    setTimeout(() => {
      stop.abort();
    }, 300);
    const result = await runWindow(lanesTo(port, 2), {
      shape: constant(100),
      seconds: 60,
      signal: stop.signal,
    });
    expect(result.seconds).toBeLessThan(30);
    expect(result.good).toBeGreaterThan(0);
    expect(result.failed).toBe(0);
  });
});
