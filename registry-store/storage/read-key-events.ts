/** The changes of keys that verified metadata tells of: what root says about the top roles, and `targets` about the rest. */
import type { HistoryEvent } from '../manifest/change.ts';
import { parseKeyEvents } from '../manifest/key-events.ts';
import { accept, refusal } from '../store-error.ts';
import { splitEnvelope } from '../trust/envelope.ts';
import { metadataFile } from '../trust/store-file.ts';
import type { VerifiedMetadata } from './verified-metadata.ts';

/** In order of revision. */
export function readKeyEvents(metadata: VerifiedMetadata): readonly HistoryEvent[] {
  const events = ['root', 'targets'].flatMap((role) => {
    const path = metadataFile(role, metadata.roles.get(role)?.version ?? 0);
    const bytes = metadata.files.get(path);
    return bytes === undefined ? [] : eventsIn(bytes, path);
  });
  return events.toSorted((left, right) => left.revision - right.revision);
}

/** By file: the same two files are looked at with every change of anything else. */
const known = new WeakMap<Uint8Array, readonly HistoryEvent[]>();

function eventsIn(bytes: Uint8Array, path: string): readonly HistoryEvent[] {
  const before = known.get(bytes);
  if (before !== undefined) return before;
  const { signedBytes } = accept(splitEnvelope(bytes, path));
  const events = parseKeyEvents(JSON.parse(Buffer.from(signedBytes).toString('utf8')), path);
  if (!events.ok) throw refusal('metadata-form', `${events.message}.`);
  known.set(bytes, events.value);
  return events.value;
}
