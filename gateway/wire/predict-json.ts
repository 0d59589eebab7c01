/**
 * The plain format for people with a notebook and curl: `{"features": [[5.1, 3.5, 1.4, 0.2]]}` in, and out
 * `{"prediction": [0], "probabilities": [[0.9, 0.1, 0]], "model_version": "1.0.0"}`. Names, datatypes and shapes come
 * from the model; nothing of the Open Inference Protocol is read here.
 * Invariant: a decoded request names every input of the model once, with a shape that has no open dimension.
 */
import { elementCount, type ModelSignature, type TensorSpec } from '../../runtime/tensor/signature.ts';
import type { BodyKey } from './body-key.ts';
import type { ByteWriter } from './byte-writer.ts';
import { writeNested } from './element-text.ts';
import { fail, succeed, type Result } from './error-code.ts';
import type { InferReply, InferRequest, InputTensor, OutputColumn } from './infer-request.ts';
import { measureNesting, type JsonSpan } from './json-nesting.ts';
import { JsonScanner } from './json-scanner.ts';
import { openBrace, openBracket } from './json-token.ts';
import { quoted } from './strict-text.ts';
import { WordTable } from './word-table.ts';

const bodyKeys = new WordTable(['features']);

/** An array of `features`, and how many elements or rows it has at its outermost level. */
interface FeatureArray extends JsonSpan {
  readonly length: number;
  /** False if the first member is no array. */
  readonly nested: boolean;
}

/**
 * Decodes a prediction request. `features` is an array of rows for a model with one input, otherwise an object with
 * such an array for each input by name. A row is nested as the model's rows are, or flat with as many numbers. A model
 * without a batch dimension takes one whole tensor instead of rows, nested or flat. A dimension that the model leaves
 * open is taken from the nesting. Other fields are skipped, or shown to `bodyKey`. The tensors point into `body`.
 * Codes: EMPTY_BODY, MALFORMED_JSON, INVALID_REQUEST, UNKNOWN_INPUT, MISSING_INPUT, SHAPE_MISMATCH.
 */
export function decodePredict(
  body: Uint8Array,
  signature: ModelSignature,
  bodyKey?: BodyKey,
): Result<InferRequest> {
  if (body.length === 0) return fail('EMPTY_BODY', 'The body is empty; send {"features": [[...]]}.');
  const scanner = new JsonScanner(body);
  if (!scanner.enterObject()) return scanner.refuse('The body', 'an object like {"features": [[...]]}');
  let inputs: readonly InputTensor[] | undefined;
  const known = bodyKey === undefined ? bodyKeys : undefined;
  for (let field = nextField(scanner, known); field !== undefined; field = nextField(scanner, known)) {
    if (field !== 'features') {
      if (bodyKey === undefined) scanner.skipValue();
      else bodyKey.read(scanner, field);
      continue;
    }
    if (inputs !== undefined) return fail('INVALID_REQUEST', 'features is there twice.');
    const features = readFeatures(scanner, signature);
    if (!features.ok) return features;
    inputs = features.value;
  }
  if (!scanner.finish() && scanner.fault !== undefined) return scanner.fault;
  if (inputs === undefined) {
    return fail('INVALID_REQUEST', 'features is missing; send {"features": [[...]]}.');
  }
  return succeed({ id: undefined, inputs, outputs: undefined, options: undefined });
}

/** Any name where all of them are wanted. */
function nextField(scanner: JsonScanner, known: typeof bodyKeys | undefined): string | undefined {
  return known === undefined ? scanner.nextName() : scanner.nextKey(known);
}

function readFeatures(scanner: JsonScanner, signature: ModelSignature): Result<readonly InputTensor[]> {
  if (scanner.peek() === openBrace) return readNamedFeatures(scanner, signature);
  const [spec, ...others] = signature.inputs;
  if (spec === undefined || others.length > 0) {
    const names = signature.inputs.map(({ name }) => quoted(name)).join(', ');
    return scanner.refuse('features', `an object with an array for each input of the model: ${names}`);
  }
  const input = readInput(scanner, spec, { where: 'features', signature });
  return input.ok ? succeed([input.value]) : input;
}

function readNamedFeatures(scanner: JsonScanner, signature: ModelSignature): Result<readonly InputTensor[]> {
  const inputs: InputTensor[] = [];
  scanner.enterObject();
  for (let name = scanner.nextName(); name !== undefined; name = scanner.nextName()) {
    const where = `features[${quoted(name)}]`;
    const spec = signature.inputs.find((candidate) => candidate.name === name);
    if (spec === undefined) return fail('UNKNOWN_INPUT', `${where}: the model has no input of that name.`);
    if (inputs.some((input) => input.name === name))
      return fail('INVALID_REQUEST', `${where} is there twice.`);
    const input = readInput(scanner, spec, { where, signature });
    if (!input.ok) return input;
    const { shape } = input.value;
    const rows = inputs[0]?.shape[0];
    if (signature.batching === 'rows' && rows !== undefined && rows !== shape[0]) {
      return fail(
        'SHAPE_MISMATCH',
        `${where} has ${shape[0] ?? 0} rows, but the input before it has ${rows}.`,
      );
    }
    inputs.push(input.value);
  }
  if (scanner.fault !== undefined) return scanner.fault;
  const absent = signature.inputs.find((spec) => !inputs.some((input) => input.name === spec.name));
  if (absent !== undefined) return fail('MISSING_INPUT', `features has no ${quoted(absent.name)}.`);
  return succeed(inputs);
}

interface InputContext {
  /** How messages call the array. */
  readonly where: string;
  readonly signature: ModelSignature;
}

function readInput(scanner: JsonScanner, spec: TensorSpec, context: InputContext): Result<InputTensor> {
  const { where, signature } = context;
  const batched = signature.batching === 'rows';
  if (scanner.peek() !== openBracket) {
    return scanner.refuse(where, batched ? 'a list of rows; write [[5.1, ...]]' : 'an array');
  }
  const features = readArray(scanner);
  if (scanner.fault !== undefined) return scanner.fault;
  const shape = batched ? shapeOfRows(features, spec, where) : shapeOfWhole(features, spec, where);
  if (!shape.ok) return shape;
  const { text, start, end } = features;
  const source = { kind: 'json', text, start, end } as const;
  return succeed({ name: spec.name, datatype: spec.datatype, shape: shape.value, source });
}

function readArray(scanner: JsonScanner): FeatureArray {
  const start = scanner.at;
  let length = 0;
  let nested = false;
  scanner.enterArray();
  while (scanner.nextElement()) {
    if (length === 0) nested = scanner.peek() === openBracket;
    scanner.skipValue();
    length++;
  }
  return { text: scanner.text, start, end: scanner.at, length, nested };
}

/** The shape of a list of rows, batch dimension first. */
function shapeOfRows(features: FeatureArray, spec: TensorSpec, where: string): Result<readonly number[]> {
  const { length, nested } = features;
  const rowShape = spec.shape.slice(1);
  if (length === 0) return fail('INVALID_REQUEST', `${where} has no rows; write [[5.1, ...]].`);
  if (!rowShape.includes(-1)) {
    // A bare number can only be a row where a row is one number.
    if (nested || elementCount(rowShape) === 1) return succeed([length, ...rowShape]);
    return fail(
      'SHAPE_MISMATCH',
      `${where} must be a list of rows; write [[5.1, ...]], with ${elementCount(rowShape)} elements in each row.`,
    );
  }
  if (!nested) return fail('SHAPE_MISMATCH', `${where} must be a list of rows; write [[5.1, ...]].`);
  return shapeFromNesting(features, spec, { where, flatAxis: 1 });
}

/** The shape of a whole tensor, for a model without a batch dimension. */
function shapeOfWhole(features: FeatureArray, spec: TensorSpec, where: string): Result<readonly number[]> {
  if (!spec.shape.includes(-1)) return succeed(spec.shape);
  return shapeFromNesting(features, spec, { where, flatAxis: 0 });
}

/**
 * Fills the open dimensions from how the array is nested: all of them if it is nested as deep as the model's shape, or
 * the only one from `flatAxis` on if the elements are flat from there.
 */
function shapeFromNesting(
  features: FeatureArray,
  spec: TensorSpec,
  options: { readonly where: string; readonly flatAxis: number },
): Result<readonly number[]> {
  const { where, flatAxis } = options;
  const nesting = measureNesting(features);
  const sizes = nesting?.even === true ? nesting.sizes : [];
  if (sizes.length === spec.shape.length) {
    return succeed(spec.shape.map((size, axis) => (size === -1 ? (sizes[axis] ?? 0) : size)));
  }
  if (sizes.length === flatAxis + 1) {
    const flat = spec.shape.slice(flatAxis);
    const known = elementCount(flat.filter((size) => size !== -1));
    const open = (sizes[flatAxis] ?? 0) / known;
    if (Number.isInteger(open) && flat.indexOf(-1) === flat.lastIndexOf(-1)) {
      return succeed([...sizes.slice(0, flatAxis), ...flat.map((size) => (size === -1 ? open : size))]);
    }
  }
  const wanted = spec.shape.map((size) => (size === -1 ? 'any' : String(size))).join(', ');
  return fail('SHAPE_MISMATCH', `${where} must be nested as the model's shape [${wanted}], evenly.`);
}

const predictionNames: readonly string[] = ['label', 'prediction', 'output_label', 'class'];
const probabilityNames: readonly string[] = ['probabilities', 'output_probability', 'probability', 'scores'];

/**
 * Writes the answer. `prediction` is the output called label, prediction, output_label or class, in this order; if
 * there is none, the first output of integers, booleans or strings; if there is none, the first output. `probabilities` is
 * another output called probabilities, output_probability, probability or scores; if there is none, the first other
 * output of floats with two dimensions; if there is none, the key is left out. All further outputs stand by name under
 * `outputs`. Every output is nested row by row; that of a model without a batch dimension as its whole shape.
 */
export function encodePredict(reply: InferReply, writer: ByteWriter): void {
  const { columns } = reply;
  const prediction = pickPrediction(columns);
  const probabilities = pickProbabilities(reply, prediction);
  writer.ascii('{');
  if (prediction !== undefined) {
    writer.ascii('"prediction":');
    writeColumn(writer, reply, prediction);
    writer.ascii(',');
  }
  if (probabilities !== undefined) {
    writer.ascii('"probabilities":');
    writeColumn(writer, reply, probabilities);
    writer.ascii(',');
  }
  let separator = '"outputs":{';
  for (const column of columns) {
    if (column === prediction || column === probabilities) continue;
    writer.ascii(separator);
    writer.jsonString(column.name);
    writer.ascii(':');
    writeColumn(writer, reply, column);
    separator = ',';
  }
  writer.ascii(separator === ',' ? '},"model_version":' : '"model_version":');
  writer.jsonString(reply.modelVersion);
  writer.ascii('}');
}

function pickPrediction(columns: readonly OutputColumn[]): OutputColumn | undefined {
  return firstNamed(columns, predictionNames) ?? columns.find(isDiscrete) ?? columns[0];
}

function pickProbabilities(
  reply: InferReply,
  prediction: OutputColumn | undefined,
): OutputColumn | undefined {
  const others = reply.columns.filter((column) => column !== prediction);
  const rowRank = reply.batched ? 1 : 2;
  return (
    firstNamed(others, probabilityNames) ??
    others.find((column) => column.datatype.startsWith('FP') && column.rowShape.length === rowRank)
  );
}

/** The column with the earliest of the names. */
function firstNamed(columns: readonly OutputColumn[], names: readonly string[]): OutputColumn | undefined {
  for (const name of names) {
    const column = columns.find((candidate) => candidate.name === name);
    if (column !== undefined) return column;
  }
  return undefined;
}

function isDiscrete(column: OutputColumn): boolean {
  return !column.datatype.startsWith('FP');
}

function writeColumn(writer: ByteWriter, reply: InferReply, column: OutputColumn): void {
  const { rowShape, rowElements } = column;
  const shape = reply.batched ? [reply.rows, ...rowShape] : rowShape;
  writeNested(writer, column, { start: reply.rowStart * rowElements, shape });
}
