/** Text from the wire: valid UTF-8 or refused, and quoted safely in messages. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoted, readText, readWord } from '../../../gateway/wire/strict-text.ts';

const encoder = new TextEncoder();

describe.each([
  ['readWord', readWord],
  ['readText', readText],
])('%s', (_, read) => {
  it('gives back any text, from anywhere in a message', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 120 }), fc.nat(5), (text, offset) => {
        const bytes = encoder.encode(text);
        const message = new Uint8Array(offset + bytes.length + 2).fill(0x61);
        message.set(bytes, offset);
        expect(read(message, offset, offset + bytes.length)).toBe(text);
      }),
    );
  });

  it('says undefined of any bytes that are not UTF-8', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const back = read(bytes, 0, bytes.length);
        if (back === undefined) expect(Buffer.from(bytes).toString()).toContain('\ufffd');
        else expect([...encoder.encode(back)]).toEqual([...bytes]);
      }),
    );
  });
});

describe('readWord', () => {
  it('never mistakes a word for another that it remembers, however many there are', () => {
    const words = Array.from({ length: 5000 }, (_, index) => `feature_${index}`);
    for (let round = 0; round < 2; round++) {
      for (const word of words) expect(readWord(encoder.encode(word), 0, word.length)).toBe(word);
    }
  });
});

describe('quoted', () => {
  it('escapes what would break a message and shortens what would fill it', () => {
    expect(quoted('a"\n')).toBe('"a\\"\\n"');
    expect(quoted('x'.repeat(1000))).toBe(`"${'x'.repeat(64)}..."`);
  });
});
