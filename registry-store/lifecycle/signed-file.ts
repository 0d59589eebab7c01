/**
 * Makes the bytes of a metadata file: content checked by the TUF models, signed, and spelled in the one canonical form
 * that readers accept. It decides nothing about versions or about who should sign.
 */
import { Metadata, MetadataKind, Signature } from '@tufjs/models';
import { canonicalJson } from '../trust/canonical-json.ts';
import { splitEnvelope } from '../trust/envelope.ts';
import { accept } from '../store-error.ts';
import type { Signer } from './key-folder.ts';

/** The signed part of a metadata file as JSON. */
export type SignedJson = Readonly<Record<string, unknown>>;

type JsonObject = Parameters<typeof Metadata.fromJSON>[1];

const kinds: ReadonlyMap<unknown, MetadataKind> = new Map(
  [MetadataKind.Root, MetadataKind.Timestamp, MetadataKind.Snapshot, MetadataKind.Targets].map((kind) => [
    kind,
    kind,
  ]),
);

/** Throws on content that TUF does not allow: that is a fault of the caller, not of the world. */
export function signFile(content: SignedJson, signers: readonly Signer[]): Uint8Array {
  const metadata = parseMetadata(content);
  for (const { keyId, sign } of signers) {
    metadata.sign((bytes) => new Signature({ keyID: keyId, sig: sign(bytes) }));
  }
  const { signatures, signed } = metadata.toJSON() as { signatures: { keyid: string }[]; signed: unknown };
  signatures.sort((left, right) => (left.keyid < right.keyid ? -1 : 1));
  const bytes = canonicalJson({ signatures, signed });
  if (bytes === undefined) throw new TypeError('This metadata has no canonical form.');
  return bytes;
}

/** The signed part of a file that was verified before. */
export function signedJsonOf(bytes: Uint8Array, path: string): SignedJson {
  const { signedBytes } = accept(splitEnvelope(bytes, path));
  return JSON.parse(Buffer.from(signedBytes).toString('utf8')) as SignedJson;
}

function parseMetadata(content: SignedJson): Pick<Metadata<never>, 'sign' | 'toJSON'> {
  const envelope = { signatures: [], signed: content } as JsonObject;
  switch (kinds.get(content['_type'])) {
    case MetadataKind.Root:
      return Metadata.fromJSON(MetadataKind.Root, envelope);
    case MetadataKind.Timestamp:
      return Metadata.fromJSON(MetadataKind.Timestamp, envelope);
    case MetadataKind.Snapshot:
      return Metadata.fromJSON(MetadataKind.Snapshot, envelope);
    case MetadataKind.Targets:
      return Metadata.fromJSON(MetadataKind.Targets, envelope);
    case undefined:
      throw new TypeError('This is not the content of a metadata file.');
  }
}
