/** The order of what is done to deployments: who waits comes first, spare memory is spent last, and never two things at a time. */
import { expect, test } from 'vitest';
import { DeploymentLine } from '../../../gateway/live/deployment-line.ts';
import type { ModelGeneration } from '../../../gateway/dispatch/model-generation.ts';
import type { StoreSnapshot } from '../../../registry-store/main.ts';
import { puppetGeneration } from '../dispatch/puppet-dispatcher.ts';

const snapshot = {
  deployments: new Map([
    ['a', {}],
    ['b', {}],
  ]),
} as unknown as StoreSnapshot;

/** A line whose work ends when the test says so; `spendable` is how often memory can be spent. */
class Worked {
  readonly begun: string[] = [];
  spendable = 0;
  readonly line = new DeploymentLine({
    known: () => [],
    isFirst: () => false,
    gone: () => undefined,
    bring: (model) => this.#work(`bring ${model}`),
    wake: async ({ modelVersion }) => {
      await this.#work(`wake ${modelVersion}`);
      return { kind: 'look_again' };
    },
    spend: async () => {
      await this.#work('spend');
      this.spendable -= 1;
      return this.spendable > 0;
    },
  });
  #ends: (() => void)[] = [];

  wake(version: string): ModelGeneration {
    const generation = puppetGeneration(version);
    void this.line.wake(generation);
    return generation;
  }

  /** What is under way ends, and the next thing begins. */
  async next(): Promise<void> {
    this.#ends.shift()?.();
    await new Promise((resolve) => void setImmediate(resolve));
  }

  #work(what: string): Promise<void> {
    this.begun.push(what);
    return new Promise((resolve) => this.#ends.push(resolve));
  }
}

test('memory that came free is spent after everything else, as long as it can be', async () => {
  const worked = new Worked();
  worked.spendable = 2;
  void worked.line.apply(snapshot);
  await worked.next();
  worked.line.freed();
  worked.wake('1');
  for (let step = 0; step < 2; step++) await worked.next();
  expect(worked.begun).toEqual(['bring a', 'wake 1', 'bring b']);
  await worked.next();
  worked.wake('2');
  await worked.next();
  expect(worked.begun.slice(3)).toEqual(['spend', 'wake 2']);
  await worked.next();
  await worked.next();
  await worked.next();
  expect(worked.begun.slice(3)).toEqual(['spend', 'wake 2', 'spend']);
});

test('memory that comes free while nothing is done is spent at once, and not after the end', async () => {
  const worked = new Worked();
  worked.line.freed();
  await worked.next();
  expect(worked.begun).toEqual(['spend']);
  await worked.next();
  worked.line.close();
  worked.line.freed();
  await worked.next();
  expect(worked.begun).toEqual(['spend']);
});

test('says which versions are waited for, without the one that is being loaded', async () => {
  const worked = new Worked();
  void worked.line.apply(snapshot);
  await worked.next();
  const [first, second] = [worked.wake('1'), worked.wake('2')];
  expect(worked.line.awaited).toEqual([first, second]);
  await worked.next();
  expect(worked.line.awaited).toEqual([second]);
  await worked.next();
  expect(worked.line.awaited).toEqual([]);
});
