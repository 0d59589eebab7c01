/**
 * The law of the cache: with it, everybody is told what they would be told without it, whatever is asked, whoever leaves,
 * whichever version is live, and in whatever order runs end.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PendingRequest } from '../../../../gateway/dispatch/request-queue.ts';
import { ResponseCache } from '../../../../gateway/dispatch/cache/response-cache.ts';
import type { SharedRequest } from '../../../../gateway/dispatch/cache/shared-run.ts';
import { fail } from '../../../../gateway/wire/error-code.ts';
import type { InferReply } from '../../../../gateway/wire/infer-request.ts';
import {
  answerOf,
  PuppetDispatcher,
  puppetGeneration,
  submissionOf,
  tensorOf,
} from '../puppet-dispatcher.ts';

type Step =
  | { readonly kind: 'ask'; readonly value: number; readonly wide: boolean; readonly outputs: number }
  | { readonly kind: 'begin' | 'run' | 'fail' | 'leave' | 'cancel'; readonly which: number }
  | { readonly kind: 'reload' };

interface Asked {
  readonly request: PendingRequest | SharedRequest;
  readonly expected: readonly (readonly number[])[];
  readonly told: unknown[];
  hasLeft: boolean;
}

const which = fc.nat(20);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      value: fc.nat(3),
      wide: fc.boolean(),
      outputs: fc.nat(2),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('run' as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('begin', 'fail', 'leave', 'cancel'), which }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reload' as const }) },
);

const wantedOutputs = [undefined, [0], [1, 0]] as const;

test('everybody is told once, and the answer of a run of their own', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.constantFrom(3000, 50_000),
      async (steps, bytesMax) => {
        const dispatcher = new PuppetDispatcher();
        const cache = new ResponseCache({ dispatcher, bytesMax, models: undefined, followersMax: 1000 });
        const generations = [puppetGeneration('1')];
        const all: Asked[] = [];
        for (const step of steps) {
          await act(step, { dispatcher, cache, generations, all });
          expect(cache.store.bytes).toBeLessThanOrEqual(bytesMax);
        }
        while (dispatcher.held.length > 0) dispatcher.run();
        await Promise.resolve();
        for (const { told, expected, hasLeft } of all) {
          if (hasLeft && told.length === 0) continue;
          expect(told).toHaveLength(1);
          if (told[0] !== 'MODEL_FAILED' && told[0] !== 'CANCELLED') expect(told).toEqual([expected]);
        }
        expect(generations.map(({ inflight }) => inflight)).toEqual(generations.map(() => 0));
        expect(dispatcher.faults).toEqual([]);
      },
    ),
    { numRuns: 400 },
  );
});

async function act(
  step: Step,
  scene: {
    readonly dispatcher: PuppetDispatcher;
    readonly cache: ResponseCache;
    readonly generations: ReturnType<typeof puppetGeneration>[];
    readonly all: Asked[];
  },
): Promise<void> {
  const { dispatcher, cache, generations, all } = scene;
  if (step.kind === 'reload') {
    generations.push(puppetGeneration(String(1 + (generations.length % 2))));
    return;
  }
  if (step.kind === 'ask') {
    ask(step, scene);
    await Promise.resolve();
    return;
  }
  const { held } = dispatcher;
  const one = all[step.which % Math.max(1, all.length)];
  const at = step.which % Math.max(1, held.length);
  if (step.kind === 'leave' && one !== undefined) {
    cache.abandon(one.request);
    one.hasLeft ||= one.told.length === 0;
  } else if (step.kind === 'cancel' && one !== undefined) cache.cancel(one.request);
  else if (held.length === 0) return;
  else if (step.kind === 'run') dispatcher.run(at);
  else if (step.kind === 'begin') dispatcher.begin(at);
  else if (step.kind === 'fail') dispatcher.fail(at, fail('MODEL_FAILED', 'failed'));
}

function ask(
  { value, wide, outputs }: Extract<Step, { kind: 'ask' }>,
  { cache, generations, all }: Parameters<typeof act>[1],
): void {
  const generation = generations.at(-1);
  if (generation === undefined) throw new Error('there is always a generation');
  const values = wide ? [value, value + 1] : [value];
  const outputIndexes = wantedOutputs[outputs];
  const expected = (outputIndexes ?? [0, 1]).map((output) => answerOf(generation, values, output));
  const told: unknown[] = [];
  const sink = {
    reply: ({ columns, rowStart, rows, modelVersion }: InferReply) => {
      expect(modelVersion).toBe(generation.modelVersion);
      told.push(
        columns.map(({ data, rowElements }) =>
          [...data].slice(rowStart * rowElements, (rowStart + rows) * rowElements),
        ),
      );
    },
    fail: ({ code }: { readonly code: string }) => void told.push(code),
  };
  const more = outputIndexes === undefined ? {} : { outputIndexes };
  const request = cache.submit(submissionOf(generation, tensorOf(values), sink, more));
  if ('code' in request) throw new Error(request.code);
  all.push({ request, expected, told, hasLeft: false });
}
