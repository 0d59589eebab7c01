/**
 * Tries to refute that the rows of a run with a fixed number of them depend on nothing but themselves: neither on what the
 * other rows are, nor on the place. The same sample rows are run in several arrangements, and the answer to a sample has to be
 * the same wherever it stands and whoever stands beside it.
 *
 * It can only refute. What mixes rows for values that are not tried here is not seen, so it is asked on top of the word of
 * whoever published the model, never instead of it.
 */
import { elementBytes, type NumericArray, type NumericDatatype, typedView } from '../tensor/dtype.ts';
import { halfToNumber, numberToHalf } from '../tensor/half-float.ts';
import { elementCount, type ModelSignature, type TensorSpec } from '../tensor/signature.ts';
import type { SessionTensor } from './onnx-session.ts';
import type { LoadedSession } from './session-chain.ts';

/**
 * Two answers to one sample may differ by this part of the largest number that the output has. All runs are of one shape, so
 * the kernels are the same and add up in the same order; only where a row lies in a vector register differs, which is good
 * for a few last bits of 24, more after many layers. Real mixing of rows by less than that would be nobody's loss.
 */
const toleranceRatio = 1e-5;
/** The same for FP16, which has eleven bits. */
const halfToleranceRatio = 4e-3;

/** The size a free dimension other than the batch gets. */
const freeSize = 1;

/** What rows depend on, in words that begin with the output; undefined when nothing was found. Throws what the session throws. */
export async function rowDependence(
  session: Pick<LoadedSession, 'run'>,
  signature: ModelSignature,
  rows: number,
): Promise<string | undefined> {
  const answers = signature.outputs.map((spec) => new SampleAnswers(spec));
  for (const samples of arrangements(rows)) {
    const inputs = signature.inputs.map((spec) => inputOf(spec, samples));
    const results = await session.run(inputs, undefined);
    for (const [index, known] of answers.entries()) {
      const difference = known.compare(results[index], samples);
      if (difference !== undefined) return `output ${known.name} ${difference}`;
    }
  }
  if (answers.some((known) => known.isVaried)) return undefined;
  return `output ${answers.map(({ name }) => name).join()} is the same for all rows that were tried, which shows nothing`;
}

/**
 * Which sample stands at which place, run by run; samples are numbers below `2 * rows`. Every place holds sample 0 once, the
 * others move by one place, and for any two places there are two runs in which the one holds the same sample and the other
 * another one: places are numbered in binary, and for each digit those with a 1 are exchanged while the others stay.
 */
export function arrangements(rows: number): readonly (readonly number[])[] {
  const arranged = (sampleAt: (place: number) => number): readonly number[] =>
    Array.from({ length: rows }, (_, place) => sampleAt(place));
  const runs = [
    arranged((place) => place),
    arranged(() => 0),
    arranged((place) => (place + 1) % rows),
    arranged((place) => rows + place),
  ];
  for (let digit = 1; digit < rows; digit *= 2) {
    runs.push(arranged((place) => ((place & digit) === 0 ? place : rows + place)));
  }
  return runs;
}

/** The answers of one output so far, by sample. */
class SampleAnswers {
  readonly name: string;
  readonly #spec: TensorSpec;
  readonly #known = new Map<number, SessionTensor['data']>();
  #largest = 0;
  /** Whether any two samples had different answers: where all are alike, nothing could have been seen. */
  isVaried = false;

  constructor(spec: TensorSpec) {
    this.name = spec.name;
    this.#spec = spec;
  }

  /** What differs from the runs before, in words. */
  compare(result: SessionTensor | undefined, samples: readonly number[]): string | undefined {
    if (result === undefined) return 'is missing';
    const { shape, data } = result;
    if (shape[0] !== samples.length) {
      return `has shape [${shape.join()}] for ${samples.length} rows, so its first dimension is not the batch`;
    }
    const perRow = elementCount(shape.slice(1));
    this.#largest = Math.max(this.#largest, largestOf(this.#spec, data));
    for (const [place, sample] of samples.entries()) {
      const answer = data.slice(place * perRow, (place + 1) * perRow);
      const known = this.#known.get(sample);
      if (known === undefined) this.#learn(sample, answer);
      else if (known.length !== answer.length) return 'has another row shape when other rows ride along';
      else if (!this.#isSame(known, answer))
        return 'gives a row another answer at another place or beside other rows';
    }
    return undefined;
  }

  #learn(sample: number, answer: SessionTensor['data']): void {
    const [first] = this.#known.values();
    this.isVaried ||= first !== undefined && first.some((value, index) => !Object.is(value, answer[index]));
    this.#known.set(sample, answer);
  }

  #isSame(known: SessionTensor['data'], answer: SessionTensor['data']): boolean {
    for (let index = 0; index < known.length; index++) {
      const [one, other] = [known[index], answer[index]];
      if (!Object.is(one, other) && !this.#isClose(one, other)) return false;
    }
    return true;
  }

  /** Floats may differ by rounding; everything else is the same or it is not. */
  #isClose(one: unknown, other: unknown): boolean {
    const { datatype } = this.#spec;
    if (typeof one !== 'number' || typeof other !== 'number' || !isFloat(datatype)) return false;
    const ratio = datatype === 'FP16' ? halfToleranceRatio : toleranceRatio;
    return Math.abs(numberOf(datatype, one) - numberOf(datatype, other)) <= ratio * this.#largest;
  }
}

function isFloat(datatype: TensorSpec['datatype']): boolean {
  return datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64';
}

function numberOf(datatype: TensorSpec['datatype'], value: number): number {
  return datatype === 'FP16' ? halfToNumber(value) : value;
}

/** Of the finite numbers of a float tensor. */
function largestOf({ datatype }: TensorSpec, data: SessionTensor['data']): number {
  if (!isFloat(datatype)) return 0;
  let largest = 0;
  for (const value of data) {
    const size = typeof value === 'number' ? Math.abs(numberOf(datatype, value)) : 0;
    if (size > largest && size < Infinity) largest = size;
  }
  return largest;
}

function inputOf(spec: TensorSpec, samples: readonly number[]): SessionTensor {
  const rowShape = spec.shape.slice(1).map((size) => (size < 0 ? freeSize : size));
  const shape = [samples.length, ...rowShape];
  const perRow = elementCount(rowShape);
  if (spec.datatype === 'BYTES') {
    const words = samples.flatMap((sample) =>
      Array.from({ length: perRow }, (_, element) =>
        isOdd(sample, { element, rows: samples.length }) ? 'b' : 'a',
      ),
    );
    return { shape, data: words };
  }
  return { shape, data: sampleValues(spec.datatype, samples, perRow) };
}

/** Fractions for floats; zeros and ones for integers, which index and select in many models. */
function sampleValues(datatype: NumericDatatype, samples: readonly number[], perRow: number): NumericArray {
  const total = samples.length * perRow;
  const buffer = new ArrayBuffer(total * elementBytes(datatype));
  const data = typedView(datatype, { buffer, byteOffset: 0, elementCount: total });
  for (const [place, sample] of samples.entries()) {
    for (let element = 0; element < perRow; element++) {
      const at = place * perRow + element;
      const where = { element, rows: samples.length };
      if (data instanceof BigInt64Array || data instanceof BigUint64Array)
        data[at] = isOdd(sample, where) ? 1n : 0n;
      else if (datatype === 'FP16') data[at] = numberToHalf(fractionOf(sample, where));
      else if (isFloat(datatype)) data[at] = fractionOf(sample, where);
      else data[at] = isOdd(sample, where) ? 1 : 0;
    }
  }
  return data;
}

interface SampleElement {
  readonly element: number;
  readonly rows: number;
}

/** Between 0 and 1; those who take a place from each other differ by a quarter at least, in every element. */
function fractionOf(sample: number, { element, rows }: SampleElement): number {
  const own = hashOf(sample, element);
  return sample < rows ? own : (hashOf(sample - rows, element) + 0.25 + own / 2) % 1;
}

/** Those who take a place from each other differ in every element here too. */
function isOdd(sample: number, { element, rows }: SampleElement): boolean {
  return hashOf(sample % rows, element) >= 0.5 !== sample >= rows;
}

/** Between 0 and 1, the same each time and without a pattern in which differences could cancel out: a mixed product hash. */
function hashOf(sample: number, element: number): number {
  let hash = Math.imul(sample + 1, 0x9e3779b1) ^ Math.imul(element + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return (((hash ^ (hash >>> 15)) >>> 8) + 1) / 2 ** 24;
}
