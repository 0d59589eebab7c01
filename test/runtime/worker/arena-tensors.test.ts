/**
 * What the worker does with memory: one piece is used where it lies, several are joined, results go into their region or
 * are moved. Copies are counted at the one call that can make them, `set` of typed arrays.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import type { RunOutput } from '../../../runtime/protocol/worker-task.ts';
import {
  datatypes,
  elementBytes,
  type NumericArray,
  type NumericDatatype,
  typedView,
} from '../../../runtime/tensor/dtype.ts';
import type { TensorSpec } from '../../../runtime/tensor/signature.ts';
import { inputTensor, storeResults } from '../../../runtime/worker/arena-tensors.ts';
import type { SessionTensor } from '../../../runtime/worker/onnx-session.ts';

const arenaBytes = 4096;
const numericDatatypes = datatypes.filter((name): name is NumericDatatype => name !== 'BYTES');

const typedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;
let copies: MockInstance<Uint8Array['set']>;
beforeEach(() => {
  copies = vi.spyOn(typedArrayPrototype, 'set');
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** The runner copies too, between tests. */
function startCounting(): void {
  copies.mockClear();
}

/** An arena whose bytes all differ from their neighbours. */
function numberedArena(): SharedArrayBuffer {
  const arena = new SharedArrayBuffer(arenaBytes);
  for (const [index] of new Uint8Array(arena).entries()) new Uint8Array(arena)[index] = (index * 7) % 251;
  return arena;
}

function spec(datatype: TensorSpec['datatype']): TensorSpec {
  return { name: 'x', datatype, shape: [-1] };
}

function numericData({ data }: SessionTensor): NumericArray {
  if (!ArrayBuffer.isView(data)) throw new Error('expected numbers');
  return data;
}

function bytesOf(data: NumericArray): number[] {
  return [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
}

describe('an input', () => {
  it.each(numericDatatypes)('of %s in one piece is used where it lies, without a copy', (datatype) => {
    const arena = numberedArena();
    const input = { shape: [3, 2], pieces: [{ byteOffset: 128, elements: 6 }] };
    startCounting();
    const tensor = inputTensor(arena, spec(datatype), input);
    const data = numericData(tensor);
    expect(data.buffer).toBe(arena);
    expect([data.byteOffset, data.length, tensor.shape]).toEqual([128, 6, [3, 2]]);
    expect(copies).toHaveBeenCalledTimes(0);
  });

  it.each(numericDatatypes)(
    'of %s in several pieces is joined in their order, one copy a piece',
    (datatype) => {
      const arena = numberedArena();
      const pieces = [
        { byteOffset: 256, elements: 3 },
        { byteOffset: 64, elements: 1 },
        { byteOffset: 512, elements: 2 },
      ];
      startCounting();
      const data = numericData(inputTensor(arena, spec(datatype), { shape: [6], pieces }));
      expect(copies).toHaveBeenCalledTimes(pieces.length);
      const size = elementBytes(datatype);
      const all = new Uint8Array(arena);
      expect(data.buffer).not.toBe(arena);
      expect(bytesOf(data)).toEqual(
        pieces.flatMap(({ byteOffset, elements }) => [
          ...all.slice(byteOffset, byteOffset + elements * size),
        ]),
      );
    },
  );

  it('is what its pieces are, however it is cut', () => {
    const cut = fc.record({
      datatype: fc.constantFrom(...numericDatatypes),
      pieces: fc.array(fc.record({ slot: fc.nat({ max: 31 }), elements: fc.nat({ max: 16 }) }), {
        minLength: 1,
        maxLength: 8,
      }),
    });
    const arena = numberedArena();
    fc.assert(
      fc.property(cut, ({ datatype, pieces }) => {
        const placed = pieces.map(({ slot, elements }) => ({ byteOffset: slot * 128, elements }));
        const total = placed.reduce((sum, { elements }) => sum + elements, 0);
        const data = numericData(inputTensor(arena, spec(datatype), { shape: [total], pieces: placed }));
        const views = placed.map(({ byteOffset, elements }) =>
          typedView(datatype, { buffer: arena, byteOffset, elementCount: elements }),
        );
        expect(data.length).toBe(total);
        expect(bytesOf(data)).toEqual(views.flatMap(bytesOf));
      }),
    );
  });

  it('of strings is handed on as it came', () => {
    const strings = ['a', '', 'ü'];
    const tensor = inputTensor(numberedArena(), spec('BYTES'), { shape: [3], strings });
    expect(tensor.data).toBe(strings);
  });

  it('throws when strings were promised and an address came', () => {
    const input = { shape: [1], pieces: [{ byteOffset: 0, elements: 1 }] };
    expect(() => inputTensor(numberedArena(), spec('BYTES'), input)).toThrow('takes strings');
  });
});

/** What the other thread would see of a stored result. */
function readBack(arena: SharedArrayBuffer, output: RunOutput, byteLength: number): number[] {
  if ('strings' in output) throw new Error('expected numbers');
  if ('moved' in output) return [...new Uint8Array(output.moved)];
  return [...new Uint8Array(arena, output.byteOffset, byteLength)];
}

describe('a result', () => {
  it('that fits goes into its region, with one copy, and is not moved', () => {
    const arena = new SharedArrayBuffer(arenaBytes);
    const data = Float32Array.of(1, 2, 3);
    startCounting();
    const { outputs, moved } = storeResults(arena, { byteOffset: 1024, bytes: 64 }, [{ shape: [3], data }]);
    expect(outputs).toEqual([{ shape: [3], byteOffset: 1024 }]);
    expect([...new Float32Array(arena, 1024, 3)]).toEqual([1, 2, 3]);
    expect(moved).toEqual([]);
    expect(copies).toHaveBeenCalledTimes(1);
  });

  it('that does not fit is moved as it is, without a copy, and the region stays as it was', () => {
    const arena = new SharedArrayBuffer(arenaBytes);
    const data = Float32Array.of(1, 2, 3);
    startCounting();
    const { outputs, moved } = storeResults(arena, { byteOffset: 1024, bytes: 8 }, [{ shape: [3], data }]);
    expect(moved).toEqual([data.buffer]);
    expect(moved[0]).toBe(data.buffer);
    expect(outputs).toEqual([{ shape: [3], moved: data.buffer }]);
    expect(copies).toHaveBeenCalledTimes(0);
    expect(new Uint8Array(arena).every((byte) => byte === 0)).toBe(true);
  });

  it('that is moved is gone on this side once it was transferred', () => {
    const data = Float32Array.of(1, 2, 3);
    const { moved } = storeResults(new SharedArrayBuffer(8), { byteOffset: 0, bytes: 0 }, [
      { shape: [3], data },
    ]);
    const [arrived] = structuredClone(moved, { transfer: moved });
    expect([...new Float32Array(arrived!)]).toEqual([1, 2, 3]);
    expect([data.length, moved[0]?.byteLength]).toEqual([0, 0]);
  });

  it.each([
    { what: 'part of a larger buffer', data: new Float32Array(new ArrayBuffer(64), 16, 4) },
    { what: 'in shared memory', data: new Float32Array(new SharedArrayBuffer(16)) },
  ])('that is $what is moved as a buffer of just its elements', ({ data }) => {
    for (const [index] of data.entries()) data[index] = index + 1;
    const region = { byteOffset: 0, bytes: 0 };
    const { moved } = storeResults(new SharedArrayBuffer(8), region, [{ shape: [4], data }]);
    expect(moved[0]).toBeInstanceOf(ArrayBuffer);
    expect(moved[0]).not.toBe(data.buffer);
    expect([...new Float32Array(moved[0]!)]).toEqual([1, 2, 3, 4]);
  });

  it('of strings is handed on as it came and takes no room', () => {
    const data = ['a', 'b'];
    const results = [
      { shape: [2], data },
      { shape: [1], data: Int8Array.of(7) },
    ];
    const { outputs, moved } = storeResults(new SharedArrayBuffer(64), { byteOffset: 0, bytes: 1 }, results);
    expect(outputs).toEqual([
      { shape: [2], strings: data },
      { shape: [1], byteOffset: 0 },
    ]);
    expect(moved).toEqual([]);
  });

  it('that fits still goes into the region behind one that did not', () => {
    const results = [
      { shape: [9], data: new Uint8Array(9) },
      { shape: [8], data: new Uint8Array(8).fill(5) },
    ];
    const { outputs } = storeResults(new SharedArrayBuffer(64), { byteOffset: 0, bytes: 8 }, results);
    expect(outputs[0]).toHaveProperty('moved');
    expect(outputs[1]).toEqual({ shape: [8], byteOffset: 0 });
  });

  it('is never cut, never shares a byte with another and never leaves the region', () => {
    const result = fc
      .record({
        datatype: fc.constantFrom(...numericDatatypes),
        length: fc.nat({ max: 20 }),
        fill: fc.nat(255),
      })
      .map(({ datatype, length, fill }) => {
        const buffer = new Uint8Array(length * elementBytes(datatype)).fill(fill).buffer;
        return { datatype, data: typedView(datatype, { buffer, byteOffset: 0, elementCount: length }) };
      });
    const region = fc.record({ page: fc.nat({ max: 7 }), bytes: fc.nat({ max: 512 }) });
    fc.assert(
      fc.property(fc.array(result, { maxLength: 8 }), region, (results, { page, bytes }) => {
        const arena = new SharedArrayBuffer(arenaBytes);
        const byteOffset = page * 512;
        const before = results.map(({ data }) => bytesOf(data));
        const tensors = results.map(({ data }) => ({ shape: [data.length], data }));
        const { outputs, moved } = storeResults(arena, { byteOffset, bytes }, tensors);
        // Read back after all are stored: an overlap would have destroyed one of them.
        const after = outputs.map((output, index) => readBack(arena, output, before[index]!.length));
        expect(after).toEqual(before);
        for (const [index, output] of outputs.entries()) {
          if (!('byteOffset' in output)) continue;
          const { datatype, data } = results[index]!;
          expect(output.byteOffset % elementBytes(datatype)).toBe(0);
          expect(output.byteOffset).toBeGreaterThanOrEqual(byteOffset);
          expect(output.byteOffset + data.byteLength).toBeLessThanOrEqual(byteOffset + bytes);
        }
        expect(moved.length).toBe(outputs.filter((output) => 'moved' in output).length);
      }),
    );
  });
});
