/**
 * The datatypes of the protocol in one table: how an element lies in bytes, and which values are sent. Written from the
 * protocol alone, so that it shares no misunderstanding with the server it is pointed at.
 */
import { halfBits, halfValue } from './half-float.ts';

export type Element = boolean | number | bigint | string;

export type Datatype =
  'BOOL' | `${'UINT' | 'INT'}${8 | 16 | 32 | 64}` | 'FP16' | 'BF16' | 'FP32' | 'FP64' | 'BYTES';

export interface DatatypeFacts {
  /** Undefined for BYTES, whose elements say themselves how long they are. */
  readonly elementBytes: number | undefined;
  /** FP16 and BF16 are only defined as bytes. */
  readonly hasJson: boolean;
  /** Harmless for models of any kind: an index, a token or a flag of 0 or 1 is seldom out of range. */
  readonly ordinary: readonly Element[];
  /** Only sent to models that give back what they get. Whole numbers stay within 2^53: exactness has its own checks. */
  readonly edges: readonly Element[];
  /** Also sent to those, but only as bytes. */
  readonly binaryEdges: readonly Element[];
  readonly write: (view: DataView, at: number, value: Element) => void;
  readonly read: (view: DataView, at: number) => Element;
}

const wholeNumbers = [1, 0, 1, 1, 0];
const floats = [0.5, 1.25, 0, 2, 0.75];
const big = (values: readonly number[]): readonly bigint[] => values.map(BigInt);
const none = { write: () => undefined, read: () => '' };

export const datatypeTable: Readonly<Record<Datatype, DatatypeFacts>> = {
  BOOL: {
    ...{ elementBytes: 1, hasJson: true, ordinary: [true, false, true, true], binaryEdges: [] },
    edges: [false, true, true, false],
    write: (view, at, value) => {
      view.setUint8(at, value === true ? 1 : 0);
    },
    // Anything else than 0 and 1 is kept as a number, so that no comparison takes it for a BOOL.
    read: (view, at) => [false, true][view.getUint8(at)] ?? view.getUint8(at),
  },
  UINT8: wholeNumber(1, [0, 127, 128, 255], 'Uint8'),
  UINT16: wholeNumber(2, [0, 256, 32_768, 65_535], 'Uint16'),
  UINT32: wholeNumber(4, [0, 65_536, 2 ** 31, 2 ** 32 - 1], 'Uint32'),
  UINT64: wholeNumber64(
    [0n, 2n ** 32n, 2n ** 53n - 1n],
    [2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n],
    'BigUint64',
  ),
  INT8: wholeNumber(1, [-128, -1, 0, 127], 'Int8'),
  INT16: wholeNumber(2, [-32_768, -1, 256, 32_767], 'Int16'),
  INT32: wholeNumber(4, [-(2 ** 31), -1, 65_536, 2 ** 31 - 1], 'Int32'),
  INT64: wholeNumber64(
    [0n, -1n, 1n - 2n ** 53n, 2n ** 53n - 1n],
    [2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n],
    'BigInt64',
  ),
  FP16: {
    ...{ elementBytes: 2, hasJson: false, ordinary: floats },
    edges: [0.5, -2, 65_504, 2 ** -24, 0.333251953125],
    binaryEdges: [-0, Infinity, -Infinity, NaN],
    write: (view, at, value) => {
      view.setUint16(at, halfBits(Number(value)), true);
    },
    read: (view, at) => halfValue(view.getUint16(at, true)),
  },
  BF16: {
    ...{ elementBytes: 2, hasJson: false, ordinary: floats },
    edges: [0.5, -2, 2 ** 100, 2 ** -100],
    binaryEdges: [-0, Infinity, -Infinity, NaN],
    // The upper half of an FP32; the values above have nothing in the lower one.
    write: (view, at, value) => {
      const whole = new DataView(new ArrayBuffer(4));
      whole.setFloat32(0, Number(value), true);
      view.setUint16(at, whole.getUint16(2, true), true);
    },
    read: (view, at) => {
      const whole = new DataView(new ArrayBuffer(4));
      whole.setUint16(2, view.getUint16(at, true), true);
      return whole.getFloat32(0, true);
    },
  },
  FP32: {
    ...{ elementBytes: 4, hasJson: true, ordinary: floats },
    edges: [Math.fround(0.1), -1.5, 16_777_215, (2 - 2 ** -23) * 2 ** 127, 2 ** -149, Math.fround(1e21)],
    binaryEdges: [-0, Infinity, -Infinity, NaN],
    write: (view, at, value) => {
      view.setFloat32(at, Number(value), true);
    },
    read: (view, at) => view.getFloat32(at, true),
  },
  FP64: {
    ...{ elementBytes: 8, hasJson: true, ordinary: floats },
    edges: [0.1, 1 / 3, -1.5, 1e21, 5e-324, Number.MAX_VALUE],
    binaryEdges: [-0, Infinity, -Infinity, NaN],
    write: (view, at, value) => {
      view.setFloat64(at, Number(value), true);
    },
    read: (view, at) => view.getFloat64(at, true),
  },
  BYTES: {
    ...{
      elementBytes: undefined,
      hasJson: true,
      ordinary: ['one', 'two', 'three'],
      binaryEdges: [],
      ...none,
    },
    edges: [
      '',
      'a',
      'quotes " and \\ and /',
      'line\nbreak\ttab',
      'gr\u00fc\u00dfe \u4e16\u754c',
      '\u{1f600}',
      '\u0001',
    ],
  },
};

export const datatypes: readonly Datatype[] = Object.keys(datatypeTable) as Datatype[];

export function isDatatype(name: unknown): name is Datatype {
  return typeof name === 'string' && Object.hasOwn(datatypeTable, name);
}

/** Whether two elements are the same value; an FP32 may be written with the digits of the double beside it. */
export function isSameElement(
  datatype: Datatype,
  one: Element | undefined,
  other: Element | undefined,
): boolean {
  if (datatype === 'FP32' && typeof one === 'number' && typeof other === 'number') {
    return Object.is(Math.fround(one), Math.fround(other));
  }
  return Object.is(one, other);
}

/** The element as the table has it, from what JSON had; undefined when it is no value of the datatype. */
export function elementOfJson(datatype: Datatype, value: unknown): Element | undefined {
  if (datatype === 'BOOL') return typeof value === 'boolean' ? value : undefined;
  if (datatype === 'BYTES') return typeof value === 'string' ? value : undefined;
  if (datatype === 'INT64' || datatype === 'UINT64') {
    if (typeof value === 'bigint') return value;
    return Number.isInteger(value) ? BigInt(value as number) : undefined;
  }
  // JSON has no NaN and no infinities; servers that write them do so as these words.
  if (/^FP|^BF/.test(datatype)) {
    if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
    return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
  }
  return Number.isInteger(value) ? (value as number) : undefined;
}

function wholeNumber(
  elementBytes: number,
  edges: readonly number[],
  kind: 'Uint8' | 'Uint16' | 'Uint32' | 'Int8' | 'Int16' | 'Int32',
): DatatypeFacts {
  return {
    ...{ elementBytes, hasJson: true, ordinary: wholeNumbers, edges, binaryEdges: [] },
    write: (view, at, value) => {
      view[`set${kind}`](at, Number(value), true);
    },
    read: (view, at) => view[`get${kind}`](at, true),
  };
}

function wholeNumber64(
  edges: readonly bigint[],
  binaryEdges: readonly bigint[],
  kind: 'BigUint64' | 'BigInt64',
): DatatypeFacts {
  return {
    ...{ elementBytes: 8, hasJson: true, ordinary: big(wholeNumbers), edges, binaryEdges },
    write: (view, at, value) => {
      view[`set${kind}`](at, BigInt(value), true);
    },
    read: (view, at) => view[`get${kind}`](at, true),
  };
}
