/** Requests like the one before are read the same as by the full decoder, and so is everything that only looks alike. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import { decodeOipJson } from '../../../gateway/wire/oip-json.ts';
import { decodeRepeated } from '../../../gateway/wire/oip-json-repeat.ts';

const head = '{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":';
const tail = '}]}';
const usual = `${head}[1,2]${tail}`;

function freshSignature(): ModelSignature {
  return { inputs: [], outputs: [], batching: 'rows' };
}

/** What comes out for `text` when `before` came before it for the same model. */
function decodedAfter(before: string, text: string): unknown {
  const signature = freshSignature();
  decodeRepeated(Buffer.from(before), signature);
  return decodeRepeated(Buffer.from(text), signature);
}

describe('decodeRepeated', () => {
  it.each([
    ['other data', `${head}[3,4]${tail}`],
    ['longer data', `${head}[ 3.25 , -4e-3 ]${tail}`],
    ['nested data', `${head}[[1],[2]]${tail}`],
    ['data of strings with brackets', `${head}["]}]}","[1,2]"]${tail}`],
    ['no data', `${head}[]${tail}`],
    ['a field behind the data', `${head}[1,2],"parameters":{"a":[1]}]}`],
    ['a second data', `${head}[1,2],"data":[3]${tail}`],
    ['a second input', `${head}[1,2]},{"name":"y","shape":[1],"datatype":"FP32","data":[1]${tail}`],
    ['data that is no array', `${head}"1,2"${tail}`],
    ['missing data', `${head}${tail}`],
    ['data that does not end', `${head}[1,2${tail}`],
    ['two arrays', `${head}[1][2]${tail}`],
    ['a comma too many', `${head}[1,2,]${tail}`],
    ['data nested too deep', `${head}${'['.repeat(70)}${']'.repeat(70)}${tail}`],
    ['data nested deep', `${head}${'['.repeat(20)}${']'.repeat(20)}${tail}`],
    ['the head alone', head],
    ['head and tail overlapping', head.slice(0, -3) + tail],
    ['something behind', `${usual}x`],
    ['another shape', usual.replace('[2]', '[1,2]')],
    ['another name', usual.replace('"x"', '"z"')],
    ['an id', usual.replace('{', '{"id":"7",')],
    ['other outputs', usual.replace('{', '{"outputs":[{"name":"y"}],')],
    ['nothing', ''],
  ])('reads %s as the decoder does', (_, text) => {
    expect(decodedAfter(usual, text)).toEqual(decodeOipJson(Buffer.from(text)));
  });

  it('does not give the id of one request to the next', () => {
    const withId = `{"id":"7",${usual.slice(1)}`;
    expect(decodedAfter(withId, withId)).toEqual(decodeOipJson(Buffer.from(withId)));
    expect(decodedAfter(withId, usual)).toEqual(decodeOipJson(Buffer.from(usual)));
  });

  it('keeps the outputs that were asked for', () => {
    const asking = `{"outputs":[{"name":"y"}],${usual.slice(1)}`;
    expect(decodedAfter(asking, asking)).toMatchObject({ value: { outputs: ['y'] } });
  });

  it('outlives the body it remembers', () => {
    const signature = freshSignature();
    const body = Buffer.from(usual);
    decodeRepeated(body, signature);
    body.fill(0);
    expect(decodeRepeated(Buffer.from(usual), signature)).toEqual(decodeOipJson(Buffer.from(usual)));
  });

  it('agrees with the decoder on any change of a few bytes, whatever came before', () => {
    const pieces = fc.constantFrom('[', ']', '{', '}', ',', '"', '1', 'data', ' ', '[1,2]', tail);
    const change = fc.record({
      at: fc.nat(usual.length),
      cut: fc.nat(6),
      put: fc.array(pieces, { maxLength: 4 }),
    });
    const changed = fc.array(change, { maxLength: 3 }).map((changes) => {
      let text = usual;
      for (const { at, cut, put } of changes) text = text.slice(0, at) + put.join('') + text.slice(at + cut);
      return text;
    });
    fc.assert(
      fc.property(changed, changed, (before, text) => {
        expect(decodedAfter(before, text)).toEqual(decodeOipJson(Buffer.from(text)));
      }),
      { numRuns: 2000 },
    );
  });
});
