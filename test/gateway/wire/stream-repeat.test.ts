/** The reader of repeated frames gives what the decoder gives, whatever comes before and whatever was changed. */
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { decodeStreamFrame } from '../../../gateway/wire/stream-frame.ts';
import { StreamFrameReader } from '../../../gateway/wire/stream-repeat.ts';

const plain = new Packr({ useRecords: false, variableMapSize: true });
/** With map and array sizes written at full length, which means the same. */
const wordy = new Packr({ useRecords: false, variableMapSize: false });

interface Shape {
  readonly rows: number;
  readonly name: string;
  readonly model: string;
  readonly version: string | undefined;
  readonly extras: Readonly<Record<string, unknown>>;
  readonly idFirst: boolean;
}

const anyShape: fc.Arbitrary<Shape> = fc.record({
  rows: fc.integer({ min: 1, max: 5 }),
  name: fc.constantFrom('x', 'features', 'ünïcödé'),
  model: fc.constantFrom('iris', 'digits'),
  version: fc.constantFrom(undefined, '1.0.0'),
  extras: fc.constantFrom(
    {},
    { deadline_ms: 50 },
    { priority: 2 },
    { outputs: [{ name: 'y' }] },
    { later: [1] },
  ),
  idFirst: fc.boolean(),
});

const anyId = fc.oneof(
  fc.nat(0x7f),
  fc.nat(0xffff),
  fc.nat(0xffffffff),
  fc.maxSafeNat(),
  fc.constantFrom('a', 'x'.repeat(40)),
);

/** Not as a Buffer, so that what is read is of one kind wherever it was copied from. */
function frameOf(shape: Shape, id: number | string, byte: number, packr: Packr = plain): Uint8Array {
  const { rows, name, model, version, extras, idFirst } = shape;
  const data = Buffer.alloc(rows * 16, byte);
  const inputs = [{ name, shape: [rows, 4], datatype: 'FP32', data }];
  const rest = { model, ...(version === undefined ? {} : { version }), inputs, ...extras };
  return new Uint8Array(packr.pack(idFirst ? { id, ...rest } : { ...rest, id }));
}

describe('StreamFrameReader', () => {
  it('gives what the decoder gives, for any sequence of frames', () => {
    const anyFrame = fc.record({ shape: anyShape, id: anyId, byte: fc.nat(255), wordy: fc.boolean() });
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), (frames) => {
        const reader = new StreamFrameReader();
        for (const frame of frames) {
          const bytes = frameOf(frame.shape, frame.id, frame.byte, frame.wordy ? wordy : plain);
          expect(reader.read(bytes)).toEqual(decodeStreamFrame(bytes));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('gives what the decoder gives, for a frame with any one byte changed, cut or added', () => {
    const anyWound = fc.record({
      at: fc.nat(),
      byte: fc.nat(255),
      kind: fc.constantFrom('set', 'cut', 'add'),
    });
    fc.assert(
      fc.property(anyShape, anyWound, fc.nat(0xffffffff), (shape, { at, byte, kind }, id) => {
        const reader = new StreamFrameReader();
        for (const first of [1, 2]) reader.read(frameOf(shape, first, 0));
        const good = frameOf(shape, id, 1);
        const place = at % good.length;
        const wounded = Buffer.concat([
          good.subarray(0, place),
          ...(kind === 'cut' ? [] : [Buffer.of(byte)]),
          good.subarray(place + (kind === 'set' ? 1 : 0)),
        ]);
        const bytes = kind === 'cut' ? good.slice(0, place) : new Uint8Array(wounded);
        expect(reader.read(bytes)).toEqual(decodeStreamFrame(bytes));
      }),
      { numRuns: 1500 },
    );
  });

  it('gives the same objects again, with the id and the data of the new frame', () => {
    const shape: Shape = { rows: 1, name: 'x', model: 'm', version: undefined, extras: {}, idFirst: true };
    const reader = new StreamFrameReader();
    reader.read(frameOf(shape, 1, 0));
    const second = reader.read(frameOf(shape, 200, 7));
    const third = reader.read(frameOf(shape, 70_000, 9));
    expect(third).toBe(second);
    expect(third).toMatchObject({
      ok: true,
      value: {
        id: 70_000,
        request: { id: 70_000, inputs: [{ source: { bytes: new Uint8Array(16).fill(9) } }] },
      },
    });
  });
});
