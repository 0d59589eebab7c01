/**
 * What the metadata files of a new store say, and what the next version of each says: pure values in, JSON out.
 * Content of an existing file is taken over as it is, so that nothing a later release added gets lost.
 */
import { sha256Of } from '../trust/artifact-digest.ts';
import { publicKeyJson } from '../trust/role-keys.ts';
import type { FilePin, SignedTarget } from '../trust/signed-content.ts';
import { timeText } from '../storage/verified-metadata.ts';
import { type StoreRole, lifetimesS, storeRoles } from './lifetimes.ts';
import type { SignedJson } from './signed-file.ts';

export { type StoreRole, storeRoles };

/** How long each file is to be believed. TUF lets us keep the number beside what it knows. */
export const lifetimeField = 'x-tidegate-lifetime-s';

const specVersion = '1.0.31';

export interface Issue {
  readonly version: number;
  /** `YYYY-MM-DDThh:mm:ssZ` */
  readonly expires: string;
}

/** Keys that speak for a role, and how many of them it takes. */
export interface KeySet {
  readonly threshold: number;
  /** Public keys in hex, by key id. */
  readonly keys: ReadonlyMap<string, string>;
}

/** The first issue of a role. */
export function firstContent(type: string, issue: Issue, lifetimeS: number): SignedJson {
  return { _type: type, spec_version: specVersion, ...issue, [lifetimeField]: lifetimeS };
}

/** Lifetime of a file, seconds: what it says itself, or what its role is made with by default. */
export function lifetimeSOf(content: SignedJson, role: string): number {
  const own = content[lifetimeField];
  if (typeof own === 'number' && Number.isSafeInteger(own) && own > 0) return own;
  return lifetimesS('local')[familyRole(role)];
}

export function nextIssue(content: SignedJson, role: string, nowMs: number): Issue {
  const expires = timeText(nowMs + lifetimeSOf(content, role) * 1000);
  return { version: Number(content['version']) + 1, expires };
}

/** Per-model roles live as long as the role they are one of. */
export function familyRole(role: string): StoreRole {
  return storeRoles.find((known) => known === role.split('-', 1)[0]) ?? 'models';
}

export function rootContent(head: SignedJson, keySets: ReadonlyMap<StoreRole, KeySet>): SignedJson {
  const roles = ['root', 'timestamp', 'snapshot', 'targets'] as const;
  const sets = roles.map((role) => [role, keySets.get(role) ?? { threshold: 1, keys: new Map() }] as const);
  return {
    ...head,
    consistent_snapshot: true,
    keys: keyTable(sets.map(([, set]) => set)),
    roles: Object.fromEntries(sets.map(([role, set]) => [role, keysJson(set)])),
  };
}

/** The top targets role: lists nothing itself, says who speaks for models and who for deployments. */
export function topTargetsContent(head: SignedJson, keySets: ReadonlyMap<StoreRole, KeySet>): SignedJson {
  const delegate = (role: StoreRole, paths: readonly string[]): Delegated => ({
    name: role,
    paths,
    keySet: keySets.get(role) ?? { threshold: 1, keys: new Map() },
  });
  return {
    ...targetsContent(head, []),
    delegations: delegationsJson([
      delegate('models', ['models/*/*/*']),
      delegate('deployments', ['deployments/*', 'deployments/*/*']),
    ]),
  };
}

export interface Delegated {
  readonly name: string;
  readonly paths: readonly string[];
  readonly keySet: KeySet;
}

export function delegationsJson(roles: readonly Delegated[]): SignedJson {
  return { keys: keyTable(roles.map(({ keySet }) => keySet)), roles: roles.map(delegationJson) };
}

/** Terminating: nobody else is asked about these paths. */
export function delegationJson({ name, paths, keySet }: Delegated): SignedJson {
  return { name, paths, terminating: true, ...keysJson(keySet) };
}

export function targetsContent(head: SignedJson, targets: readonly SignedTarget[]): SignedJson {
  return { ...head, targets: targetTable(targets) };
}

/** A targets role with some targets added or replaced. */
export function withTargets(content: SignedJson, put: readonly SignedTarget[]): SignedJson {
  return { ...content, targets: { ...(content['targets'] as SignedJson), ...targetTable(put) } };
}

export function snapshotMeta(files: ReadonlyMap<string, FilePin>): SignedJson {
  return Object.fromEntries([...files].map(([role, pin]) => [`${role}.json`, pinJson(pin)]));
}

export function timestampMeta(snapshot: FilePin): SignedJson {
  return { 'snapshot.json': pinJson(snapshot) };
}

export function pinOf(version: number, bytes: Uint8Array): FilePin {
  return { version, sizeBytes: bytes.byteLength, sha256: sha256Of(bytes) };
}

export function keysJson({ keys, threshold }: KeySet): SignedJson {
  return { keyids: [...keys.keys()].sort(), threshold };
}

export function keyTable(sets: readonly KeySet[]): SignedJson {
  const keys = sets.flatMap((set) => [...set.keys]);
  return Object.fromEntries(keys.map(([keyId, publicHex]) => [keyId, publicKeyJson(publicHex)]));
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
