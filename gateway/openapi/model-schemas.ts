/**
 * What one model takes and gives, as JSON Schema made from its own signature: names, datatypes, and every dimension that
 * is fixed. The data itself may be nested or flat, so its length is for the gateway to check.
 */
import type { Datatype } from '../../runtime/tensor/dtype.ts';
import { elementCount, type ModelSignature, type TensorSpec } from '../../runtime/tensor/signature.ts';
import { list, object, ref, type Schema, text } from './schemas.ts';

/** A documented version of a model. */
export interface DocumentedModel {
  readonly name: string;
  readonly version: string;
  readonly signature: ModelSignature;
}

const special = { enum: ['NaN', 'Infinity', '-Infinity'] };

/** 64-bit bounds cannot be written as JSON numbers that every reader keeps exact. */
function integer(bits: number, isSigned: boolean): Schema {
  const format = `${isSigned ? '' : 'u'}int${bits}`;
  if (bits === 64) return { type: 'integer', format, ...(isSigned ? {} : { minimum: 0 }) };
  const span = 2 ** (isSigned ? bits - 1 : bits);
  return { type: 'integer', format, minimum: isSigned ? -span : 0, maximum: span - 1 };
}

function float(format: string): Schema {
  return { anyOf: [{ type: 'number', format }, special] };
}

const elements: Readonly<Record<Datatype, Schema>> = {
  BOOL: { anyOf: [{ type: 'boolean' }, { enum: [0, 1] }] },
  UINT8: integer(8, false),
  UINT16: integer(16, false),
  UINT32: integer(32, false),
  UINT64: integer(64, false),
  INT8: integer(8, true),
  INT16: integer(16, true),
  INT32: integer(32, true),
  INT64: integer(64, true),
  FP16: float('float'),
  FP32: float('float'),
  FP64: float('double'),
  BYTES: text,
};

/** `Data_FP32` and so on: arrays of elements, nested to any depth. */
export const dataSchemas: Readonly<Record<string, Schema>> = Object.fromEntries(
  Object.entries(elements).map(([datatype, element]) => [
    `Data_${datatype}`,
    { type: 'array', items: { anyOf: [element, ref(`Data_${datatype}`)] } },
  ]),
);

export function inferRequestSchema({ signature }: DocumentedModel): Schema {
  const names = signature.outputs.map(({ name }) => name);
  const schema = object(
    {
      id: text,
      parameters: { type: 'object' },
      inputs: {
        ...list({ oneOf: signature.inputs.map((spec) => tensor(spec)) }),
        minItems: signature.inputs.length,
        maxItems: signature.inputs.length,
      },
      outputs: list(object({ name: { enum: names }, parameters: { type: 'object' } }, ['parameters'])),
    },
    ['id', 'parameters', 'outputs'],
  );
  return withExample(schema, signature, () => exampleRequest(signature));
}

export function inferResponseSchema({ name, version, signature }: DocumentedModel): Schema {
  return object(
    {
      model_name: { const: name },
      model_version: { ...text, examples: [version] },
      id: text,
      parameters: { type: 'object' },
      outputs: list({ anyOf: signature.outputs.flatMap((spec) => [tensor(spec), classes(spec)]) }),
    },
    ['id', 'parameters'],
  );
}

export function predictRequestSchema({ signature }: DocumentedModel): Schema {
  const [only, ...others] = signature.inputs;
  if (only === undefined) return ref('PredictRequest');
  const features =
    others.length === 0
      ? ref(`Data_${only.datatype}`)
      : object(
          Object.fromEntries(signature.inputs.map(({ name, datatype }) => [name, ref(`Data_${datatype}`)])),
        );
  return withExample(object({ features }), signature, () => examplePredict(signature));
}

function tensor({ name, datatype, shape }: TensorSpec): Schema {
  return object(
    {
      name: { const: name },
      shape: shapeOf(shape),
      datatype: { const: datatype },
      parameters: { type: 'object' },
      data: ref(`Data_${datatype}`),
    },
    ['parameters'],
  );
}

function shapeOf(shape: readonly number[]): Schema {
  const sizes = shape.map((size) => (size < 0 ? { type: 'integer', minimum: 0 } : { const: size }));
  return {
    type: 'array',
    // An empty list is not allowed here; the shape of a scalar is empty.
    ...(sizes.length === 0 ? {} : { prefixItems: sizes }),
    minItems: sizes.length,
    maxItems: sizes.length,
  };
}

/** The same output when classes were asked for (classification extension). */
function classes({ name }: TensorSpec): Schema {
  return object(
    {
      name: { const: name },
      shape: list({ type: 'integer', minimum: 0 }),
      datatype: { const: 'BYTES' },
      parameters: { type: 'object' },
      data: ref('Data_BYTES'),
    },
    ['parameters'],
  );
}

/** A request with more elements than this is no help as an example. */
const exampleElementsMax = 1024;

/** One row that can be sent as it is; none for a model whose tensors are too large to be looked at. */
function withExample(schema: Schema, { inputs }: ModelSignature, example: () => Schema): Schema {
  const isSmall = inputs.every(({ shape }) => elementCount(smallest(shape)) <= exampleElementsMax);
  return isSmall ? { ...schema, examples: [example()] } : schema;
}

function exampleRequest({ inputs }: ModelSignature): Schema {
  return {
    inputs: inputs.map(({ name, datatype, shape: given }) => {
      const shape = smallest(given);
      return { name, shape, datatype, data: zeros(datatype, shape) };
    }),
  };
}

function examplePredict({ inputs }: ModelSignature): Schema {
  const rows = inputs.map(({ name, datatype, shape }): [string, unknown] => [
    name,
    [zeros(datatype, smallest(shape.slice(1)))],
  ]);
  return { features: rows.length === 1 ? rows[0]?.[1] : Object.fromEntries(rows) };
}

function smallest(shape: readonly number[]): readonly number[] {
  return shape.map((size) => (size < 0 ? 1 : size));
}

function zeros(datatype: Datatype, shape: readonly number[]): unknown[] {
  const zero = datatype === 'BYTES' ? 'text' : datatype === 'BOOL' ? false : 0;
  return Array.from({ length: elementCount(shape) }, () => zero);
}
