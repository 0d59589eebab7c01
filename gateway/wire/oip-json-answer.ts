/**
 * The Open Inference Protocol v2 in plain JSON: an infer response to bytes.
 *
 *     {"model_name":"m","model_version":"1","id":"7","outputs":[{"name":"y","shape":[1,3],"datatype":"FP32","data":[...]}]}
 *
 * Most of a small answer is the same as in the one before. Those parts are kept and copied: writing them character by
 * character takes longer than all the rest. What comes out depends on the reply alone.
 * Source: open-inference-protocol, specification/protocol/inference_rest.md, "Inference".
 */
import { ByteWriter } from './byte-writer.ts';
import { withClasses } from './classification.ts';
import { writeFlat } from './element-text.ts';
import type { InferReply, OutputColumn } from './infer-request.ts';

const comma = 0x2c;

/** Writes an infer response: `data` flat and row-major, `id` only if the request had one. */
export function encodeOipJson(answer: InferReply, writer: ByteWriter): void {
  const reply = answer.options === undefined ? answer : withClasses(answer);
  const { columns, batched, rows } = reply;
  writer.raw(modelPart(reply));
  if (reply.id !== undefined) {
    writer.ascii(',"id":');
    writer.jsonString(String(reply.id));
  }
  for (let index = 0; index < columns.length; index++) {
    const column = columns[index];
    if (column === undefined) break;
    const part = columnPart(column, index);
    writer.raw(part.beforeRows);
    if (batched) writer.integer(rows);
    if (batched && column.rowShape.length > 0) writer.u8(comma);
    writer.raw(part.behindRows);
    const { rowElements } = column;
    writeFlat(writer, column, {
      start: reply.rowStart * rowElements,
      count: (batched ? rows : 1) * rowElements,
    });
  }
  writer.ascii(columns.length === 0 ? ',"outputs":[]}' : '}]}');
}

/** The start of the last answer, up to its version. */
let lastModel: { readonly name: string; readonly version: string; readonly part: Uint8Array } | undefined;

function modelPart({ modelName: name, modelVersion: version }: InferReply): Uint8Array {
  if (lastModel?.name !== name || lastModel.version !== version) {
    lastModel = { name, version, part: makeModelPart(name, version) };
  }
  return lastModel.part;
}

function makeModelPart(name: string, version: string): Uint8Array {
  return textBytes((writer) => {
    writer.ascii('{"model_name":');
    writer.jsonString(name);
    writer.ascii(',"model_version":');
    writer.jsonString(version);
  });
}

/** The text of a column around the number of rows: from the end of what came before, and up to the data. */
interface ColumnPart extends Pick<OutputColumn, 'name' | 'datatype' | 'rowShape'> {
  readonly beforeRows: Uint8Array;
  readonly behindRows: Uint8Array;
}

/** Of the last answer, by the place of the column in it. */
const lastColumns: ColumnPart[] = [];

function columnPart(column: OutputColumn, index: number): ColumnPart {
  const last = lastColumns[index];
  if (last !== undefined && isSameKind(last, column)) return last;
  return (lastColumns[index] = makeColumnPart(column, index));
}

function isSameKind(last: ColumnPart, { name, datatype, rowShape }: OutputColumn): boolean {
  if (last.name !== name || last.datatype !== datatype || last.rowShape.length !== rowShape.length)
    return false;
  for (let axis = 0; axis < rowShape.length; axis++) {
    if (last.rowShape[axis] !== rowShape[axis]) return false;
  }
  return true;
}

function makeColumnPart({ name, datatype, rowShape }: OutputColumn, index: number): ColumnPart {
  const beforeRows = textBytes((writer) => {
    writer.ascii(index === 0 ? ',"outputs":[{"name":' : '},{"name":');
    writer.jsonString(name);
    writer.ascii(',"shape":[');
  });
  const behindRows = textBytes((writer) => {
    writer.ascii(`${rowShape.join()}],"datatype":"${datatype}","data":`);
  });
  return { name, datatype, rowShape: [...rowShape], beforeRows, behindRows };
}

const partWriter = new ByteWriter(1024);

function textBytes(write: (writer: ByteWriter) => void): Uint8Array {
  partWriter.reset();
  write(partWriter);
  return partWriter.bytes().slice();
}
