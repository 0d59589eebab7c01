/**
 * The classification extension: an output parameter `classification: N` turns the output of a row into its N largest
 * elements, each written as "value:index", largest first. Models carry no labels here, so there is no third part.
 * Formats call it before they write; whether an output can be classified is checked when the request is admitted.
 * Source: Triton's extension_classification.md; there, as here, an N beyond the elements of a row gives all of them.
 */
import type { Datatype, NumericArray } from '../../runtime/tensor/dtype.ts';
import { halfToNumber } from '../../runtime/tensor/half-float.ts';
import { ByteWriter } from './byte-writer.ts';
import { writeNested } from './element-text.ts';
import type { InferReply, OutputColumn } from './infer-request.ts';
import { formOf } from './request-options.ts';

/** Whether elements of this datatype have an order to classify by. */
export function isClassifiable(datatype: Datatype): boolean {
  return datatype !== 'BYTES' && datatype !== 'BOOL';
}

/** The same reply with its classified outputs as BYTES; the very same one when it has none. */
export function withClasses(reply: InferReply): InferReply {
  const { options, columns, batched } = reply;
  if (options === undefined || columns.every((_, index) => formOf(options, index).classes === 0))
    return reply;
  const rows = batched ? reply.rows : 1;
  const shown = columns.map((column, index) => {
    const own = rowsOf(column, { rowStart: reply.rowStart, rows });
    const { classes } = formOf(options, index);
    return classes === 0 ? own : classified(own, { rows, classes });
  });
  return { ...reply, columns: shown, rowStart: 0 };
}

/** The part of a column that belongs to one reply; it shares the memory of the column. */
export function rowsOf(
  column: OutputColumn,
  { rowStart, rows }: { readonly rowStart: number; readonly rows: number },
): OutputColumn {
  const { data, rowElements } = column;
  const start = rowStart * rowElements;
  const end = start + rows * rowElements;
  return { ...column, data: isNumericColumn(data) ? data.subarray(start, end) : data.slice(start, end) };
}

/** The same for readers that look at it later: a copy of its own. */
export function copyOfRows(
  column: OutputColumn,
  place: { readonly rowStart: number; readonly rows: number },
): OutputColumn {
  const own = rowsOf(column, place);
  return isNumericColumn(own.data) ? { ...own, data: own.data.slice() } : own;
}

function classified(
  column: OutputColumn,
  { rows, classes }: { readonly rows: number; readonly classes: number },
): OutputColumn {
  const { data, rowElements, name } = column;
  if (!isNumericColumn(data)) return column;
  const count = Math.min(classes, rowElements);
  const strings: string[] = [];
  for (let row = 0; row < rows; row++) {
    const start = row * rowElements;
    for (const index of largest(column, data.subarray(start, start + rowElements), count)) {
      strings.push(`${elementText(column, start + index)}:${index}`);
    }
  }
  return { name, datatype: 'BYTES', rowShape: [count], rowElements: count, data: strings };
}

/** Indexes of the largest elements, largest first; of equal ones the earlier first, NaN behind everything. */
function largest({ datatype }: OutputColumn, data: NumericArray, count: number): readonly number[] {
  const value = (index: number): number | bigint => {
    const element = data[index] ?? 0;
    const number = datatype === 'FP16' && typeof element === 'number' ? halfToNumber(element) : element;
    return Number.isNaN(number) ? -Infinity : number;
  };
  const isNan = (index: number): boolean =>
    datatype === 'FP16' ? Number.isNaN(halfToNumber(Number(data[index]))) : Number.isNaN(data[index]);
  const order = (a: number, b: number): number => {
    const [left, right] = [value(a), value(b)];
    if (left !== right) return left > right ? -1 : 1;
    return Number(isNan(a)) - Number(isNan(b)) || a - b;
  };
  return Array.from({ length: data.length }, (_, index) => index)
    .sort(order)
    .slice(0, count);
}

const textWriter = new ByteWriter(64);

/** As in JSON: the shortest text that reads back as the same value, without the quotes of what JSON cannot say. */
function elementText(column: OutputColumn, index: number): string {
  textWriter.reset();
  writeNested(textWriter, column, { start: index, shape: [] });
  return Buffer.from(textWriter.bytes()).toString().replaceAll('"', '');
}

/** Strings are the other kind. */
export function isNumericColumn(data: OutputColumn['data']): data is NumericArray {
  return ArrayBuffer.isView(data);
}
