/**
 * All that can be told about an ONNX file without running it, also of one that is refused: where `describeOnnxModel`
 * gives the first reason, this gives the facts and every reason. The bytes may come from anybody.
 */
import {
  type DescribeOptions,
  type Judgement,
  judgeModel,
  openOnnxModel,
  producer,
  requestInputs,
} from './describe-model.ts';
import { elementTypeName } from './element-type.ts';
import type { DimensionProto, NodeProto, TypeProto, ValueInfoProto } from './model-proto.ts';
import type { OnnxRefused } from './onnx-refusal.ts';
import { functionNames, normalDomain, operatorName } from './operator-name.ts';
import { type ExternalFile, type WeightFacts, WeightCount } from './weight-facts.ts';
import { walkModel } from './graph-walk.ts';

export type { ExternalFile, WeightFacts } from './weight-facts.ts';

/** An input or output as the file declares it. */
export interface PortFacts {
  readonly name: string;
  /** A datatype of the protocol, or what it is instead: `bfloat16`, `sequence(map(INT64, FP32))`. */
  readonly type: string;
  /** A size, the name of a free one, or null for a free one without a name. Undefined when even the rank is unknown. */
  readonly shape: readonly (number | string | null)[] | undefined;
}

export interface OperatorCount {
  readonly domain: string;
  readonly name: string;
  /** Places in the file that call it: in the graph, its subgraphs and the bodies of functions. */
  readonly count: number;
}

export interface ModelInspection extends Judgement {
  /** May be empty. */
  readonly producer: string;
  readonly irVersion: number;
  /** By domain, the standard one spelled `ai.onnx`. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly inputs: readonly PortFacts[];
  readonly outputs: readonly PortFacts[];
  /** By domain and name. */
  readonly operators: readonly OperatorCount[];
  /** Operators that the file defines itself. */
  readonly functions: readonly string[];
  readonly weights: WeightFacts;
  readonly externalFiles: readonly ExternalFile[];
}

export type InspectResult = { readonly ok: true; readonly value: ModelInspection } | OnnxRefused;

export function inspectOnnxModel(bytes: Uint8Array, options: DescribeOptions = {}): InspectResult {
  const opened = openOnnxModel(bytes, options);
  if (!opened.ok) return opened;
  const { model, graph, irVersion, opsets } = opened.value;
  const functions = functionNames(model);
  const operators = new Map<string, OperatorCount>();
  const weights = new WeightCount();
  walkModel(model, {
    node: (node) => {
      weights.addAttributes(node);
      if (!functions.has(operatorName(node.domain, node.opType))) countOperator(operators, node);
    },
    tensor: (tensor, owner) => {
      weights.add(tensor, owner);
    },
    indices: (tensor) => {
      weights.addExternal(tensor);
    },
  });
  const value: ModelInspection = {
    ...judgeModel(opened.value, options),
    producer: producer(model),
    irVersion,
    opsets: new Map(Object.entries(opsets).map(([domain, version]) => [normalDomain(domain), version])),
    inputs: requestInputs(graph).map(portFacts),
    outputs: (graph.output ?? []).map(portFacts),
    operators: [...operators.values()].sort(byDomainAndName),
    functions: [...functions].sort(),
    weights: weights.facts(),
    externalFiles: weights.externalFiles(),
  };
  return { ok: true, value };
}

function countOperator(operators: Map<string, OperatorCount>, node: NodeProto): void {
  const key = operatorName(node.domain, node.opType);
  const { domain, name, count } = operators.get(key) ?? {
    domain: normalDomain(node.domain),
    name: node.opType ?? '',
    count: 0,
  };
  operators.set(key, { domain, name, count: count + 1 });
}

function byDomainAndName(a: OperatorCount, b: OperatorCount): number {
  if (a.domain !== b.domain) return a.domain < b.domain ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

function portFacts({ name = '', type = {} }: ValueInfoProto): PortFacts {
  const shape = (type.tensorType ?? type.sparseTensorType)?.shape;
  const known = shape === undefined ? undefined : (shape.dim ?? []).map(dimension);
  return { name, type: typeText(type), shape: known };
}

function dimension({ dimValue, dimParam }: DimensionProto): number | string | null {
  if (dimParam !== undefined && dimParam !== '') return dimParam;
  return dimValue === undefined || dimValue < 0n ? null : Number(dimValue);
}

/** `FP32` for a tensor, and the other kinds in the notation of the ONNX project: `sequence(map(INT64, FP32))`. */
function typeText(type: TypeProto): string {
  const { tensorType, sequenceType, mapType, optionalType, sparseTensorType, opaqueType } = type;
  if (tensorType !== undefined) return elementTypeName(tensorType.elemType ?? 0);
  if (sequenceType !== undefined) return `sequence(${typeText(sequenceType.elemType ?? {})})`;
  if (mapType !== undefined)
    return `map(${elementTypeName(mapType.keyType ?? 0)}, ${typeText(mapType.valueType ?? {})})`;
  if (optionalType !== undefined) return `optional(${typeText(optionalType.elemType ?? {})})`;
  if (sparseTensorType !== undefined) return `sparse(${elementTypeName(sparseTensorType.elemType ?? 0)})`;
  return opaqueType === undefined ? 'undefined' : 'opaque';
}
