/** Who is answered how, and how often the model is run for it, with a dispatcher moved by hand. */
import { describe, expect, test } from 'vitest';
import { ResponseCache } from '../../../../gateway/dispatch/cache/response-cache.ts';
import { callerLimits } from '../../../../gateway/dispatch/failure-answers.ts';
import type { PendingRequest } from '../../../../gateway/dispatch/request-queue.ts';
import { type ReplySink } from '../../../../gateway/dispatch/request-queue.ts';
import type { SharedRequest } from '../../../../gateway/dispatch/cache/shared-run.ts';
import { type ErrorCode, fail } from '../../../../gateway/wire/error-code.ts';
import type { InferReply, InputTensor } from '../../../../gateway/wire/infer-request.ts';
import {
  answerOf,
  PuppetDispatcher,
  puppetGeneration,
  submissionOf,
  tensorOf,
} from '../puppet-dispatcher.ts';

class Caller implements ReplySink {
  readonly told: unknown[] = [];
  use: string | undefined;
  id: InferReply['id'];
  #breaks: boolean;

  constructor(breaks = false) {
    this.#breaks = breaks;
  }

  reply({ columns, rowStart, rows, id }: InferReply): void {
    if (this.#breaks) throw new Error('this answer cannot be written');
    const [{ data, rowElements } = { data: [], rowElements: 0 }] = columns;
    this.id = id;
    this.told.push([...data].slice(rowStart * rowElements, (rowStart + rows) * rowElements));
  }

  fail({ code }: { readonly code: ErrorCode }): void {
    this.told.push(code);
  }

  cached(use: string): void {
    this.use = use;
  }
}

interface Scene {
  readonly dispatcher: PuppetDispatcher;
  readonly cache: ResponseCache;
  readonly generation: ReturnType<typeof puppetGeneration>;
  /** Asks for [1, 2], or for what is said; the request that was taken. */
  readonly ask: (
    caller: Caller,
    more?: Parameters<typeof submissionOf>[3],
    input?: InputTensor,
  ) => PendingRequest | SharedRequest;
}

function setUp(
  options: {
    readonly models?: readonly string[];
    readonly followersMax?: number;
    readonly nowMs?: () => number;
  } = {},
): Scene {
  const dispatcher = new PuppetDispatcher();
  const cache = new ResponseCache({
    dispatcher,
    bytesMax: 1024 * 1024,
    models: options.models && new Set(options.models),
    followersMax: options.followersMax ?? 100,
    ...(options.nowMs !== undefined && { nowMs: options.nowMs }),
  });
  const generation = puppetGeneration();
  const ask: Scene['ask'] = (caller, more = {}, input = tensorOf([1, 2])) => {
    const outcome = cache.submit(submissionOf(generation, input, caller, more));
    if ('code' in outcome) throw new Error(outcome.code);
    return outcome;
  };
  return { dispatcher, cache, generation, ask };
}

const asked = (count: number): Caller[] => Array.from({ length: count }, () => new Caller());
const microtasks = (): Promise<void> => Promise.resolve();

describe('the same question', () => {
  test('is run once, and answered again with the id of who asks', async () => {
    const { dispatcher, generation, ask } = setUp();
    const [first, second] = asked(2);
    ask(first!, { id: 'one' });
    dispatcher.run();
    ask(second!, { id: 'two', protocol: 'stream-msgpack' });
    // Never before the transport knows that it was taken.
    expect(second!.told).toEqual([]);
    await microtasks();
    expect([first!.told, second!.told]).toEqual([
      [answerOf(generation, [1, 2])],
      [answerOf(generation, [1, 2])],
    ]);
    expect([first!.id, second!.id, first!.use, second!.use]).toEqual(['one', 'two', 'miss', 'hit']);
    expect(dispatcher.taken).toBe(1);
    const { cache, outcomes } = generation.metrics;
    expect([cache.hits, cache.misses, cache.coalesced]).toEqual([1, 1, 0]);
    expect(cache.lastHitMs).toBeGreaterThan(0);
    expect([...outcomes.rows()]).toEqual([{ protocol: 'stream-msgpack', outcome: 'OK', value: 1 }]);
  });

  test('while it is run is answered by that run, for each in its own way', () => {
    const { dispatcher, generation, ask } = setUp();
    const callers = asked(4);
    for (const [index, caller] of callers.entries()) ask(caller, { id: index });
    dispatcher.begin();
    expect(generation.inflight).toBe(4);
    dispatcher.run();
    expect(callers.map(({ id, use }) => [id, use])).toEqual([
      [0, 'miss'],
      [1, 'coalesced'],
      [2, 'coalesced'],
      [3, 'coalesced'],
    ]);
    for (const { told } of callers) expect(told).toEqual([answerOf(generation, [1, 2])]);
    expect([dispatcher.taken, generation.inflight, generation.metrics.cache.coalesced]).toEqual([1, 0, 3]);
  });

  test.each([
    ['another element', {}, tensorOf([1, 3])],
    ['another shape of the same elements', {}, tensorOf([1, 2], [2, 1])],
    ['another generation of the same version', { generation: puppetGeneration() }, tensorOf([1, 2])],
    ['other outputs', { outputIndexes: [1] }, tensorOf([1, 2])],
    ['-0 for 0', {}, tensorOf([-0, 0])],
  ])('is another one with %s', async (_, more, input) => {
    const { dispatcher, ask } = setUp();
    const [zero, first, second] = asked(3);
    ask(zero!, {}, tensorOf([0, 0]));
    dispatcher.run();
    ask(first!);
    dispatcher.run();
    ask(second!, more, input);
    await microtasks();
    expect([second!.use, dispatcher.taken]).toEqual(['miss', 3]);
  });

  test('of a rollout that is judged, and of a model whose answers are not kept, is run every time', () => {
    const trial = { watch: undefined as never, arm: 'stable', share: 0.5, keyHash: 1 } as const;
    for (const [options, more] of [
      [{}, { trial }],
      [{ models: ['other'] }, {}],
    ] as const) {
      const { dispatcher, ask } = setUp(options);
      const callers = asked(3);
      for (const caller of callers) ask(caller, more);
      expect(dispatcher.taken).toBe(3);
      expect(callers.map(({ use }) => use)).toEqual([undefined, undefined, undefined]);
    }
  });
});

describe('a failure', () => {
  test.each(['MODEL_FAILED', 'WORKER_LOST', 'SHUTTING_DOWN'] as const)(
    '%s is that of everybody who waits, and of nobody later',
    async (code) => {
      const { dispatcher, generation, ask } = setUp();
      const callers = asked(3);
      for (const caller of callers) ask(caller);
      dispatcher.fail(0, fail(code, 'failed'));
      expect(callers.map(({ told }) => told)).toEqual([[code], [code], [code]]);
      expect([generation.inflight, dispatcher.held.length]).toEqual([0, 0]);
      const later = new Caller();
      ask(later);
      dispatcher.run();
      await microtasks();
      expect([later.use, later.told]).toEqual(['miss', [answerOf(generation, [1, 2])]]);
    },
  );

  test('of the element is told before anything is kept', () => {
    const { cache, generation } = setUp();
    const input = { ...tensorOf([1, 2]), source: { kind: 'values', values: ['a', 'b'] } } as const;
    expect(cache.submit(submissionOf(generation, input, new Caller()))).toMatchObject({
      code: 'INVALID_ELEMENT',
    });
    expect([cache.store.answers, generation.inflight]).toEqual([0, 0]);
  });

  test('to write the answer of one caller is its own', () => {
    const { dispatcher, generation, ask } = setUp();
    const callers = [new Caller(true), new Caller(), new Caller(true), new Caller()];
    for (const caller of callers) ask(caller);
    dispatcher.run();
    const answer = answerOf(generation, [1, 2]);
    expect(callers.map(({ told }) => told)).toEqual([['INTERNAL'], [answer], ['INTERNAL'], [answer]]);
    expect([dispatcher.faults.length, generation.inflight]).toEqual([2, 0]);
  });
});

describe('a leader that', () => {
  test.each([
    [
      'leaves while it waits',
      (scene: Scene, leader: PendingRequest | SharedRequest) => {
        scene.cache.abandon(leader);
      },
    ],
    [
      'leaves while it runs',
      (scene: Scene, leader: PendingRequest | SharedRequest) => {
        scene.dispatcher.begin();
        scene.cache.abandon(leader);
        scene.dispatcher.run();
      },
    ],
    ['is cancelled', (scene: Scene, leader: PendingRequest | SharedRequest) => scene.cache.cancel(leader)],
    [
      'comes too late',
      (scene: Scene) => {
        scene.dispatcher.fail(0, fail('DEADLINE_EXCEEDED', 'late'));
      },
    ],
  ])('%s hands over to its first follower', (_, leave) => {
    const scene = setUp();
    const { dispatcher, generation, ask, cache } = scene;
    const [leader, second, third] = asked(3);
    const taken = ask(leader!);
    const promoted = ask(second!, { id: 'second' });
    ask(third!, { id: 'third' });
    leave(scene, taken);
    expect([dispatcher.taken, dispatcher.held.length]).toEqual([2, 1]);
    // The one that leads now can be followed and can leave as well.
    const fourth = new Caller();
    ask(fourth);
    expect(cache.cancel(promoted)).toBe(true);
    expect(second!.told).toEqual(['CANCELLED']);
    dispatcher.run();
    expect(third!.told).toEqual([answerOf(generation, [1, 2])]);
    expect(fourth.told).toEqual([answerOf(generation, [1, 2])]);
    expect(third!.id).toBe('third');
    expect([dispatcher.held.length, generation.inflight]).toEqual([0, 0]);
  });

  test('leaves alone ends the run', () => {
    const { dispatcher, generation, ask, cache } = setUp();
    cache.abandon(ask(new Caller()));
    expect([dispatcher.held.length, generation.inflight]).toEqual([0, 0]);
  });

  test('leaves when there is no room fails the others with that', () => {
    const { dispatcher, generation, ask, cache } = setUp();
    const [leader, ...others] = asked(3);
    const taken = ask(leader!);
    for (const caller of others) ask(caller);
    dispatcher.refusal = fail('QUEUE_FULL', 'full');
    cache.abandon(taken);
    expect(others.map(({ told }) => told)).toEqual([['QUEUE_FULL'], ['QUEUE_FULL']]);
    expect(generation.inflight).toBe(0);
  });
});

describe('a follower', () => {
  test('that leaves or is cancelled is not told, and takes nothing from the others', () => {
    const { dispatcher, generation, ask, cache } = setUp();
    const [leader, gone, cancelled, stays] = asked(4);
    ask(leader!);
    const [goes, cancels] = [ask(gone!), ask(cancelled!)];
    ask(stays!);
    cache.abandon(goes);
    cache.abandon(goes);
    expect([cache.cancel(cancels), cache.cancel(cancels), cache.cancel(goes)]).toEqual([true, false, false]);
    dispatcher.run();
    expect([gone!.told, cancelled!.told]).toEqual([[], ['CANCELLED']]);
    expect(stays!.told).toEqual([answerOf(generation, [1, 2])]);
    expect([...generation.metrics.outcomes.rows()].map(({ outcome, value }) => [outcome, value])).toEqual([
      ['ABANDONED', 1],
      ['CANCELLED', 1],
      ['OK', 1],
    ]);
  });

  test('keeps its own deadline: what has not begun by then is told so, what has is finished', async () => {
    const { dispatcher, generation, ask } = setUp();
    const [leader, early, other, running] = asked(4);
    ask(leader!);
    ask(early!, { dueWithinMs: 5 });
    await until(() => early!.told.length > 0);
    expect([early!.told, leader!.told]).toEqual([['DEADLINE_EXCEEDED'], []]);
    ask(other!, {}, tensorOf([5]));
    dispatcher.begin(1);
    ask(running!, { dueWithinMs: 5 }, tensorOf([5]));
    await new Promise((resolve) => setTimeout(resolve, 30));
    dispatcher.run(1);
    expect(running!.told).toEqual([answerOf(generation, [5])]);
  });

  test('counts for its caller until it is told, and leads under its name', () => {
    const { dispatcher, cache, generation, ask } = setUp();
    const leader = ask(new Caller(), { caller: 'ada' });
    for (let index = 0; index < 3; index++) ask(new Caller(), { caller: 'ada' });
    const another = submissionOf(generation, tensorOf([1, 2]), new Caller(), { caller: 'ada' });
    expect(cache.submit(another)).toMatchObject({ code: 'CALLER_LIMIT' });
    ask(new Caller(), { caller: 'bob' });
    cache.abandon(leader);
    expect(dispatcher.held.at(-1)?.submission.caller).toBe('ada');
    ask(new Caller(), { caller: 'ada' });
    dispatcher.run();
    expect(dispatcher.callers.size).toBe(0);
    // All the bytes that one caller may have.
    const wide = tensorOf(Array<number>(8).fill(1));
    for (let index = 0; index < 2; index++) ask(new Caller(), { caller: 'eve' }, wide);
    const more = submissionOf(generation, wide, new Caller(), { caller: 'eve' });
    expect(cache.submit(more)).toMatchObject({ code: 'CALLER_LIMIT', message: callerLimits.bytes.message });
    dispatcher.run();
    expect(dispatcher.callers.size).toBe(0);
  });

  test('too many is refused at the door', () => {
    const { dispatcher, cache, generation, ask } = setUp({ followersMax: 1 });
    const [leader, follower] = asked(2);
    ask(leader!);
    ask(follower!);
    const refused = cache.submit(submissionOf(generation, tensorOf([1, 2]), new Caller()));
    expect(refused).toMatchObject({ code: 'QUEUE_FULL' });
    dispatcher.run();
    ask(new Caller(), {}, tensorOf([9]));
    ask(new Caller(), {}, tensorOf([9]));
  });
});

test('a hit whose client is gone already is told nobody', async () => {
  const { dispatcher, cache, generation, ask } = setUp();
  ask(new Caller());
  dispatcher.run();
  const gone = new Caller();
  cache.abandon(ask(gone));
  await microtasks();
  expect([gone.told, generation.metrics.cache.hits]).toEqual([[], 0]);
});

async function until(isTrue: () => boolean): Promise<void> {
  const endMs = Date.now() + 10_000;
  while (!isTrue() && Date.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('what the deployment says', () => {
  /** Asks once, runs it, and asks again. */
  async function secondUse({ dispatcher, ask }: Scene): Promise<string | undefined> {
    const [first, second] = asked(2);
    ask(first!);
    dispatcher.run();
    ask(second!);
    await microtasks();
    // Where answers are not kept, nothing says so.
    return second!.use;
  }

  test.each([
    { models: undefined, enabled: undefined, use: 'hit' },
    { models: undefined, enabled: false, use: undefined },
    { models: ['other'], enabled: undefined, use: undefined },
    { models: ['other'], enabled: true, use: 'hit' },
  ])('goes before what the node says: $enabled, for $models', async ({ models, enabled, use }) => {
    const scene = setUp(models === undefined ? {} : { models });
    scene.cache.tune(scene.generation.modelName, enabled === undefined ? {} : { enabled });
    expect(await secondUse(scene)).toBe(use);
  });

  test('bounds the time of an answer', async () => {
    let nowMs = 1;
    const scene = setUp({ nowMs: () => nowMs });
    scene.cache.tune(scene.generation.modelName, { ttlMs: 1000 });
    expect(await secondUse(scene)).toBe('hit');
    nowMs += 1001;
    const late = new Caller();
    scene.ask(late);
    expect(late.use).toBe('miss');
  });

  test('forgets the answers kept so far when it changes, and only then', async () => {
    const scene = setUp();
    const { modelName } = scene.generation;
    await secondUse(scene);
    scene.cache.tune(modelName, {});
    expect(scene.cache.store.answers).toBe(1);
    scene.cache.tune(modelName, { ttlMs: 5000 });
    expect(scene.cache.store.answers).toBe(0);
  });

  test('keeps no answer of a run that was under way when it was switched off', () => {
    const { dispatcher, cache, generation, ask } = setUp();
    ask(new Caller());
    cache.tune(generation.modelName, { enabled: false });
    dispatcher.run();
    expect(cache.store.answers).toBe(0);
  });
});
