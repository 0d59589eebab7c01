/** How operators and their domains are called: the standard set has two spellings in files and one here. */
import type { ModelProto } from './model-proto.ts';

export function normalDomain(domain: string | undefined): string {
  return domain === undefined || domain === '' ? 'ai.onnx' : domain;
}

/** `Relu`, and `ai.onnx.ml.Scaler` outside the standard set. */
export function operatorName(domain: string | undefined, name: string | undefined): string {
  const set = normalDomain(domain);
  return set === 'ai.onnx' ? (name ?? '') : `${set}.${name ?? ''}`;
}

/** Operators that the file defines itself: a call of one stands for the nodes of its body. */
export function functionNames(model: ModelProto): ReadonlySet<string> {
  return new Set((model.functions ?? []).map(({ domain, name }) => operatorName(domain, name)));
}
