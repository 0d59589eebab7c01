/**
 * A walk over everything a model would execute: graph, subgraphs in attributes, and functions the file defines.
 * It collects operators and counts parameters, and refuses what this store does not carry: foreign operator
 * domains and tensors kept in other files. Depth is bounded by the reader, so recursion is safe.
 */
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from './model-proto.ts';
import { quoted, refuse } from './onnx-refusal.ts';
import type { OnnxRefusal, OnnxRefused } from './onnx-refusal.ts';

export interface GraphSurvey {
  readonly ok: true;
  readonly operators: readonly string[];
  readonly parameterCount: number;
}

export function surveyGraph(
  model: ModelProto,
  allowedDomains: ReadonlySet<string>,
): GraphSurvey | OnnxRefused {
  const surveyor = new Surveyor(model, allowedDomains);
  surveyor.visitModel(model);
  if (surveyor.refused !== undefined) return surveyor.refused;
  return { ok: true, operators: [...surveyor.operators].sort(), parameterCount: surveyor.parameterCount };
}

class Surveyor {
  readonly operators = new Set<string>();
  parameterCount = 0;
  /** The first thing found that cannot be carried; the walk goes on, its other findings are not used. */
  refused: OnnxRefused | undefined;
  private readonly allowedDomains: ReadonlySet<string>;
  private readonly functions: ReadonlySet<string>;

  constructor(model: ModelProto, allowedDomains: ReadonlySet<string>) {
    this.allowedDomains = allowedDomains;
    this.functions = new Set((model.functions ?? []).map(({ domain, name }) => operatorName(domain, name)));
  }

  visitModel(model: ModelProto): void {
    if (model.graph !== undefined) this.visitGraph(model.graph);
    for (const { node, attributeProto } of model.functions ?? []) {
      for (const each of node ?? []) this.visitNode(each);
      for (const attribute of attributeProto ?? []) this.visitAttribute(attribute);
    }
  }

  private visitGraph(graph: GraphProto): void {
    for (const tensor of graph.initializer ?? []) this.visitTensor(tensor);
    for (const { values, indices } of graph.sparseInitializer ?? []) this.visitSparse(values, indices);
    for (const node of graph.node ?? []) this.visitNode(node);
  }

  private visitNode(node: NodeProto): void {
    for (const attribute of node.attribute ?? []) this.visitAttribute(attribute);
    const operator = operatorName(node.domain, node.opType);
    // A call of a function in the file stands for the nodes of that function, which are visited themselves.
    if (this.functions.has(operator)) return;
    this.operators.add(operator);
    const domain = normalDomain(node.domain);
    if (this.allowedDomains.has(domain)) return;
    this.refuse(
      'DISALLOWED_DOMAIN',
      `The operator ${quoted(operator)} is of the domain ${quoted(domain)}, which is not allowed here because other ` +
        'runtimes may not have it. Export with standard ONNX operators, or allow the domain if every node runs a build that has it.',
    );
  }

  private visitAttribute(attribute: AttributeProto): void {
    const { t, g, sparseTensor } = attribute;
    if (t !== undefined) this.visitTensor(t);
    if (g !== undefined) this.visitGraph(g);
    if (sparseTensor !== undefined) this.visitSparse(sparseTensor.values, sparseTensor.indices);
    for (const tensor of attribute.tensors ?? []) this.visitTensor(tensor);
    for (const graph of attribute.graphs ?? []) this.visitGraph(graph);
    for (const { values, indices } of attribute.sparseTensors ?? []) this.visitSparse(values, indices);
  }

  /** A sparse tensor has as many parameters as values that are not zero; its indices may be external too. */
  private visitSparse(values: TensorProto | undefined, indices: TensorProto | undefined): void {
    if (values !== undefined) this.visitTensor(values);
    if (indices !== undefined) this.refuseExternal(indices);
  }

  private visitTensor(tensor: TensorProto): void {
    this.refuseExternal(tensor);
    let elements = 1;
    for (const dim of tensor.dims ?? []) {
      if (dim < 0n) this.refuse('NOT_ONNX', `The tensor ${quoted(tensor.name)} has a negative dimension.`);
      elements *= Number(dim);
    }
    this.parameterCount += elements;
    if (!Number.isSafeInteger(this.parameterCount)) {
      this.refuse(
        'TOO_LARGE',
        `The tensor ${quoted(tensor.name)} claims more elements than a file can hold.`,
      );
    }
  }

  private refuseExternal({ dataLocation, externalData, name }: TensorProto): void {
    if ((dataLocation ?? 0) === 0 && (externalData ?? []).length === 0) return;
    this.refuse(
      'EXTERNAL_DATA',
      `The tensor ${quoted(name)} is kept in another file, and a model here is one file that is signed as a whole. ` +
        'Save it in one: onnx.save(onnx.load(path), single_path) embeds the data of models below 2 GB.',
    );
  }

  private refuse(code: OnnxRefusal, message: string): void {
    this.refused ??= refuse(code, message);
  }
}

function normalDomain(domain: string | undefined): string {
  return domain === undefined || domain === '' ? 'ai.onnx' : domain;
}

function operatorName(domain: string | undefined, name: string | undefined): string {
  const set = normalDomain(domain);
  return set === 'ai.onnx' ? (name ?? '') : `${set}.${name ?? ''}`;
}
