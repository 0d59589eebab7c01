/** The scanner against JSON.parse: it accepts the same bytes, and reads the same values from them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonDepthMax, JsonScanner } from '../../../gateway/wire/json-scanner.ts';
import { WordTable } from '../../../gateway/wire/word-table.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function engineAccepts(bytes: Uint8Array): boolean {
  try {
    JSON.parse(decoder.decode(bytes));
    return true;
  } catch {
    return false;
  }
}

function scannerAccepts(bytes: Uint8Array): boolean {
  const scanner = new JsonScanner(bytes);
  const accepted = scanner.skipValue() && scanner.finish();
  expect(scanner.fault === undefined).toBe(accepted);
  return accepted;
}

function expectSameVerdict(bytes: Uint8Array): void {
  if (scannerAccepts(bytes) !== engineAccepts(bytes)) {
    expect.fail(`the verdicts on ${Buffer.from(bytes).toString('hex')} differ`);
  }
}

/** Reads a whole document with the scanner's walking methods, the way a codec does. */
function readAll(scanner: JsonScanner): unknown {
  if (scanner.enterObject()) {
    const entries: [string, unknown][] = [];
    for (let name = scanner.nextName(); name !== undefined; name = scanner.nextName()) {
      entries.push([name, readAll(scanner)]);
    }
    return Object.fromEntries(entries);
  }
  if (scanner.enterArray()) {
    const values: unknown[] = [];
    while (scanner.nextElement()) values.push(readAll(scanner));
    return values;
  }
  if (scanner.skipNull()) return null;
  const known = scanner.readString() ?? scanner.readNumber();
  if (known !== undefined) return known;
  const isTrue = scanner.peek() === 0x74;
  scanner.skipValue();
  return isTrue;
}

/** A document with white space of every kind between its tokens. */
const spacedJson = fc
  .tuple(fc.json({ maxDepth: 4 }), fc.array(fc.constantFrom(' ', '\n', '\t', '\r\n', ''), { minLength: 1 }))
  .map(([json, spaces]) => {
    let turn = 0;
    const space = (): string => spaces[turn++ % spaces.length] ?? '';
    const tokens = json.match(/"(?:[^"\\]|\\.)*"|[-+.\w]+|[[\]{}:,]/g) ?? [];
    return space() + tokens.map((token) => token + space()).join('');
  });

/** Bytes that are likely to change what a document means. */
const telling = fc.oneof(
  fc.constantFrom(...Buffer.from('{}[]:,"\\0123456789.eE+-tfnu \n\t/aA')),
  fc.integer({ min: 0, max: 255 }),
);

const mutated = fc
  .tuple(
    fc.oneof(fc.json({ stringUnit: 'binary' }), spacedJson),
    fc.array(fc.tuple(fc.nat(), telling, fc.constantFrom('replace', 'insert', 'delete')), {
      minLength: 1,
      maxLength: 3,
    }),
  )
  .map(([json, edits]) => {
    const bytes = [...Buffer.from(json)];
    for (const [place, byte, edit] of edits) {
      const at = place % (bytes.length + 1);
      bytes.splice(at, edit === 'insert' ? 0 : 1, ...(edit === 'delete' ? [] : [byte]));
    }
    return Uint8Array.from(bytes);
  });

const tokens = [
  ...[
    '0',
    '-0',
    '01',
    '-',
    '1.',
    '.5',
    '1.5',
    '1e',
    '1e+',
    '1e5',
    '1E-5',
    '1.5e+300',
    '+1',
    '0x1',
    '1_0',
    '--1',
  ],
  ...['true', 'tru', 'truee', 'True', 'false', 'null', 'nul', 'NaN', 'Infinity', '-Infinity', 'undefined'],
  ...[
    '""',
    '"a',
    'a"',
    "'a'",
    '"\\"',
    '"\\\\"',
    '"\\/"',
    '"\\x"',
    '"\\u12"',
    '"\\u12aF"',
    '"\\ud800"',
    '"\\u12g4"',
  ],
  ...['"\t"', '"\n"', '"\u007f"', '"\u2028"', '"\\b\\f\\n\\r\\t"', '"é"', '"😀"', '"\u0000"'],
  ...[
    '{}',
    '[]',
    '[,]',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[1]]',
    '[[1]',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,}',
    '{a:1}',
  ],
  ...['{"a":1,"a":2}', '{"a" : 1 , "b":[ ]}', '{1:2}', '[1}', '{"a":1]', '', ' ', '1 1', '[] []', '// a\n1'],
  ...['\u00a01', '\u000b1', '\f1', '1\u2028', '\ufeff1', '[1\u0000]', '[1]\u0000'],
];

/** UTF-8 that is well-formed or just not. */
const sequences = [
  'c280 c3bf dfbf e0a080 ed9fbf ee8080 efbfbf f0908080 f48fbfbf',
  'c0af c1bf 80 bf c2 e0 e09fbf e080 eda080 edbfbf f0808080 f08fbfbf f4908080 f5808080 ff fe c2c2 e282 f09f98',
]
  .join(' ')
  .split(' ');

describe('JSON scanner', () => {
  it.each(tokens)('gives the same verdict as JSON.parse on %j', (text) => {
    expectSameVerdict(Buffer.from(text));
  });

  it.each(sequences)('gives the same verdict as JSON.parse on a string of the bytes %s', (hex) => {
    expectSameVerdict(Buffer.from(`22${hex}22`, 'hex'));
    expectSameVerdict(Buffer.from(`5b22${hex}`, 'hex'));
  });

  it('reads every document as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json({ stringUnit: 'binary' }), spacedJson), (json) => {
        const bytes = Buffer.from(json);
        expect(scannerAccepts(bytes)).toBe(true);
        const scanner = new JsonScanner(bytes);
        const expected: unknown = JSON.parse(json);
        const value = readAll(scanner);
        expect(scanner.finish()).toBe(true);
        expect(value).toStrictEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('gives the same verdict as JSON.parse on mangled documents', () => {
    fc.assert(fc.property(mutated, expectSameVerdict), { numRuns: 5_000 });
  });

  it('fails, and says where, when walking a mangled document, exactly if JSON.parse fails', () => {
    fc.assert(
      fc.property(mutated, (bytes) => {
        const scanner = new JsonScanner(bytes);
        readAll(scanner);
        scanner.finish();
        expect(scanner.fault === undefined).toBe(engineAccepts(bytes));
        if (scanner.fault !== undefined) expect(scanner.fault.code).toBe('MALFORMED_JSON');
      }),
      { numRuns: 2_000 },
    );
  });

  it('never reads outside its span', () => {
    const text = Buffer.from('[1,[2],3]');
    const scanner = new JsonScanner(text, 3, 6);
    expect(readAll(scanner)).toEqual([2]);
    expect(scanner.finish()).toBe(true);
    for (let end = 4; end < 6; end++) expect(new JsonScanner(text, 3, end).skipValue()).toBe(false);
  });

  it('finds known keys however they are written, and passes by all others', () => {
    const known = new WordTable(['id', 'data']);
    const scanner = new JsonScanner(
      Buffer.from('{"i\\u0064":1,"ida":2,"":3,"\\u0064ata" :4, "dat":5,"id":6}'),
    );
    const found: [string, number | undefined][] = [];
    scanner.enterObject();
    for (let key = scanner.nextKey(known); key !== undefined; key = scanner.nextKey(known)) {
      found.push([key, scanner.readNumber()]);
    }
    expect(found).toEqual([
      ['id', 1],
      ['', 2],
      ['', 3],
      ['data', 4],
      ['', 5],
      ['id', 6],
    ]);
    expect(scanner.finish()).toBe(true);
  });

  it('reads numbers as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = JSON.stringify(value);
        expect(new JsonScanner(Buffer.from(text)).readNumber()).toBe(JSON.parse(text));
      }),
    );
  });

  it('goes as deep as its limit and no deeper', () => {
    const nested = (depth: number): Buffer =>
      Buffer.from('[{"a":'.repeat(depth / 2) + '1' + '}]'.repeat(depth / 2));
    expect(scannerAccepts(nested(jsonDepthMax))).toBe(true);
    const scanner = new JsonScanner(nested(jsonDepthMax + 2));
    expect(scanner.skipValue()).toBe(false);
    expect(scanner.fault?.message).toContain('nested more than 64 deep');
    const walking = new JsonScanner(nested(jsonDepthMax + 2));
    readAll(walking);
    expect(walking.fault?.message).toContain('nested more than 64 deep');
  });

  it.each([
    ['\ufeff{}', 'The body starts with a byte order mark; send UTF-8 without one.'],
    ['{"a":1', 'The body is not JSON: it ends too early.'],
    ['{"a";1}', 'The body is not JSON: ";" does not belong at byte 4.'],
    ['[1,\u0001]', 'The body is not JSON: the byte 0x1 does not belong at byte 3.'],
    ['{} x', 'The body is not JSON: "x" does not belong at byte 3.'],
  ])('explains what is wrong with %j', (text, message) => {
    const scanner = new JsonScanner(Buffer.from(text));
    readAll(scanner);
    scanner.finish();
    expect(scanner.fault).toEqual({ ok: false, code: 'MALFORMED_JSON', message });
  });
});
