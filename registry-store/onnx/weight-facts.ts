/**
 * What the tensors of a file amount to: how many numbers of which type, which are the largest, and which are kept in
 * other files. Sizes follow from shapes and types, so that they are the same however a tensor is stored.
 */
import { openOnnxModel } from './describe-model.ts';
import { elementTypeBits, elementTypeName } from './element-type.ts';
import { isExternal } from './graph-survey.ts';
import { walkModel } from './graph-walk.ts';
import type { NodeProto, TensorProto } from './model-proto.ts';
import { normalDomain } from './operator-name.ts';

export interface TensorFacts {
  /** That of the tensor, or of the value that its node gives. */
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly sizeBytes: number;
}

export interface TypeTotal {
  readonly type: string;
  readonly count: number;
  readonly sizeBytes: number;
}

export interface WeightFacts {
  /** Elements of all tensors: initializers, sparse values and tensors in attributes. */
  readonly count: number;
  readonly sizeBytes: number;
  /** Largest first. */
  readonly byType: readonly TypeTotal[];
  /** The largest few. */
  readonly largest: readonly TensorFacts[];
  /** Numbers and texts in attributes of `ai.onnx.ml` operators: trees and linear models have their weights there. */
  readonly attributeValueCount: number;
}

/** A file beside the model that tensors refer to. Nothing is known about it but what the model says. */
export interface ExternalFile {
  /** Relative to the folder of the model, as the model says it: judge it before you open it. */
  readonly location: string;
  readonly tensorCount: number;
  /** Where the last of them ends. */
  readonly neededBytes: number;
}

/** Empty also for what is no model: whoever reads it next says so. */
export function externalFilesOf(model: Uint8Array): readonly ExternalFile[] {
  const opened = openOnnxModel(model, {});
  if (!opened.ok) return [];
  const count = new WeightCount();
  const add = (tensor: TensorProto): void => {
    count.addExternal(tensor);
  };
  walkModel(opened.value.model, { node: () => undefined, tensor: add, indices: add });
  return count.externalFiles();
}

const largestMax = 5;

export class WeightCount {
  private readonly byType = new Map<string, TypeTotal>();
  private readonly files = new Map<string, ExternalFile>();
  private largest: TensorFacts[] = [];
  private attributeValueCount = 0;

  add(tensor: TensorProto, owner: string): void {
    this.addExternal(tensor);
    const type = elementTypeName(tensor.dataType ?? 0);
    const shape = Array.from(tensor.dims ?? [], Number);
    const elements = elementsOf(tensor);
    const sizeBytes = bytesOf(tensor);
    const total = this.byType.get(type) ?? { type, count: 0, sizeBytes: 0 };
    this.byType.set(type, {
      type,
      count: total.count + elements,
      sizeBytes: total.sizeBytes + sizeBytes,
    });
    if (this.largest.length === largestMax && sizeBytes <= (this.largest.at(-1)?.sizeBytes ?? 0)) return;
    this.largest.push({ name: owner, type, shape, sizeBytes });
    this.largest.sort((a, b) => b.sizeBytes - a.sizeBytes);
    this.largest.length = Math.min(this.largest.length, largestMax);
  }

  addExternal(tensor: TensorProto): void {
    if (!isExternal(tensor)) return;
    const entries = new Map((tensor.externalData ?? []).map(({ key, value }) => [key ?? '', value ?? '']));
    const location = entries.get('location') ?? '';
    const offset = count(entries.get('offset')) ?? 0;
    const end = offset + (count(entries.get('length')) ?? bytesOf(tensor));
    const file = this.files.get(location) ?? { location, tensorCount: 0, neededBytes: 0 };
    const neededBytes = Math.max(file.neededBytes, end);
    this.files.set(location, { location, tensorCount: file.tensorCount + 1, neededBytes });
  }

  addAttributes(node: NodeProto): void {
    if (normalDomain(node.domain) !== 'ai.onnx.ml') return;
    for (const { floats, ints, strings } of node.attribute ?? []) {
      this.attributeValueCount += (floats?.length ?? 0) + (ints?.length ?? 0) + (strings?.length ?? 0);
    }
  }

  facts(): WeightFacts {
    const byType = [...this.byType.values()].sort((a, b) => b.sizeBytes - a.sizeBytes);
    return {
      count: byType.reduce((sum, total) => sum + total.count, 0),
      sizeBytes: byType.reduce((sum, total) => sum + total.sizeBytes, 0),
      byType,
      largest: this.largest,
      attributeValueCount: this.attributeValueCount,
    };
  }

  externalFiles(): readonly ExternalFile[] {
    return [...this.files.values()];
  }
}

function elementsOf({ dims }: TensorProto): number {
  return Array.from(dims ?? [], Number).reduce((product, size) => product * size, 1);
}

/** Strings have the length of their text; everything else that of its type. */
function bytesOf(tensor: TensorProto): number {
  const { dataType = 0, stringData = [] } = tensor;
  if (stringData.length > 0) return stringData.reduce((sum, text) => sum + text.byteLength, 0);
  return Math.ceil((elementsOf(tensor) * elementTypeBits(dataType)) / 8);
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
