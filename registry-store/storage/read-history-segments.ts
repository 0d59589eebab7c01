/** Reads segments of the history from a source, each checked against the digest that was signed. Nodes never do. */
import {
  type HistorySegment,
  parseSegment,
  segmentBytesMax,
  segmentPath,
} from '../manifest/history-segment.ts';
import { accept, refusal } from '../store-error.ts';
import { checkArtifact } from '../trust/artifact-digest.ts';
import { parseCanonicalJson } from '../trust/canonical-json.ts';
import { targetFile } from '../trust/store-file.ts';
import type { StoreSource } from './store-source.ts';
import type { VerifiedMetadata } from './verified-metadata.ts';

export async function readSegment(
  source: StoreSource,
  metadata: VerifiedMetadata,
  number: number,
): Promise<{ readonly segment: HistorySegment; readonly sizeBytes: number }> {
  const target = metadata.targets.get(segmentPath(number));
  if (target === undefined) throw refusal('deployment-manifest', `${segmentPath(number)} is not signed.`);
  const path = targetFile(target);
  const bytes = await source.read(path, segmentBytesMax);
  if (bytes === undefined) throw refusal('file-present', `${path} is missing.`);
  accept(checkArtifact(bytes, { ...target, path }));
  const segment = parseSegment(accept(parseCanonicalJson(bytes, path)), number);
  if (!segment.ok) throw refusal('deployment-manifest', `${segment.message}.`);
  return { segment: segment.value, sizeBytes: bytes.byteLength };
}
