/** One version of a model as JSON and as text. Field names follow the metadata in the store. */
import type { TensorSignature, VersionMetadata } from '../registry-store/main.ts';

export function versionJson(version: VersionMetadata): object {
  return {
    name: version.name,
    version: version.version,
    stage: version.stage,
    framework: version.framework,
    author: version.author,
    description: version.description,
    created_at: version.createdAt,
    metrics: Object.fromEntries(version.metrics),
    tags: version.tags,
    signature: version.signature,
    parameter_count: version.onnx.parameterCount,
    size_bytes: version.artifact.lengthBytes,
    sha256: version.artifact.sha256,
  };
}

/** `input FP32 [-1, 4]` */
export function tensorText(tensor: TensorSignature): string {
  return `${tensor.name} ${tensor.datatype} [${tensor.shape.join(', ')}]`;
}

/** `accuracy=0.97 f1=0.96`, or a dash. */
export function metricsText(metrics: ReadonlyMap<string, number>): string {
  return metrics.size === 0 ? '-' : [...metrics].map(([name, value]) => `${name}=${value}`).join(' ');
}
