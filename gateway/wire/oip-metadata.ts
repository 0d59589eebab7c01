/**
 * The bodies of the protocol's health and metadata endpoints (Open Inference Protocol v2, REST: "Server Metadata",
 * "Model Metadata", "Health"). Plain values; whoever answers turns them into text.
 */
import type { ModelSignature, TensorSpec } from '../../runtime/tensor/signature.ts';

export interface ServerIdentity {
  readonly name: string;
  readonly version: string;
}

/** `extensions` lists what works, nothing else. */
export function serverMetadata(identity: ServerIdentity): object {
  return { name: identity.name, version: identity.version, extensions: [] };
}

export interface ModelDescription {
  readonly name: string;
  /** Versions that can be called. */
  readonly versions: readonly string[];
  readonly platform: string;
  readonly signature: ModelSignature;
}

export function modelMetadata(model: ModelDescription): object {
  return {
    name: model.name,
    versions: model.versions,
    platform: model.platform,
    inputs: model.signature.inputs.map(tensorMetadata),
    outputs: model.signature.outputs.map(tensorMetadata),
  };
}

function tensorMetadata(spec: TensorSpec): object {
  return { name: spec.name, datatype: spec.datatype, shape: spec.shape };
}
