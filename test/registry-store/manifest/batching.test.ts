/** What a deployment says about batches: read back as it was written, and refused where it makes no sense. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchingJson,
  batchingProblem,
  type DeploymentBatching,
  mergeBatching,
  readBatching,
} from '../../../registry-store/manifest/batching.ts';
import { FieldReader } from '../../../registry-store/manifest/field-reader.ts';

const batching: fc.Arbitrary<DeploymentBatching> = fc.record(
  {
    rowsMax: fc.integer({ min: 1, max: 65_536 }),
    delayUsMax: fc.integer({ min: 0, max: 1_000_000 }),
    weight: fc.integer({ min: 1, max: 1000 }),
    defaultTimeoutMs: fc.integer({ min: 1, max: 3_600_000 }),
  },
  { requiredKeys: [] },
);

describe('what is said about batches', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(batching, (value) => {
        const reader = new FieldReader(JSON.parse(JSON.stringify(batchingJson(value))), 'it');
        expect(readBatching(reader)).toEqual(value);
        expect([reader.problem, batchingProblem(value)]).toEqual([undefined, undefined]);
      }),
    );
  });

  it.each([
    { rowsMax: 0 },
    { rowsMax: 65_537 },
    { delayUsMax: -1 },
    { delayUsMax: 1_000_001 },
    { weight: 0 },
    { weight: 1.5 },
    { weight: 1001 },
    { defaultTimeoutMs: 0 },
    { defaultTimeoutMs: 3_600_001 },
  ])('cannot be %j', (value) => {
    expect(batchingProblem(value)).toMatch(/is not (between|an integer)/);
  });

  it('replaces what is given and keeps the rest', () => {
    expect(mergeBatching(undefined, undefined)).toBeUndefined();
    expect(mergeBatching({ rowsMax: 8, weight: 2 }, { weight: 3 })).toEqual({ rowsMax: 8, weight: 3 });
    expect(mergeBatching({ rowsMax: 8 }, undefined)).toEqual({ rowsMax: 8 });
  });
});
