/** One version of a model as text. */
import type { Deployment, TensorSignature, VersionMetadata } from '../../registry-store/main.ts';
import { roleOf } from '../../registry-store/manifest/version-facts.ts';
import { sizeText } from '../options/quantity.ts';
import { momentText } from './moment.ts';

/** Cells for a table of versions; what is live stands out. */
export function versionRow(version: VersionMetadata, deployment: Deployment | undefined): readonly string[] {
  const role = roleOf(version, deployment);
  return [
    role === 'live' ? '* live' : `  ${role ?? ''}`,
    version.version,
    version.stage,
    version.createdAt.slice(0, 10),
    version.framework,
    version.author,
    metricsText(version.metrics),
    version.tags.join(' '),
  ];
}

/** Everything about one version, a line for each fact. */
export function versionLines(
  version: VersionMetadata,
  deployedAs: ReturnType<typeof roleOf>,
): readonly string[] {
  const { published, artifact, onnx } = version;
  const why = published.why === '' ? '' : `: ${published.why}`;
  return [
    `${version.name} ${version.version}${deployedAs === undefined ? '' : ` (${deployedAs})`}`,
    `  stage      ${version.stage}`,
    `  author     ${version.author}`,
    `  framework  ${version.framework}`,
    ...(version.description === '' ? [] : [`  about      ${version.description}`]),
    ...(version.metrics.size === 0 ? [] : [`  metrics    ${metricsText(version.metrics)}`]),
    ...(version.tags.length === 0 ? [] : [`  tags       ${version.tags.join(' ')}`]),
    `  published  ${momentText(version.createdAt)} by ${published.by}, revision ${published.revision}${why}`,
    `  file       ${sizeText(artifact.lengthBytes)}, ${onnx.parameterCount} parameters`,
    `  sha256     ${artifact.sha256}`,
    ...tensorLines(version),
  ];
}

/** What goes in and out, and whether rows of different requests may share a run. */
export function tensorLines({ signature, state }: VersionMetadata): readonly string[] {
  return [
    ...signature.inputs.map((tensor) => `  input      ${tensorText(tensor)}`),
    ...signature.outputs.map((tensor) => `  output     ${tensorText(tensor)}`),
    ...state.map((tensor) => `  state      ${stateText(tensor)}`),
    `  batching   ${batchingText(signature)}`,
  ];
}

function batchingText({ batching, fixedRows }: VersionMetadata['signature']): string {
  if (fixedRows !== undefined)
    return `up to ${fixedRows} rows of different requests share a run, filled up to ${fixedRows}`;
  return batching === 'rows' ? 'rows of different requests share a run' : 'none, every request runs alone';
}

/** `state [2, 1, 128], next time stateN` */
function stateText({ input, output, shape }: VersionMetadata['state'][number]): string {
  return `${input} [${shape.join(', ')}], next time ${output}`;
}

/** `input FP32 [-1, 4]` */
function tensorText(tensor: TensorSignature): string {
  return `${tensor.name} ${tensor.datatype} [${tensor.shape.join(', ')}]`;
}

/** `accuracy=0.97 f1=0.96`, or a dash. */
export function metricsText(metrics: ReadonlyMap<string, number>): string {
  return metrics.size === 0 ? '-' : [...metrics].map(([name, value]) => `${name}=${value}`).join(' ');
}
