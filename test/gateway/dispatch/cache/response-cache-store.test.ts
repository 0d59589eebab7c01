/** What is kept, for how many bytes, and what has to go. */
import { describe, expect, test } from 'vitest';
import { ResponseCacheStore } from '../../../../gateway/dispatch/cache/response-cache-store.ts';
import { MetricsPage } from '../../../../gateway/telemetry/metrics-page.ts';
import type { InferReply, OutputColumn } from '../../../../gateway/wire/infer-request.ts';

function replyOf(data: OutputColumn['data'], rows = 1, rowStart = 0): InferReply {
  const datatype = ArrayBuffer.isView(data) ? 'FP32' : 'BYTES';
  const column = { name: 'y', datatype, rowShape: [2], rowElements: 2, data } as const;
  return {
    id: 1,
    modelName: 'm',
    modelVersion: '1',
    columns: [column],
    batched: true,
    rowStart,
    rows,
    options: undefined,
  };
}

async function counted(store: ResponseCacheStore, what: 'evicted' | 'expired'): Promise<number> {
  const page = new MetricsPage();
  store.addTo(page);
  return Number(new RegExp(`^tidegate_cache_${what}_total (\\d+)$`, 'm').exec(await page.render())?.[1]);
}

function evicted(store: ResponseCacheStore): Promise<number> {
  return counted(store, 'evicted');
}

describe('an answer', () => {
  test('is kept as the rows of one request, apart from the memory it came in', () => {
    const store = new ResponseCacheStore(100_000);
    const data = Float32Array.from([1, 2, 3, 4, 5, 6]);
    store.keep('key', replyOf(data, 1, 1));
    data.fill(0);
    expect(store.get('key')).toMatchObject({ rows: 1, columns: [{ data: Float32Array.from([3, 4]) }] });
    expect(store.get('another')).toBeUndefined();
  });

  test('counts with its elements, its strings and its key', () => {
    const sizeOf = (key: string, reply: InferReply): number => {
      const store = new ResponseCacheStore(1_000_000);
      store.keep(key, reply);
      return store.bytes;
    };
    const small = sizeOf('k', replyOf(new Float32Array(2)));
    expect(small).toBeGreaterThan(600);
    expect(sizeOf('k'.repeat(101), replyOf(new Float32Array(2)))).toBe(small + 100);
    expect(sizeOf('k', replyOf(new Float32Array(200), 100))).toBe(small + 198 * 4);
    const short = sizeOf('k', replyOf(['a', 'b']));
    expect(sizeOf('k', replyOf(['a'.repeat(101), 'b']))).toBe(short + 200);
  });
});

describe('the time', () => {
  test('is over for an answer that was given one, and for no other', async () => {
    let nowMs = 1;
    const store = new ResponseCacheStore(20_000, () => nowMs);
    store.keep('short', replyOf(new Float32Array(2)), 1000);
    store.keep('endless', replyOf(new Float32Array(2)));
    nowMs += 1000;
    expect([store.get('short'), store.get('endless')]).not.toContain(undefined);
    nowMs += 1;
    expect(store.get('short')).toBeUndefined();
    expect(store.get('endless')).toBeDefined();
    expect(await counted(store, 'expired')).toBe(1);
    expect(await counted(store, 'evicted')).toBe(0);
  });
});

test('the answers of one model can be forgotten, and those of others stay', () => {
  const store = new ResponseCacheStore(20_000);
  store.keep('one', replyOf(new Float32Array(2)));
  store.keep('other', { ...replyOf(new Float32Array(2)), modelName: 'other' });
  store.forget('m');
  expect([store.get('one'), store.get('other')?.modelName]).toEqual([undefined, 'other']);
});

describe('the room', () => {
  test('is never exceeded: what was not asked for the longest goes first', async () => {
    const store = new ResponseCacheStore(20_000);
    for (let index = 0; index < 100; index++) {
      store.keep(`key ${index}`, replyOf(new Float32Array(2)));
      expect(store.bytes).toBeLessThanOrEqual(20_000);
      store.get('key 0');
    }
    expect(store.answers).toBeGreaterThan(10);
    expect(store.get('key 0')).toBeDefined();
    expect(store.get('key 1')).toBeUndefined();
    expect(store.get('key 99')).toBeDefined();
    expect(await evicted(store)).toBe(100 - store.answers);
  });

  test('is not given to one answer that would throw out many', () => {
    const store = new ResponseCacheStore(20_000);
    store.keep('small', replyOf(new Float32Array(2)));
    store.keep('large', replyOf(new Float32Array(1000), 500));
    expect([store.answers, store.get('large')]).toEqual([1, undefined]);
  });

  test('given anew to the same question is no eviction', async () => {
    const store = new ResponseCacheStore(20_000);
    store.keep('key', replyOf(new Float32Array(2)));
    store.keep('key', replyOf(new Float32Array(2)));
    expect([store.answers, await evicted(store)]).toEqual([1, 0]);
  });
});
