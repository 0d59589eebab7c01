/**
 * The promise of the gateway: an answer is what onnxruntime-web gives for the same rows. Bit for bit when the request was
 * the whole batch; within 1e-5 relative when its rows rode with others; and never with rows of somebody else.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SeededRandom, seededRandom } from '../../deploy/demo/seeded-random.ts';
import { type Caller, type Form, forms } from './callers.ts';
import { engineToleranceRatio, isNative } from '../runtime/engine-under-test.ts';
import { DirectSession } from './direct-session.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { ticketModel } from './odd-models.ts';
import { differences, relativeDifference, type Tensor, tensorOf } from './tensor.ts';
import type { Outcome } from './wire-forms.ts';

const iris = { name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') };
const digits = { name: 'digits', version: '2.0.0', file: demoModel('digits-2.0.0') };
const ticket = { name: 'ticket', version: '1.0.0', file: ticketModel() };

function irisInput(rows: number, random: SeededRandom): Tensor[] {
  const values = Array.from({ length: rows * 4 }, () => Math.round(random.next() * 80) / 10);
  return [tensorOf({ name: 'features', datatype: 'FP32', shape: [rows, 4] }, values)];
}

function digitsInput(rows: number, random: SeededRandom): Tensor[] {
  const shape = [rows, 1, 28, 28];
  const values = Array.from({ length: rows * 784 }, () => (random.next() < 0.7 ? 0 : random.next()));
  return [tensorOf({ name: 'image', datatype: 'FP32', shape }, values)];
}

/** Numbers that no other request of the test has: the ticket counts rows, and each value counts values. */
function ticketInput(rows: number, firstRow: number): Tensor[] {
  const values = Array.from({ length: rows * 5 }, (_, index) => firstRow * 5 + index);
  const tickets = Array.from({ length: rows }, (_, index) => 2n ** 60n + BigInt(firstRow + index));
  return [
    tensorOf({ name: 'values_in', datatype: 'FP32', shape: [rows, 5] }, values),
    tensorOf({ name: 'ticket_in', datatype: 'INT64', shape: [rows] }, tickets),
  ];
}

function outputsOf(outcome: Outcome): readonly Tensor[] {
  if (outcome.kind === 'error') throw new Error(`${outcome.code}: ${outcome.message}`);
  return outcome.outputs;
}

describe('a request that is alone in its batch', () => {
  let under: GatewayUnderTest;
  beforeAll(async () => {
    under = await startTestGateway({ models: [iris, digits], inlineRunUsMax: 0 });
  });
  afterAll(() => under.close());

  const cases = [
    { model: iris, rowCounts: [1, 2, 3, 4, 5, 7, 8, 13, 16, 20, 33, 64, 65, 100], input: irisInput },
    { model: digits, rowCounts: [1, 2, 3, 5, 8, 16], input: digitsInput },
  ];
  for (const { model, rowCounts, input } of cases) {
    test.each(forms)(`of ${model.name} has the bits of a direct run, as %s`, async (form) => {
      const direct = await DirectSession.open(model.file);
      const random = seededRandom(7);
      const caller = under.caller(form);
      for (const rows of rowCounts) {
        const inputs = input(rows, random);
        const outcome = await caller.call({ model: model.name, inputs });
        expect({ rows, wrong: differences(outputsOf(outcome), await direct.run(inputs)) }).toEqual({
          rows,
          wrong: [],
        });
      }
    });
  }
});

interface Ride {
  readonly model: 'iris' | 'ticket';
  readonly inputs: readonly Tensor[];
  readonly outcome: Outcome;
}

/** Each client sends its share of the requests, one after the other; a stream client keeps several in flight. */
async function campaign(
  under: GatewayUnderTest,
  plan: { readonly requests: number; readonly clients: readonly Form[]; readonly seed: number },
): Promise<Ride[]> {
  const random = seededRandom(plan.seed);
  const rides: Ride[] = [];
  let left = plan.requests;
  let nextRow = 0;
  const ride = async (caller: Caller): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const rows = 1 + random.below(20);
      const model = random.next() < 0.5 ? 'iris' : 'ticket';
      const inputs = model === 'iris' ? irisInput(rows, random) : ticketInput(rows, nextRow);
      nextRow += rows;
      rides.push({ model, inputs, outcome: await caller.call({ model, inputs }) });
    }
  };
  const inflight = (form: Form): number => (form.startsWith('stream') ? 8 : 1);
  const work = plan.clients.flatMap((form) => {
    const caller = under.caller(form);
    return Array.from({ length: inflight(form) }, () => ride(caller));
  });
  await Promise.all(work);
  return rides;
}

describe.each([
  { where: 'one thread', threads: 1, inlineRunUsMax: 0 },
  { where: 'two threads', threads: 2, inlineRunUsMax: 0 },
  { where: 'the event loop', threads: 1, inlineRunUsMax: 1_000_000 },
])('thousands of interleaved requests on $where', ({ threads, inlineRunUsMax }) => {
  const requests = 2000;
  // Six of each form: 42 clients.
  const clients = forms.flatMap((form) => Array.from({ length: 6 }, () => form));
  const seed = Number(process.env['TIDEGATE_SEED'] ?? Date.now() % 2 ** 31);
  const replay = `replay with TIDEGATE_SEED=${seed}`;
  let under: GatewayUnderTest;
  let rides: Ride[];
  beforeAll(async () => {
    under = await startTestGateway({ models: [iris, ticket], threads, inlineRunUsMax });
    rides = await campaign(under, { requests, clients, seed });
  });
  afterAll(() => under.close());

  test('are all answered', () => {
    const failed = rides.filter(({ outcome }) => outcome.kind === 'error');
    expect({ answered: rides.length, failed: failed.slice(0, 3) }, replay).toEqual({
      answered: requests,
      failed: [],
    });
  });

  test('get exactly their own rows back', () => {
    const rename: Readonly<Record<string, string>> = { values_in: 'values', ticket_in: 'ticket' };
    const wrong = rides
      .filter(({ model }) => model === 'ticket')
      .flatMap(({ inputs, outcome }) => {
        const wanted = inputs.map((input) => ({ ...input, name: rename[input.name] ?? '' }));
        return differences(outputsOf(outcome), wanted);
      });
    expect(wrong.slice(0, 3), replay).toEqual([]);
  });

  test('get what a direct run of their rows gives, within 1e-5', async () => {
    const direct = await DirectSession.open(iris.file);
    let largest = 0;
    for (const { inputs, outcome } of rides.filter(({ model }) => model === 'iris')) {
      const outputs = outputsOf(outcome);
      for (const wanted of await direct.run(inputs)) {
        const found = outputs.find(({ name }) => name === wanted.name);
        largest = Math.max(largest, relativeDifference(found, wanted));
      }
    }
    expect(largest, replay).toBeLessThanOrEqual(isNative ? engineToleranceRatio : 1e-5);
  });

  test('really shared batches, and every row ran once', async () => {
    const metrics = await under.metrics();
    for (const model of ['iris', 'ticket']) {
      const mine = rides.filter((ride) => ride.model === model);
      const rows = mine.reduce((sum, { inputs }) => sum + (inputs[0]?.shape[0] ?? 0), 0);
      const batches = metrics.sum('tidegate_batch_rows_count', { model });
      expect(metrics.sum('tidegate_batch_rows_sum', { model })).toBe(rows);
      expect(batches).toBeGreaterThan(0);
      expect(mine.length / batches, `${replay}: requests per batch of ${model}`).toBeGreaterThan(1.5);
    }
    expect(metrics.sum('tidegate_inflight_requests')).toBe(0);
  });
});
