/**
 * The way through everything a model would execute: graph, subgraphs in attributes, and functions the file defines.
 * It decides nothing; what is met goes to a visitor. Depth is bounded by the reader, so recursion is safe.
 */
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from './model-proto.ts';

export interface GraphVisitor {
  readonly node: (node: NodeProto) => void;
  /** A weight or a tensor in an attribute; of a sparse one its values. `owner` is its name or that of its node. */
  readonly tensor: (tensor: TensorProto, owner: string) => void;
  /** Where the values of a sparse tensor stand: part of the file, but no parameters. */
  readonly indices: (tensor: TensorProto) => void;
}

export function walkModel(model: ModelProto, visitor: GraphVisitor): void {
  if (model.graph !== undefined) walkGraph(model.graph, visitor);
  for (const { node, attributeProto, name } of model.functions ?? []) {
    for (const each of node ?? []) walkNode(each, visitor);
    for (const attribute of attributeProto ?? []) walkAttribute(attribute, { visitor, owner: name ?? '' });
  }
}

function walkGraph(graph: GraphProto, visitor: GraphVisitor): void {
  for (const tensor of graph.initializer ?? []) visitor.tensor(tensor, tensor.name ?? '');
  for (const sparse of graph.sparseInitializer ?? []) {
    walkSparse(sparse, { visitor, owner: sparse.values?.name ?? '' });
  }
  for (const node of graph.node ?? []) walkNode(node, visitor);
}

function walkNode(node: NodeProto, visitor: GraphVisitor): void {
  // A constant often has no name of its own, but the value that others refer to has.
  const owner = node.output?.[0] ?? node.name ?? '';
  for (const attribute of node.attribute ?? []) walkAttribute(attribute, { visitor, owner });
  visitor.node(node);
}

interface Place {
  readonly visitor: GraphVisitor;
  readonly owner: string;
}

function walkAttribute(attribute: AttributeProto, { visitor, owner }: Place): void {
  const { t, g, sparseTensor } = attribute;
  if (t !== undefined) visitor.tensor(t, named(t, owner));
  if (g !== undefined) walkGraph(g, visitor);
  if (sparseTensor !== undefined) walkSparse(sparseTensor, { visitor, owner });
  for (const tensor of attribute.tensors ?? []) visitor.tensor(tensor, named(tensor, owner));
  for (const graph of attribute.graphs ?? []) walkGraph(graph, visitor);
  for (const sparse of attribute.sparseTensors ?? []) walkSparse(sparse, { visitor, owner });
}

function walkSparse(
  { values, indices }: { readonly values?: TensorProto; readonly indices?: TensorProto },
  { visitor, owner }: Place,
): void {
  if (values !== undefined) visitor.tensor(values, named(values, owner));
  if (indices !== undefined) visitor.indices(indices);
}

function named({ name }: TensorProto, owner: string): string {
  return name === undefined || name === '' ? owner : name;
}
