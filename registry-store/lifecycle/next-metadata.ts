/**
 * The metadata files of the next state: the role that changes, roles whose time is half spent, then snapshot and
 * timestamp over them. Nothing is written here.
 */
import { type VerifiedMetadata, type VerifiedRole, timeText } from '../storage/metadata-chain.ts';
import type { FilePin } from '../trust/signed-content.ts';
import { metadataFile, timestampFile } from '../trust/store-file.ts';
import { type Signer, findSigner, requireSigner } from './key-folder.ts';
import {
  type Issue,
  type StoreRole,
  lifetimeMs,
  nextTargetsContent,
  pinOf,
  snapshotContent,
  storeRoles,
  timestampContent,
} from './metadata-content.ts';
import { signFile, signedJsonOf } from './signed-file.ts';
import type { StoreChange } from './store-change.ts';

export interface NextOptions {
  readonly change: StoreChange;
  readonly keysFolder: string;
  readonly nowMs: number;
}

/** By path in the store. */
export async function buildNextFiles(
  current: VerifiedMetadata,
  options: NextOptions,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { change, keysFolder, nowMs } = options;
  const files = new Map<string, Uint8Array>();
  const pins = new Map<string, FilePin>();
  for (const [name, role] of targetsRoles(current)) {
    const path = metadataFile(name, role.version);
    const bytes = fileOf(current, path);
    const signer = await signerFor(name, role, options);
    if (signer === undefined) {
      pins.set(name, pinOf(role.version, bytes));
      continue;
    }
    const issue = nextIssue(name, role, nowMs);
    const put = name === change.role ? change.put.map(({ target }) => target) : [];
    const next = signFile(nextTargetsContent(signedJsonOf(bytes, path), issue, put), [signer]);
    files.set(metadataFile(name, issue.version), next);
    pins.set(name, pinOf(issue.version, next));
  }
  const snapshotRole = roleOf(current, 'snapshot');
  const snapshotIssue = nextIssue('snapshot', snapshotRole, nowMs);
  const snapshotSigner = await requireSigner(keysFolder, snapshotRole.keys);
  const snapshot = signFile(snapshotContent(snapshotIssue, pins), [snapshotSigner]);
  files.set(metadataFile('snapshot', snapshotIssue.version), snapshot);

  const timestampRole = roleOf(current, 'timestamp');
  const timestampIssue = nextIssue('timestamp', timestampRole, nowMs);
  const timestampSigner = await requireSigner(keysFolder, timestampRole.keys);
  const content = timestampContent(timestampIssue, pinOf(snapshotIssue.version, snapshot));
  files.set(timestampFile, signFile(content, [timestampSigner]));
  return files;
}

/** The signer of a role that gets a new version; undefined when the current one stays. */
async function signerFor(
  name: string,
  role: VerifiedRole,
  options: NextOptions,
): Promise<Signer | undefined> {
  if (name === options.change.role) return requireSigner(options.keysFolder, role.keys);
  const halfSpent = timeText(options.nowMs + lifetimeOf(name) / 2);
  // Renewal is a courtesy: a publisher without the key of the other role leaves it as it is.
  return role.expires < halfSpent ? findSigner(options.keysFolder, role.keys) : undefined;
}

function nextIssue(name: string, role: VerifiedRole, nowMs: number): Issue {
  return { version: role.version + 1, expires: timeText(nowMs + lifetimeOf(name)) };
}

/** Roles that list files or delegate: everything below the snapshot. */
function targetsRoles(current: VerifiedMetadata): readonly (readonly [string, VerifiedRole])[] {
  return [...current.roles].filter(([name]) => !['root', 'timestamp', 'snapshot'].includes(name));
}

/** Team roles such as `models-vision` live as long as the role they are one of. */
function lifetimeOf(name: string): number {
  const kind: StoreRole | undefined = storeRoles.find((role) => role === name.split('-', 1)[0]);
  return lifetimeMs[kind ?? 'models'];
}

function roleOf(current: VerifiedMetadata, name: string): VerifiedRole {
  const role = current.roles.get(name);
  if (role === undefined) throw new Error(`${name} was not verified`);
  return role;
}

function fileOf(current: VerifiedMetadata, path: string): Uint8Array {
  const bytes = current.files.get(path);
  if (bytes === undefined) throw new Error(`${path} was not read`);
  return bytes;
}
