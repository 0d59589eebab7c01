/**
 * A client for any TUF repository, in the order of the specification (5.3 to 5.7): the fetcher, the durable cache, the
 * version floor and the guards of a serving node around the reference implementation's rules. Our own stores are read
 * more strictly, by metadata-chain.ts; this is for repositories that others made, and for the conformance suite of TUF.
 */
import type { Metadata, TargetFile, Targets } from '@tufjs/models';
import { roleNameRule } from '../manifest/names.ts';
import { accept, isStoreError, refusal } from '../store-error.ts';
import { parseUnambiguousJson } from '../trust/json-keys.ts';
import { metadataBytesMax } from '../trust/store-file.ts';
import { type FloorEntry, type VersionFloor, checkFloor, raisedFloor } from '../trust/version-floor.ts';
import type { HttpClient } from './http-request.ts';
import { whole } from './http-source.ts';
import { ReferenceVerifier } from './reference-verifier.ts';
import type { TufFolder } from './tuf-folder.ts';
import { type Delegator, guardSigners, keyIdsOf, ownTarget } from './tuf-guards.ts';

export interface TufClientOptions {
  readonly folder: TufFolder;
  /** Where `timestamp.json` is found. */
  readonly metadataUrl: string;
  readonly http: HttpClient;
  readonly nowMs: number;
}

/** As tuf-js has them: more is an endless chain. */
const rootRotationsMax = 256;
const rolesVisitedMax = 32;

/** One refresh, and look-ups in what it brought. Make a new one for the next. */
export class TufClient {
  readonly #options: TufClientOptions;
  readonly #reference: ReferenceVerifier;
  readonly #floor: VersionFloor;
  readonly #found = new Map<string, FloorEntry>();

  private constructor(options: TufClientOptions, reference: ReferenceVerifier, floor: VersionFloor) {
    this.#options = options;
    this.#reference = reference;
    this.#floor = floor;
  }

  /** From the root that is trusted on this machine; a damaged copy of it falls back to the pinned one and the floor. */
  static async open(options: TufClientOptions): Promise<TufClient> {
    const { folder, nowMs } = options;
    const floor = await folder.floor();
    for (const bytes of [await folder.role('root'), await folder.pinnedRoot()]) {
      const reference = bytes && attempt(() => verifierFrom(bytes, nowMs));
      if (reference !== undefined) return new TufClient(options, reference, floor);
    }
    throw refusal('pinned-root', `There is no root of trust in ${folder.path}. Give it one with init.`);
  }

  /** Whether files are stored with a digest before their name. */
  get isConsistent(): boolean {
    return this.#reference.root.signed.consistentSnapshot;
  }

  /** Root, timestamp, snapshot and targets. What was accepted is kept, also when a later step fails. */
  async refresh(): Promise<void> {
    try {
      await this.#updateRoot();
      await this.#updateTimestamp();
      await this.#updateSnapshot();
      await this.#loadTargets('targets', 'root');
    } finally {
      await this.#options.folder.keepFloor(raisedFloor(this.#floor, this.#found));
    }
  }

  /** What the most trusted role says of this file; undefined when none that may speak for it lists it. */
  async findTarget(name: string): Promise<TargetFile | undefined> {
    const waiting: (readonly [role: string, parent: string])[] = [['targets', 'root']];
    const visited = new Set<string>();
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [role, parent] = next;
      if (visited.has(role)) continue;
      if (visited.size > rolesVisitedMax) return undefined;
      visited.add(role);
      const { signed } = await this.#loadTargets(role, parent);
      const target = ownTarget(signed, name);
      if (target !== undefined) return target;
      const below = delegatesFor(signed, name);
      // Whoever a terminating role was given to is the last to be asked.
      if (below.isTerminated) waiting.length = 0;
      waiting.push(...below.roles.map((child) => [child, role] as const).reverse());
    }
    return undefined;
  }

  async #updateRoot(): Promise<void> {
    const reference = this.#reference;
    for (let rotations = 0; rotations < rootRotationsMax; rotations++) {
      const before = reference.root;
      const bytes = await this.#fetch(`${before.signed.version + 1}.root.json`, metadataBytesMax.root);
      if (bytes === undefined) {
        this.#note('root', { delegator: before, version: before.signed.version });
        return;
      }
      reference.updateRoot(bytes);
      guardSigners(before, 'root', reference.root);
      guardSigners(reference.root, 'root', reference.root);
      await this.#options.folder.keepRole('root', bytes);
    }
    throw refusal('root-chain', `The repository has more than ${rootRotationsMax} newer roots.`);
  }

  async #updateTimestamp(): Promise<void> {
    const { root } = this.#reference;
    await this.#tryKept('timestamp', (kept) => this.#reference.updateTimestamp(kept));
    const bytes = await this.#fetchPresent('timestamp.json', metadataBytesMax.timestamp);
    const isNew = this.#reference.updateTimestamp(bytes);
    const timestamp = required(this.#reference.timestamp);
    guardSigners(root, 'timestamp', timestamp);
    this.#note('timestamp', { delegator: root, version: timestamp.signed.version });
    if (isNew) await this.#options.folder.keepRole('timestamp', bytes);
  }

  async #updateSnapshot(): Promise<void> {
    const { root } = this.#reference;
    const { version, length } = required(this.#reference.timestamp).signed.snapshotMeta;
    const isKept = await this.#tryKept('snapshot', (kept) => {
      this.#reference.updateSnapshot(kept, 'accepted before');
    });
    const bytes = isKept
      ? undefined
      : await this.#fetchPresent(this.#fileName('snapshot', version), length ?? metadataBytesMax.snapshot);
    if (bytes !== undefined) this.#reference.updateSnapshot(bytes);
    const snapshot = required(this.#reference.snapshot);
    guardSigners(root, 'snapshot', snapshot);
    this.#note('snapshot', { delegator: root, version: snapshot.signed.version });
    if (bytes !== undefined) await this.#options.folder.keepRole('snapshot', bytes);
  }

  async #loadTargets(role: string, parent: string): Promise<Metadata<Targets>> {
    const delegator = parent === 'root' ? this.#reference.root : required(this.#reference.targets(parent));
    const known = this.#reference.targets(role);
    if (known !== undefined) {
      // One role may be delegated to by several, and each of them must trust these signers.
      this.#reference.confirmSigners(delegator, role, known);
      guardSigners(delegator, role, known);
      return known;
    }
    const bytes = await this.#freshTargets(role, parent);
    const loaded = required(this.#reference.targets(role));
    guardSigners(delegator, role, loaded);
    this.#note(role, { delegator, version: loaded.signed.version });
    if (bytes !== undefined) await this.#options.folder.keepRole(role, bytes);
    return loaded;
  }

  /** Takes over the kept file when it is the one in force; otherwise fetches that one and returns its bytes. */
  async #freshTargets(role: string, parent: string): Promise<Uint8Array | undefined> {
    const isKept = await this.#tryKept(role, (kept) => {
      this.#reference.updateTargets(kept, role, parent);
    });
    if (isKept) return undefined;
    const { meta } = required(this.#reference.snapshot).signed;
    const pin = Object.hasOwn(meta, `${role}.json`) ? meta[`${role}.json`] : undefined;
    if (pin === undefined) throw refusal('mix-and-match', `The snapshot does not list ${role}.`);
    const bytesMax = pin.length ?? metadataBytesMax.targets;
    const bytes = await this.#fetchPresent(this.#fileName(role, pin.version), bytesMax);
    this.#reference.updateTargets(bytes, role, parent);
    return bytes;
  }

  /** Old metadata may have expired or have been signed with keys that are retired by now; then it is fetched anew. */
  async #tryKept(role: string, update: (kept: Uint8Array) => unknown): Promise<boolean> {
    const kept = await this.#options.folder.role(role);
    if (kept === undefined) return false;
    try {
      update(kept);
      return true;
    } catch (error) {
      if (isStoreError(error)) return false;
      throw error;
    }
  }

  async #fetchPresent(name: string, bytesMax: number): Promise<Uint8Array> {
    const bytes = await this.#fetch(name, bytesMax);
    if (bytes === undefined) throw refusal('file-present', `${name} is missing.`);
    return bytes;
  }

  async #fetch(name: string, bytesMax: number): Promise<Uint8Array | undefined> {
    const { http, metadataUrl } = this.#options;
    const base = metadataUrl.endsWith('/') ? metadataUrl : `${metadataUrl}/`;
    const answer = await http.get(new URL(name, base), {});
    if (answer === undefined) return undefined;
    const bytes = await whole(answer, { path: name, bytesMax });
    accept(parseUnambiguousJson(bytes, name));
    return bytes;
  }

  #fileName(role: string, version: number): string {
    const file = `${encodeURIComponent(role)}.json`;
    return this.isConsistent ? `${version}.${file}` : `./${file}`;
  }

  /** Rollback, also when the copy of what was accepted before is lost or damaged. */
  #note(role: string, found: { readonly delegator: Delegator; readonly version: number }): void {
    if (!isNameOfFloor(role)) return;
    const entry = { version: found.version, keyIds: keyIdsOf(found.delegator, role) };
    accept(checkFloor(this.#floor, new Map([...this.#found, [role, entry]])));
    this.#found.set(role, entry);
  }
}

/** The floor keeps roles under plain names; the snapshot protects the others. */
function isNameOfFloor(role: string): boolean {
  return role.length <= roleNameRule.lengthMax && roleNameRule.pattern?.test(role) === true;
}

function verifierFrom(root: Uint8Array, nowMs: number): ReferenceVerifier {
  accept(parseUnambiguousJson(root, 'the root of trust'));
  const reference = new ReferenceVerifier(root, nowMs);
  guardSigners(reference.root, 'root', reference.root);
  return reference;
}

function delegatesFor(
  { delegations }: Targets,
  name: string,
): { readonly roles: readonly string[]; readonly isTerminated: boolean } {
  const roles: string[] = [];
  for (const { role, terminating } of delegations?.rolesForTarget(name) ?? []) {
    // The reference keeps roles in a plain object, where these names stand for something else.
    if (role in {}) throw refusal('metadata-form', `A role cannot be called ${role}.`);
    roles.push(role);
    if (terminating) return { roles, isTerminated: true };
  }
  return { roles, isTerminated: false };
}

/** The value of what refuses nothing; other errors than refusals are faults and go on. */
function attempt<Value>(run: () => Value): Value | undefined {
  try {
    return run();
  } catch (error) {
    if (isStoreError(error)) return undefined;
    throw error;
  }
}

/** For what the step before has just taken over. */
function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the reference did not keep what it accepted');
  return value;
}
