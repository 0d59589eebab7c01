/**
 * Builds ONNX files in memory: the demo models, benchmark models and the odd ones that tests need.
 * It checks only what would make the file unreadable; whether operators fit together is for the runtime to say.
 * The same calls give the same bytes.
 *
 *     const graph = new GraphBuilder('scale');
 *     const x = graph.input('x', tensorType('FP32', ['batch', 4]));
 *     const factor = graph.constant('factor', tensor('FP32', [4], [1, 2, 3, 4]));
 *     graph.node('Mul', [x, factor], { outputs: ['y'] });
 *     graph.output('y', tensorType('FP32', ['batch', 4]));
 *     const bytes = writeOnnxModel(graph);
 */
import type { Datatype } from '../manifest/signature.ts';
import { elementTypeCode } from './element-type.ts';
import { attributeType } from './model-proto.ts';
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  TypeProto,
  ValueInfoProto,
} from './model-proto.ts';
import { modelSchema } from './model-schema.ts';
import { writeMessage } from './write-message.ts';

/** A size, or a symbolic name such as `batch` for any size. */
export type Dimension = number | string;

export interface WriteOptions {
  /** Version of the standard operator set. Default 17, the newest of IR version 8. */
  readonly opset?: number;
  /** Default 8: old enough for every runtime in use, new enough for opset 17. */
  readonly irVersion?: number;
  /** Further operator sets, for example `{ 'ai.onnx.ml': 3 }`. */
  readonly opsets?: Readonly<Record<string, number>>;
  readonly producer?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export function writeOnnxModel(graph: GraphBuilder, options: WriteOptions = {}): Uint8Array {
  const { opset = 17, irVersion = 8, opsets = {}, producer = 'tidegate', metadata = {} } = options;
  const domains = Object.entries({ '': opset, ...opsets });
  const model: ModelProto = {
    irVersion: BigInt(irVersion),
    producerName: producer,
    graph: graph.proto(),
    opsetImport: domains.map(([domain, version]) => ({ domain, version: BigInt(version) })),
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  };
  return writeMessage(modelSchema, model);
}

/** The kind is named, because a number alone does not say whether an operator takes it as int or as float. */
type Attribute =
  | { readonly int: number | bigint }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly tensor: TensorProto }
  | { readonly graph: GraphBuilder }
  | { readonly ints: readonly (number | bigint)[] }
  | { readonly floats: readonly number[] }
  | { readonly texts: readonly string[] };

export interface NodeOptions {
  /** Default: one output, named after the operator and its place in the graph. */
  readonly outputs?: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Default: the standard operator set. */
  readonly domain?: string;
}

/** One graph, built from top to bottom; the methods return the names by which later nodes refer to a value. */
export class GraphBuilder {
  private readonly name: string;
  private readonly nodes: NodeProto[] = [];
  private readonly initializers: TensorProto[] = [];
  private readonly inputs: ValueInfoProto[] = [];
  private readonly outputs: ValueInfoProto[] = [];

  constructor(name: string) {
    this.name = name;
  }

  input(name: string, type: TypeProto): string {
    this.inputs.push({ name, type });
    return name;
  }

  /** A weight or any other tensor that is part of the file. */
  constant(name: string, value: TensorProto): string {
    this.initializers.push({ ...value, name });
    return name;
  }

  /** Returns the name of the first output. An empty string among `inputs` leaves an optional input out. */
  node(operator: string, inputs: readonly string[], options: NodeOptions = {}): string {
    const { outputs = [`${operator}_${this.nodes.length}`], attributes = {}, domain } = options;
    this.nodes.push({
      input: inputs,
      output: outputs,
      opType: operator,
      ...(domain === undefined ? {} : { domain }),
      attribute: Object.entries(attributes).map(([name, value]) => attributeProto(name, value)),
    });
    return outputs[0] ?? '';
  }

  /** Declares a value that a node or an input already carries as an output of the graph. */
  output(name: string, type: TypeProto): void {
    this.outputs.push({ name, type });
  }

  proto(): GraphProto {
    return {
      name: this.name,
      node: this.nodes,
      initializer: this.initializers,
      input: this.inputs,
      output: this.outputs,
    };
  }
}

/** Without a shape even the rank is unknown; an empty shape is a scalar. */
export function tensorType(datatype: Datatype, shape?: readonly Dimension[]): TypeProto {
  const elemType = elementTypeCode(datatype);
  if (shape === undefined) return { tensorType: { elemType } };
  const dim = shape.map((size) =>
    typeof size === 'string' ? { dimParam: size } : { dimValue: BigInt(size) },
  );
  return { tensorType: { elemType, shape: { dim } } };
}

export function sequenceType(elemType: TypeProto): TypeProto {
  return { sequenceType: { elemType } };
}

export function mapType(key: 'INT64' | 'BYTES', valueType: TypeProto): TypeProto {
  return { mapType: { keyType: elementTypeCode(key), valueType } };
}

function attributeProto(name: string, value: Attribute): AttributeProto {
  const utf8 = new TextEncoder();
  if ('int' in value) return { name, type: attributeType.int, i: BigInt(value.int) };
  if ('float' in value) return { name, type: attributeType.float, f: value.float };
  if ('text' in value) return { name, type: attributeType.text, s: utf8.encode(value.text) };
  if ('tensor' in value) return { name, type: attributeType.tensor, t: value.tensor };
  if ('graph' in value) return { name, type: attributeType.graph, g: value.graph.proto() };
  if ('ints' in value)
    return { name, type: attributeType.ints, ints: BigInt64Array.from(value.ints, BigInt) };
  if ('floats' in value) return { name, type: attributeType.floats, floats: Float32Array.from(value.floats) };
  return { name, type: attributeType.texts, strings: value.texts.map((text) => utf8.encode(text)) };
}
