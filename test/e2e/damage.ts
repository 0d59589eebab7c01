/**
 * Random damage to a message: bytes flipped, cut, doubled, moved, replaced by what parsers dislike. One seed gives the
 * same damage; what the message means is of no interest here.
 */
import type { SeededRandom } from '../../deploy/demo/seeded-random.ts';

/** What a parser meets rarely and must survive: marks of JSON, of msgpack, of HTTP, and numbers at edges. */
const nasty: readonly Uint8Array[] = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '-',
  '.',
  'e',
  '0',
  '9',
  ' ',
  '\0',
  '\r\n',
  '\r\n\r\n',
  '%',
  '%00',
  '\ud83d',
  'null',
  'true',
  'NaN',
  '-0',
  '1e999',
  '1e-999',
  '99999999999999999999',
  '\\u0000',
  '\\ud800',
  '[[[[[[[[',
  '{"a":',
  'FP64',
  'INT64',
  'BYTES',
  'BOOL',
  'shape',
  'inputs',
  '__proto__',
  'Content-Length: 5\r\n',
]
  .map((text) => Buffer.from(text))
  .concat(
    [
      [0xc0],
      [0xc1],
      [0xc3],
      [0xc4, 0xff],
      [0xc6, 0xff, 0xff, 0xff, 0xff],
      [0xca],
      [0xcb],
      [0xcf],
      [0xd3],
      [0xd9, 0xff],
    ].map((bytes) => Buffer.from(bytes)),
    [
      [0xdc, 0xff, 0xff],
      [0xdd, 0xff, 0xff, 0xff, 0xff],
      [0xde, 0, 1],
      [0xdf, 0x7f, 0xff, 0xff, 0xff],
      [0xff, 0xfe],
    ].map((bytes) => Buffer.from(bytes)),
  );

/** One to four wounds. */
export function damaged(message: Uint8Array, random: SeededRandom): Uint8Array {
  let bytes: Buffer = Buffer.from(message);
  for (let wounds = 1 + random.below(4); wounds > 0; wounds--) bytes = wounded(bytes, random);
  return bytes;
}

function wounded(bytes: Buffer, random: SeededRandom): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(8));
  const before = bytes.subarray(0, at);
  switch (random.below(7)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
      return flipped;
    }
    case 1:
      return Buffer.concat([before, Buffer.of(random.below(256)), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([before, bytes.subarray(end)]);
    case 3:
      return Buffer.concat([before, bytes.subarray(at, end), bytes.subarray(at)]);
    case 4:
      return Buffer.from(before);
    case 5:
      return Buffer.concat([before, nasty[random.below(nasty.length)]!, bytes.subarray(at)]);
    default:
      return Buffer.concat([before, nasty[random.below(nasty.length)]!, bytes.subarray(end)]);
  }
}
