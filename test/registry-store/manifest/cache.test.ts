/** What a deployment says about kept answers: read back as it was written, and refused where it makes no sense. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cacheJson, cacheProblem, cacheTtlMsMax, readCache } from '../../../registry-store/manifest/cache.ts';
import { FieldReader } from '../../../registry-store/manifest/field-reader.ts';

const cache = fc.record(
  { enabled: fc.boolean(), ttlMs: fc.integer({ min: 0, max: cacheTtlMsMax }) },
  { requiredKeys: [] },
);

it('is read back as it was written', () => {
  fc.assert(
    fc.property(cache, (value) => {
      const reader = new FieldReader(JSON.parse(JSON.stringify(cacheJson(value))), 'it');
      expect(readCache(reader)).toEqual(value);
      expect([reader.problem, cacheProblem(value)]).toEqual([undefined, undefined]);
    }),
  );
});

it.each([{ ttlMs: -1 }, { ttlMs: 0.5 }, { ttlMs: cacheTtlMsMax + 1 }])('cannot be %j', (value) => {
  expect(cacheProblem(value)).toMatch(/ttl_ms that is not (between|an integer)/);
});

it('is on or off and nothing else', () => {
  const reader = new FieldReader({ enabled: 'yes' }, 'it');
  readCache(reader);
  expect(reader.problem).toMatch(/enabled that is not true or false/);
});
