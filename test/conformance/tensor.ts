/** Tensors as the suite sends and compares them, and their packed little-endian bytes (the binary tensor data extension). */
import { type Datatype, datatypeTable, type Element, isSameElement } from './datatype.ts';

export interface TensorHead {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

export interface Tensor extends TensorHead {
  /** Row-major, as many as the shape says. */
  readonly elements: readonly Element[];
}

export type Unpacked =
  | { readonly ok: true; readonly elements: readonly Element[] }
  | { readonly ok: false; readonly problem: string };

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** The values in turn, from the one at `offset`, as often as the shape needs them. */
export function filledTensor(head: TensorHead, values: readonly Element[], offset = 0): Tensor {
  const elements = Array.from(
    { length: elementCount(head.shape) },
    (_, index) => values[(offset + index) % values.length] ?? 0,
  );
  return { ...head, elements };
}

export function packTensor({ datatype, elements }: Tensor): Buffer {
  const { elementBytes, write } = datatypeTable[datatype];
  if (elementBytes === undefined) {
    return Buffer.concat(
      elements.map((element) => {
        const text = Buffer.from(String(element));
        const length = Buffer.alloc(4);
        length.writeUInt32LE(text.length);
        return Buffer.concat([length, text]);
      }),
    );
  }
  const bytes = Buffer.alloc(elements.length * elementBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const [index, element] of elements.entries()) write(view, index * elementBytes, element);
  return bytes;
}

export function unpackElements({ datatype, shape }: TensorHead, bytes: Buffer): Unpacked {
  const { elementBytes, read } = datatypeTable[datatype];
  const count = elementCount(shape);
  if (elementBytes === undefined) return unpackTexts(bytes, count);
  if (bytes.length !== count * elementBytes) {
    const wanted = `${count * elementBytes} bytes for ${datatype} of [${shape.join(',')}]`;
    return { ok: false, problem: `${bytes.length} bytes instead of ${wanted}` };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    ok: true,
    elements: Array.from({ length: count }, (_, index) => read(view, index * elementBytes)),
  };
}

function unpackTexts(bytes: Buffer, count: number): Unpacked {
  const elements: string[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > bytes.length) return { ok: false, problem: 'a BYTES element reaches beyond its tensor' };
    elements.push(bytes.toString('utf8', at + 4, end));
    at = end;
  }
  if (at !== bytes.length) return { ok: false, problem: 'the length of a BYTES element is cut off' };
  if (elements.length !== count) {
    return { ok: false, problem: `${elements.length} BYTES elements where the shape says ${count}` };
  }
  return { ok: true, elements };
}

/** The first difference in words; undefined when the elements are the same. */
export function firstDifference(wanted: Tensor, elements: readonly Element[]): string | undefined {
  if (elements.length !== wanted.elements.length) {
    return `${elements.length} elements instead of ${wanted.elements.length}`;
  }
  const at = elements.findIndex(
    (element, index) => !isSameElement(wanted.datatype, wanted.elements[index], element),
  );
  if (at === -1) return undefined;
  return `element ${at} is ${shown(elements[at])} instead of ${shown(wanted.elements[at])}`;
}

function shown(element: Element | undefined): string {
  if (Object.is(element, -0)) return '-0';
  return typeof element === 'string' ? JSON.stringify(element) : String(element);
}
