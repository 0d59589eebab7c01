/**
 * The metadata files of the next state, in the making: roles are edited, then everything that changed is signed, roles
 * whose time is half spent along with it, then snapshot and timestamp over them. Nothing is written here.
 */
import { isStoreError } from '../store-error.ts';
import { type VerifiedMetadata, type VerifiedRole, timeText } from '../storage/verified-metadata.ts';
import type { RoleKeys } from '../trust/role-keys.ts';
import type { FilePin } from '../trust/signed-content.ts';
import { metadataFile, timestampFile } from '../trust/store-file.ts';
import {
  type Issue,
  firstContent,
  lifetimeSOf,
  nextIssue,
  pinOf,
  snapshotMeta,
  targetsContent,
  timestampMeta,
} from './metadata-content.ts';
import { type SignedJson, requireSigners, signFile, signedJsonOf } from './signed-file.ts';
import type { Signer, SignerProvider } from './signer.ts';

/** In the order in which they are written: the snapshot last but one, the timestamp last. */
export type MetadataFiles = ReadonlyMap<string, Uint8Array>;

export interface RenewedRole {
  readonly role: string;
  readonly version: number;
  readonly expires: string;
}

export interface SignOptions {
  readonly provider: SignerProvider;
  /** `half-spent`: also roles that nobody edited, when their keys are here. `none`: only what has to be. */
  readonly renew: 'half-spent' | 'none';
}

/** By file: reading a thousand files again with every publish, only to see that their time has not come, takes longer. */
const knownLifetimesS = new WeakMap<Uint8Array, number>();

export class MetadataDraft {
  readonly #current: VerifiedMetadata;
  readonly #nowMs: number;
  /** Contents that get a new issue; of roles that are there and of new ones. */
  readonly #edited = new Map<string, SignedJson>();
  readonly #keys = new Map<string, RoleKeys>();
  /** What was signed; filled by `sign`. */
  readonly renewed: RenewedRole[] = [];

  constructor(current: VerifiedMetadata, nowMs: number) {
    this.#current = current;
    this.#nowMs = nowMs;
  }

  /** What the role says, edits included. */
  contentOf(role: string): SignedJson {
    return this.#edited.get(role) ?? this.#currentContent(role);
  }

  /** Gives the role a new issue with this content. */
  edit(role: string, change: (content: SignedJson) => SignedJson): void {
    this.#edited.set(role, change(this.contentOf(role)));
  }

  /** A targets role that nobody has yet; its delegation has to be edited in as well. */
  addRole(name: string, keys: RoleKeys, lifetimeS: number): void {
    const issue = { version: 0, expires: timeText(this.#nowMs) };
    this.#edited.set(name, targetsContent(firstContent('targets', issue, lifetimeS), []));
    this.#keys.set(name, keys);
  }

  /** Keys that the next state gives a role. The role has to be edited too, or its file would not verify any more. */
  setKeys(keys: RoleKeys): void {
    this.#keys.set(keys.role, keys);
  }

  keysOf(role: string): RoleKeys {
    return this.#keys.get(role) ?? this.#roleOf(role).keys;
  }

  async sign(options: SignOptions): Promise<MetadataFiles> {
    const files = new Map<string, Uint8Array>();
    const pins = new Map<string, FilePin>();
    const names = [...new Set([...this.#targetsRoles(), ...this.#edited.keys()])];
    for (const name of names.filter((role) => role !== 'snapshot' && role !== 'timestamp')) {
      const signers = await this.#signersFor(name, options);
      const next = signers === undefined ? undefined : await this.#issue(name, this.contentOf(name), signers);
      if (next !== undefined) files.set(next.path, next.bytes);
      pins.set(name, next?.pin ?? this.#pinOf(name));
    }
    const snapshot = await this.#signSnapshot(pins, { ...options, isChanged: files.size > 0 });
    if (snapshot.bytes !== undefined) files.set(snapshot.path, snapshot.bytes);
    const signers = await requireSigners(options.provider, this.keysOf('timestamp'));
    const content = { ...this.contentOf('timestamp'), meta: timestampMeta(snapshot.pin) };
    files.set(timestampFile, (await this.#issue('timestamp', content, signers)).bytes);
    return files;
  }

  /** More than half of the lifetime is behind it. */
  isHalfSpent(role: string): boolean {
    const bytes = this.#fileOf(metadataFile(role, this.#roleOf(role).version));
    const lifetimeS = knownLifetimesS.get(bytes) ?? lifetimeSOf(this.#currentContent(role), role);
    knownLifetimesS.set(bytes, lifetimeS);
    return this.#roleOf(role).expires < timeText(this.#nowMs + lifetimeS * 500);
  }

  async #signSnapshot(
    pins: ReadonlyMap<string, FilePin>,
    options: SignOptions & { readonly isChanged: boolean },
  ): Promise<{ readonly path: string; readonly pin: FilePin; readonly bytes?: Uint8Array }> {
    const isDue = options.isChanged || this.#edited.has('snapshot') || this.isHalfSpent('snapshot');
    if (isDue) {
      const signers = await requireSigners(options.provider, this.keysOf('snapshot'));
      return this.#issue('snapshot', { ...this.contentOf('snapshot'), meta: snapshotMeta(pins) }, signers);
    }
    const { version } = this.#roleOf('snapshot');
    const path = metadataFile('snapshot', version);
    return { path, pin: pinOf(version, this.#fileOf(path)) };
  }

  /** Undefined when the role stays as it is. */
  async #signersFor(name: string, options: SignOptions): Promise<readonly Signer[] | undefined> {
    if (this.#edited.has(name)) return requireSigners(options.provider, this.keysOf(name));
    if (options.renew === 'none' || !this.isHalfSpent(name)) return undefined;
    try {
      return await requireSigners(options.provider, this.keysOf(name));
    } catch (error) {
      // Renewal is a courtesy: a publisher without the key of the other role leaves it as it is.
      if (isStoreError(error)) return undefined;
      throw error;
    }
  }

  async #issue(
    role: string,
    content: SignedJson,
    signers: readonly Signer[],
  ): Promise<{ readonly path: string; readonly pin: FilePin; readonly bytes: Uint8Array }> {
    const issue: Issue = nextIssue(content, role, this.#nowMs);
    const bytes = await signFile({ ...content, ...issue }, signers);
    this.renewed.push({ role, ...issue });
    return { path: metadataFile(role, issue.version), pin: pinOf(issue.version, bytes), bytes };
  }

  /** Roles that list files or delegate: everything below the snapshot. */
  #targetsRoles(): readonly string[] {
    const above = new Set(['root', 'timestamp', 'snapshot']);
    return [...this.#current.roles.keys()].filter((name) => !above.has(name));
  }

  #currentContent(role: string): SignedJson {
    const path = metadataFile(role, this.#roleOf(role).version);
    return signedJsonOf(this.#fileOf(path), path);
  }

  #pinOf(role: string): FilePin {
    const { pin, version } = this.#roleOf(role);
    return pin ?? pinOf(version, this.#fileOf(metadataFile(role, version)));
  }

  #roleOf(name: string): VerifiedRole {
    const role = this.#current.roles.get(name);
    if (role === undefined) throw new Error(`${name} was not verified`);
    return role;
  }

  #fileOf(path: string): Uint8Array {
    const bytes = this.#current.files.get(path);
    if (bytes === undefined) throw new Error(`${path} was not read`);
    return bytes;
  }
}
