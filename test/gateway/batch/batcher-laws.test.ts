/**
 * The batcher under its laws, whatever the order of events; and the laws under seeded mistakes, so that a law that finds
 * nothing is known to be able to.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Law, laws } from './laws.ts';
import { play, type Script, script, type TestBatcher, unlimited } from './random-run.ts';
import { mistakes } from './seeded-mistakes.ts';

function lawHolds(law: Law, batcher: () => TestBatcher): fc.IPropertyWithHooks<[Script]> {
  return fc.property(script, (moves) => {
    law(play(batcher(), moves));
  });
}

describe('the laws of the batcher', () => {
  it.each(Object.entries(laws))('%s', (_name, law) => {
    fc.assert(lawHolds(law, unlimited), { numRuns: 150 });
  });
});

describe('the laws find a seeded mistake:', () => {
  it.each(mistakes)('$mistake', ({ Broken, broken }) => {
    for (const name of broken) {
      const outcome = fc.check(
        lawHolds(laws[name], () => new Broken({ queueRowsMax: Number.MAX_SAFE_INTEGER })),
        { numRuns: 300, endOnFailure: true },
      );
      expect({ law: name, found: outcome.failed }).toEqual({ law: name, found: true });
    }
  });

  it('and there is a mistake for every law', () => {
    expect(new Set(mistakes.flatMap(({ broken }) => broken))).toEqual(new Set(Object.keys(laws)));
  });
});
