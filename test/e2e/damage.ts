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

/** One to three wounds; half of the messages stay well-formed where they are text, so that what is behind the parser is hit. */
export function damaged(message: Uint8Array, random: SeededRandom): Uint8Array {
  let bytes: Buffer = Buffer.from(message);
  const gently = random.next() < 0.5;
  for (let wounds = 1 + random.below(3); wounds > 0; wounds--) {
    bytes = gently ? bruised(bytes, random) : wounded(bytes, random);
  }
  return bytes;
}

/** What may stand in the place of a number or a string of JSON. */
const tokens: readonly string[] = [
  ...[
    '0',
    '-0',
    '1',
    '2',
    '-1',
    '3.5',
    '1e3',
    '1e39',
    '1e-400',
    '255',
    '65504',
    '9007199254740993',
    '18446744073709551616',
  ],
  ...[
    'true',
    'null',
    '[]',
    '{}',
    '[1]',
    '""',
    '"NaN"',
    '"-Infinity"',
    '"a"',
    '"\\u0000"',
    '"x0"',
    '"features"',
    '"data"',
  ],
  ...['"shape"', '"FP32"', '"FP64"', '"INT8"', '"UINT64"', '"BOOL"', '"BYTES"', '"FP16"'],
];

/** One token of a text replaced by another, or one bit of a binary message turned. */
function bruised(bytes: Buffer, random: SeededRandom): Buffer {
  const text = bytes.toString();
  const found = [...text.matchAll(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|"[^"\\]*"|true|false/g)];
  const token = found[random.below(Math.max(1, found.length))];
  if (token === undefined || !/^[{P]/.test(text)) {
    const turned = Buffer.from(bytes);
    const at = random.below(turned.length);
    turned[at] = (turned[at] ?? 0) ^ (1 << random.below(8));
    return turned;
  }
  const end = token.index + token[0].length;
  return Buffer.from(text.slice(0, token.index) + tokens[random.below(tokens.length)]! + text.slice(end));
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
