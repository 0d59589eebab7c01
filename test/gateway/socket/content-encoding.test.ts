/** Encodings by name, against the rules and examples of RFC 9110 sections 8.4 and 12.5.3. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  answerEncoding,
  contentEncodings,
  requestEncoding,
} from '../../../gateway/socket/content-encoding.ts';

describe('a body', () => {
  test.each([
    ['', undefined],
    ['identity', undefined],
    ['gzip', 'gzip'],
    [' GZip ', 'gzip'],
    ['x-gzip', 'gzip'],
    ['deflate', 'deflate'],
    ['br', 'br'],
  ])('in "%s" is read as %s', (header, encoding) => {
    expect(requestEncoding(header)).toEqual({ ok: true, value: encoding });
  });

  test.each(['gzip, br', 'gzip,gzip', 'zstd', 'gz', '*', 'identity, gzip'])(
    'in "%s" is refused',
    (header) => {
      expect(requestEncoding(header)).toMatchObject({ ok: false, code: 'UNSUPPORTED_ENCODING' });
    },
  );
});

describe('an answer', () => {
  test.each([
    ['', undefined],
    ['compress', undefined],
    ['gzip', 'gzip'],
    ['compress, gzip', 'gzip'],
    ['gzip;q=1.0, identity; q=0.5, *;q=0', 'gzip'],
    ['compress;q=0.5, gzip;q=1.0', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['GZIP', 'gzip'],
    ['br;q=0', undefined],
    ['br;q=0, *', 'gzip'],
    ['*;q=0.1', 'br'],
    ['identity;q=0, deflate;q=0.001', 'deflate'],
    ['identity, gzip;q=0.9', undefined],
    ['gzip;q=1.5', undefined],
    [', ,gzip', 'gzip'],
  ])('for "%s" is in %s', (header, encoding) => {
    expect(answerEncoding(header)).toBe(encoding);
  });

  test('is in an encoding that was not ruled out, whatever the header', () => {
    const part = fc
      .tuple(fc.constantFrom(...contentEncodings, 'identity', '*', 'zstd'), fc.integer({ min: 0, max: 10 }))
      .map(([name, tenths]) => ({ name, weight: tenths / 10 }));
    fc.assert(
      fc.property(fc.uniqueArray(part, { selector: ({ name }) => name }), (parts) => {
        const header = parts.map(({ name, weight }) => `${name};q=${weight}`).join(', ');
        const weightOf = (name: string): number | undefined =>
          parts.find((candidate) => candidate.name === name)?.weight;
        const weights = contentEncodings.map((name) => weightOf(name) ?? weightOf('*') ?? 0);
        const chosen = answerEncoding(header);
        if (chosen === undefined) {
          const identity = weightOf('identity') ?? weightOf('*') ?? 0;
          expect(Math.max(...weights)).toBeLessThanOrEqual(identity);
        } else {
          const weight = weights[contentEncodings.indexOf(chosen)] ?? 0;
          expect(weight).toBeGreaterThan(0);
          expect(weight).toBe(Math.max(...weights));
        }
      }),
    );
  });

  test('does not fail for any header', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect([undefined, ...contentEncodings]).toContain(answerEncoding(header));
      }),
    );
  });
});
