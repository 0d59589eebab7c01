/** What a deployment says about batches: read back as it was written, and refused where it makes no sense. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchingJson,
  batchingProblem,
  type DeploymentBatching,
  readBatching,
} from '../../../registry-store/manifest/batching.ts';
import { FieldReader } from '../../../registry-store/manifest/field-reader.ts';

const batching: fc.Arbitrary<DeploymentBatching> = fc.record(
  {
    rowsMax: fc.integer({ min: 1, max: 65_536 }),
    allowedRows: fc
      .uniqueArray(fc.integer({ min: 1, max: 65_536 }), { maxLength: 32 })
      .map((sizes) => sizes.toSorted((a, b) => a - b)),
    delayUsMax: fc.integer({ min: 0, max: 1_000_000 }),
    weight: fc.integer({ min: 1, max: 1000 }),
    defaultTimeoutMs: fc.integer({ min: 1, max: 3_600_000 }),
    runMsMax: fc.integer({ min: 100, max: 3_600_000 }),
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
    { runMsMax: 99 },
    { runMsMax: 3_600_001 },
    { allowedRows: [0, 4] },
    { allowedRows: [4, 4] },
    { allowedRows: [16, 4] },
    { allowedRows: [1.5] },
    { allowedRows: [1, 65_537] },
    { allowedRows: Array.from({ length: 33 }, (_, index) => index + 1) },
  ])('cannot be %j', (value) => {
    expect(batchingProblem(value)).toMatch(/not (between|an integer|ascending)|more than 32/);
  });
});
