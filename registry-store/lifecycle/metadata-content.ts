/**
 * What the metadata files of a new store say, and what the next version of each says: pure values in, JSON out.
 * Content of an existing file is taken over as it is, so that nothing a later release added gets lost.
 */
import { sha256Of } from '../trust/artifact-digest.ts';
import { publicKeyJson } from '../trust/role-keys.ts';
import type { FilePin, SignedTarget } from '../trust/signed-content.ts';
import type { Signer } from './key-folder.ts';
import type { SignedJson } from './signed-file.ts';

/** Roles of a new store, each with a key of its own. */
export const storeRoles = ['root', 'timestamp', 'snapshot', 'targets', 'models', 'deployments'] as const;

export type StoreRole = (typeof storeRoles)[number];

const dayMs = 24 * 60 * 60 * 1000;
/**
 * How long signed content may be believed. A folder on the node's own disk has nobody on the way who could freeze it,
 * and a box that is offline for months must start again, so these are long. Every publish renews what is half spent.
 */
export const lifetimeMs: Readonly<Record<StoreRole, number>> = {
  root: 5 * 365 * dayMs,
  targets: 365 * dayMs,
  models: 365 * dayMs,
  deployments: 365 * dayMs,
  snapshot: 365 * dayMs,
  timestamp: 365 * dayMs,
};

const specVersion = '1.0.31';

export interface Issue {
  readonly version: number;
  /** `YYYY-MM-DDThh:mm:ssZ` */
  readonly expires: string;
}

export function rootContent(issue: Issue, signers: ReadonlyMap<StoreRole, Signer>): SignedJson {
  const roles = ['root', 'timestamp', 'snapshot', 'targets'] as const;
  return {
    ...head('root', issue),
    consistent_snapshot: true,
    keys: keyTable(signers, roles),
    roles: Object.fromEntries(roles.map((role) => [role, { keyids: keyIds(signers, role), threshold: 1 }])),
  };
}

/** The top targets role: lists nothing itself, says who speaks for models and who for deployments. */
export function delegatingContent(issue: Issue, signers: ReadonlyMap<StoreRole, Signer>): SignedJson {
  const delegate = (name: 'models' | 'deployments', paths: readonly string[]): SignedJson => ({
    name,
    keyids: keyIds(signers, name),
    threshold: 1,
    terminating: true,
    paths,
  });
  return {
    ...targetsContent(issue, []),
    delegations: {
      keys: keyTable(signers, ['models', 'deployments']),
      roles: [delegate('models', ['models/*/*/*']), delegate('deployments', ['deployments/*'])],
    },
  };
}

export function targetsContent(issue: Issue, targets: readonly SignedTarget[]): SignedJson {
  return { ...head('targets', issue), targets: targetTable(targets) };
}

/** The next version of a targets role, with some targets added or replaced. */
export function nextTargetsContent(
  current: SignedJson,
  issue: Issue,
  put: readonly SignedTarget[],
): SignedJson {
  const before = current['targets'] as SignedJson;
  return { ...current, ...issue, targets: { ...before, ...targetTable(put) } };
}

export function snapshotContent(issue: Issue, files: ReadonlyMap<string, FilePin>): SignedJson {
  const meta = Object.fromEntries([...files].map(([role, pin]) => [`${role}.json`, pinJson(pin)]));
  return { ...head('snapshot', issue), meta };
}

export function timestampContent(issue: Issue, snapshot: FilePin): SignedJson {
  return { ...head('timestamp', issue), meta: { 'snapshot.json': pinJson(snapshot) } };
}

export function pinOf(version: number, bytes: Uint8Array): FilePin {
  return { version, sizeBytes: bytes.byteLength, sha256: sha256Of(bytes) };
}

function head(type: string, issue: Issue): SignedJson {
  return { _type: type, spec_version: specVersion, version: issue.version, expires: issue.expires };
}

function pinJson({ version, sizeBytes, sha256 }: FilePin): SignedJson {
  return { version, length: sizeBytes, hashes: { sha256 } };
}

function targetTable(targets: readonly SignedTarget[]): SignedJson {
  const rows = targets.map(({ path, sizeBytes, sha256, custom }) => {
    const facts = custom === undefined ? {} : { custom };
    return [path, { length: sizeBytes, hashes: { sha256 }, ...facts }] as const;
  });
  return Object.fromEntries(rows);
}

function keyTable(signers: ReadonlyMap<StoreRole, Signer>, roles: readonly StoreRole[]): SignedJson {
  const keys = roles.flatMap((role) => signers.get(role) ?? []);
  return Object.fromEntries(keys.map(({ keyId, publicHex }) => [keyId, publicKeyJson(publicHex)]));
}

function keyIds(signers: ReadonlyMap<StoreRole, Signer>, role: StoreRole): readonly string[] {
  return [...signers].filter(([name]) => name === role).map(([, { keyId }]) => keyId);
}
