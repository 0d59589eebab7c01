/** Requests that wait for a model: one load for all of them, each told exactly once, none longer than it can wait. */
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CallerShare, CallerShares } from '../../../gateway/admission/caller-shares.ts';
import {
  type ColdCall,
  type ColdRequest,
  ColdStarts,
  type Woken,
} from '../../../gateway/dispatch/cold-starts.ts';
import type { ModelGeneration } from '../../../gateway/dispatch/model-generation.ts';
import { fail, type WireError } from '../../../gateway/wire/error-code.ts';
import { puppetGeneration } from './puppet-dispatcher.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 0 });
  vi.spyOn(performance, 'now').mockImplementation(() => Date.now());
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Loads end when the test says so. */
class Loads {
  readonly asked: ModelGeneration[] = [];
  expectedMs = 100;
  #ends: ((woken: Woken) => void)[] = [];

  readonly starts: ColdStarts<string>;

  /** Two rows of each caller, and ten bytes. */
  readonly callers = new CallerShares({ rowsMax: 2, bytesMax: 10 });

  constructor(limits: object = {}) {
    this.starts = new ColdStarts<string>({
      limits: { coldRowsMax: 10, coldBytesMax: 100, coldWaitMsMax: 1000, ...limits },
      callers: this.callers,
      wake: (generation) => {
        this.asked.push(generation);
        return new Promise((resolve) => this.#ends.push(resolve));
      },
      expectedMs: () => this.expectedMs,
      reportFault: () => fail('INTERNAL', 'broken'),
    });
  }

  async end(woken: Woken): Promise<void> {
    this.#ends.shift()?.(woken);
    await Promise.resolve();
    await Promise.resolve();
  }
}

function call(
  generation: ModelGeneration,
  told: unknown[],
  more: Partial<ColdCall<string>> = {},
): ColdCall<string> {
  return {
    generation,
    protocol: 'oip-json',
    caller: undefined,
    rows: 1,
    bytes: 1,
    dueWithinMs: undefined,
    sink: { reply: () => undefined, fail: ({ code, retryAfterMs }) => void told.push([code, retryAfterMs]) },
    resume: (leftMs) => {
      told.push(['resumed', leftMs]);
      return 'taken';
    },
    ...more,
  };
}

const lookAgain: Woken = { kind: 'look_again' };
const error: WireError = fail('MODEL_NOT_READY', 'it does not load');

describe('ColdStarts', () => {
  it('asks once for all that wait, and takes them in their order with what is left of their time', async () => {
    const loads = new Loads();
    const [generation, told] = [puppetGeneration(), [] as unknown[]];
    const first = loads.starts.take(call(generation, told, { dueWithinMs: 500 }));
    vi.advanceTimersByTime(60);
    loads.starts.take(call(generation, told));
    expect([loads.asked.length, loads.starts.rows, loads.starts.bytes]).toEqual([1, 2, 2]);
    vi.advanceTimersByTime(40);
    await loads.end(lookAgain);
    expect(told).toEqual([
      ['resumed', 400],
      ['resumed', undefined],
    ]);
    expect(loads.starts.rows).toBe(0);
    expect(first).toMatchObject({ state: 'taken', taken: 'taken' });
    expect(generation.metrics.coldWaitSeconds).toMatchObject({ count: 2, sum: 0.14 });
    vi.advanceTimersByTime(5000);
    expect(told).toHaveLength(2);
  });

  it('sends away whoever cannot be served in time, and loads all the same', () => {
    const loads = new Loads();
    const generation = puppetGeneration();
    const refused = loads.starts.take(call(generation, [], { dueWithinMs: 99 }));
    expect(refused).toMatchObject({ code: 'MODEL_COLD', retryAfterMs: 100 });
    expect(loads.asked).toEqual([generation]);
    vi.advanceTimersByTime(30);
    expect(loads.starts.take(call(generation, [], { rows: 11 }))).toMatchObject({ retryAfterMs: 70 });
    expect(loads.asked).toHaveLength(1);
  });

  it('tells those whose time is over: their own as such, and that of the gateway with when to come again', () => {
    const loads = new Loads();
    const [generation, told] = [puppetGeneration(), [] as unknown[]];
    loads.expectedMs = 1000;
    loads.starts.take(call(generation, told, { dueWithinMs: 1000 }));
    vi.advanceTimersByTime(1);
    loads.expectedMs = 0;
    loads.starts.take(call(generation, told, { dueWithinMs: 2000 }));
    vi.advanceTimersByTime(998);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(told).toEqual([['DEADLINE_EXCEEDED', 0]]);
    vi.advanceTimersByTime(1);
    expect(told.slice(1)).toEqual([['MODEL_COLD', 0]]);
    expect(loads.starts.rows).toBe(0);
    expect([...generation.metrics.outcomes.rows()].map(({ outcome }) => outcome)).toEqual([
      'DEADLINE_EXCEEDED',
      'MODEL_COLD',
    ]);
  });

  it('waits for room: those who can wait so long wait, and it is tried again then', async () => {
    const loads = new Loads();
    const [generation, told] = [puppetGeneration(), [] as unknown[]];
    loads.starts.take(call(generation, told, { dueWithinMs: 200 }));
    loads.starts.take(call(generation, told));
    loads.expectedMs = 350;
    await loads.end({ kind: 'later', atMs: performance.now() + 250 });
    expect(told).toEqual([['MODEL_COLD', 350]]);
    // Whoever comes meanwhile is measured by the same.
    expect(loads.starts.take(call(generation, [], { dueWithinMs: 300 }))).toMatchObject({
      retryAfterMs: 350,
    });
    expect(loads.asked).toHaveLength(1);
    vi.advanceTimersByTime(250);
    expect(loads.asked).toHaveLength(2);
    await loads.end(lookAgain);
    expect(told.slice(1)).toEqual([['resumed', undefined]]);
  });

  it('asks no more for a model that nobody waits for', async () => {
    const loads = new Loads();
    const generation = puppetGeneration();
    const waiting = loads.starts.take(call(generation, []));
    if ('code' in waiting) throw new Error(waiting.code);
    expect(loads.starts.abandon(waiting)).toBe(true);
    await loads.end({ kind: 'later', atMs: Infinity });
    vi.advanceTimersByTime(10_000);
    expect(loads.asked).toHaveLength(1);
    loads.starts.take(call(generation, []));
    expect(loads.asked).toHaveLength(2);
  });

  it('tells all that wait why a model cannot be loaded, whatever went wrong', async () => {
    const loads = new Loads();
    const [generation, told] = [puppetGeneration(), [] as unknown[]];
    loads.starts.take(call(generation, told));
    await loads.end({ kind: 'failed', error });
    expect(told).toEqual([['MODEL_NOT_READY', undefined]]);
    const broken = new ColdStarts<string>({
      limits: { coldRowsMax: 10, coldBytesMax: 100, coldWaitMsMax: 1000 },
      callers: new CallerShares({ rowsMax: 0, bytesMax: 0 }),
      wake: () => Promise.reject(new Error('no')),
      expectedMs: () => 0,
      reportFault: () => fail('INTERNAL', 'broken'),
    });
    broken.take(call(generation, told));
    await vi.waitFor(() => {
      expect(told.slice(1)).toEqual([['INTERNAL', undefined]]);
    });
  });

  it('tells the one that cannot be taken up again, and goes on with the others', async () => {
    const loads = new Loads();
    const [generation, told] = [puppetGeneration(), [] as unknown[]];
    const refused = call(generation, told, { resume: () => error });
    const thrown = call(generation, told, {
      resume: () => {
        throw new Error('fault');
      },
    });
    for (const each of [refused, thrown, call(generation, told)]) loads.starts.take(each);
    await loads.end(lookAgain);
    expect(told).toEqual([
      ['MODEL_NOT_READY', undefined],
      ['INTERNAL', undefined],
      ['resumed', undefined],
    ]);
  });

  it('answers a request that is taken back, says nothing to a client that is gone, and is done with both', async () => {
    const loads = new Loads();
    const [generation, told] = [puppetGeneration(), [] as unknown[]];
    const [left, takenBack, last] = [1, 2, 3].map(() => {
      const request = loads.starts.take(call(generation, told));
      if ('code' in request) throw new Error(request.code);
      return request;
    });
    expect(loads.starts.abandon(left!)).toBe(true);
    expect(loads.starts.cancel(takenBack!)).toBe(true);
    expect(told).toEqual([['CANCELLED', undefined]]);
    await loads.end(lookAgain);
    expect(told).toHaveLength(2);
    // Now it is with whoever runs it.
    expect([loads.starts.abandon(last!), loads.starts.cancel(last!)]).toEqual([false, false]);
    expect(loads.starts.bytes).toBe(0);
  });

  it('tells everybody when the process ends', () => {
    const loads = new Loads();
    const told: unknown[] = [];
    for (const version of ['1', '2']) loads.starts.take(call(puppetGeneration(version), told));
    loads.starts.failAll(fail('SHUTTING_DOWN', 'over'));
    expect(told).toEqual([
      ['SHUTTING_DOWN', undefined],
      ['SHUTTING_DOWN', undefined],
    ]);
    expect(loads.starts.rows).toBe(0);
  });

  it('counts what a caller has waiting, and lets go of it before it is taken up again', async () => {
    const loads = new Loads();
    const [generation, told] = [puppetGeneration(), [] as unknown[]];
    const ask = (caller: string, rows: number, bytes = 1): unknown =>
      loads.starts.take(
        call(generation, told, { caller, rows, bytes, resume: () => taken({ caller, rows, bytes }) }),
      );
    const taken = (share: CallerShare): string => {
      expect(loads.callers.lackOf(share)).toBeUndefined();
      return 'taken';
    };
    const first = ask('ada', 1);
    ask('ada', 1);
    expect(ask('ada', 1)).toMatchObject({ code: 'CALLER_LIMIT', retryAfterMs: 100 });
    // As everywhere, who has nothing here may have one request, whatever its rows.
    ask('bob', 5);
    expect(loads.starts.rows).toBe(7);
    ask('eve', 1, 10);
    const refused = ask('eve', 1);
    expect(refused).toMatchObject({ code: 'CALLER_LIMIT', retryAfterMs: 100 });
    expect((refused as WireError).message).toContain('callerBytesMax');
    loads.starts.abandon(first as ColdRequest<string>);
    expect(loads.callers.lackOf({ caller: 'ada', rows: 1, bytes: 1 })).toBeUndefined();
    await loads.end(lookAgain);
    expect([loads.callers.size, loads.starts.rows, told]).toEqual([0, 0, []]);
  });

  it('loads nothing for a version that is not run', () => {
    const loads = new Loads();
    const generation = puppetGeneration();
    generation.refusal = error;
    expect(loads.starts.take(call(generation, []))).toBe(error);
    expect(loads.asked).toEqual([]);
  });
});
