/**
 * The roles below the snapshot: `targets`, and everyone it delegates to. The snapshot names the bytes of each, so all
 * of them can be read side by side, and one whose bytes and keys are known already is neither read nor verified again.
 */
import { accept, refusal } from '../store-error.ts';
import { isPinned } from '../trust/artifact-digest.ts';
import { delegationDepthMax, familyOf } from '../trust/delegation.ts';
import type { RoleKeys } from '../trust/role-keys.ts';
import {
  type Delegation,
  type FilePin,
  type SignedSnapshot,
  type SignedTargets,
  parseTargets,
} from '../trust/signed-content.ts';
import { bytesMaxOf, metadataFile } from '../trust/store-file.ts';
import type { TargetsBytes } from './reference-verifier.ts';
import type { StoreSource } from './store-source.ts';
import { type VerifiedMetadata, type VerifiedRole, signedBytes } from './verified-metadata.ts';

/** Files read at the same time: enough to hide the way to a file server, few enough not to be a burden to it. */
const readsMax = 8;

export class TargetsReader {
  readonly #options: {
    readonly source: StoreSource;
    readonly snapshot: SignedSnapshot;
    readonly known: VerifiedMetadata | undefined;
  };
  readonly roles: Map<string, VerifiedRole> = new Map();
  readonly files: Map<string, Uint8Array> = new Map();
  readonly listedBy: Map<string, SignedTargets> = new Map();
  /** What changed, with every role that leads to it; parents before their children. */
  readonly chain: TargetsBytes[] = [];

  constructor(options: {
    readonly source: StoreSource;
    readonly snapshot: SignedSnapshot;
    readonly known: VerifiedMetadata | undefined;
  }) {
    this.#options = options;
  }

  /** Reads and verifies `targets` and all below it; returns what `targets` says. */
  async readAll(keys: RoleKeys): Promise<SignedTargets> {
    await this.#readFiles();
    const top = this.#verify('targets', keys).targets;
    if (top.targets.size > 0) {
      throw refusal('delegation', 'The role targets lists files itself; it may only delegate.');
    }
    const below = this.#readDelegated('targets', top.delegations, 1);
    this.chain.push(this.#bytesOf('targets', 'root'), ...below);
    return top;
  }

  /** Whatever the snapshot names and is not known: its bytes are bounded by what the snapshot says of them. */
  async #readFiles(): Promise<void> {
    const { source, snapshot, known } = this.#options;
    const missing: (readonly [string, string, FilePin])[] = [];
    for (const [role, pin] of snapshot.files) {
      const path = metadataFile(role, pin.version);
      const bytes = isSamePin(known?.roles.get(role)?.pin, pin) ? known?.files.get(path) : undefined;
      if (bytes === undefined) missing.push([role, path, pin]);
      else this.files.set(path, bytes);
    }
    const queue = missing.values();
    const readNext = async (): Promise<void> => {
      for (const [role, path, pin] of queue) {
        const bytes = await source.read(path, Math.min(bytesMaxOf(role), pin.sizeBytes));
        if (bytes !== undefined) this.files.set(path, bytes);
      }
    };
    await Promise.all(Array.from({ length: readsMax }, readNext));
  }

  /** Returns the files that lead to a change, for the second opinion. */
  #readDelegated(parent: string, delegations: readonly Delegation[], depth: number): readonly TargetsBytes[] {
    const chain: TargetsBytes[] = [];
    for (const { name, keys } of delegations) {
      const isTaken = this.roles.has(name);
      const problem = delegationProblem({ parent, name, depth, isTaken });
      if (problem !== undefined) throw refusal('delegation', problem);
      const { targets, isKnown } = this.#verify(name, keys);
      this.listedBy.set(name, targets);
      const below = this.#readDelegated(name, targets.delegations, depth + 1);
      if (!isKnown || below.length > 0) chain.push(this.#bytesOf(name, parent), ...below);
    }
    return chain;
  }

  #verify(role: string, keys: RoleKeys): { readonly targets: SignedTargets; readonly isKnown: boolean } {
    const { snapshot, known } = this.#options;
    const pin = snapshot.files.get(role);
    if (pin === undefined) throw refusal('mix-and-match', `The snapshot does not list ${role}.`);
    const before = known?.roles.get(role);
    const listed = known?.listedBy.get(role);
    if (
      before !== undefined &&
      listed !== undefined &&
      isSamePin(before.pin, pin) &&
      hasSameKeys(before.keys, keys)
    ) {
      this.roles.set(role, before);
      return { targets: listed, isKnown: true };
    }
    const path = metadataFile(role, pin.version);
    const bytes = this.files.get(path);
    if (bytes === undefined) throw refusal('file-present', `${path} is missing.`);
    const signed = signedBytes(bytes, keys, path);
    if (!isPinned(bytes, pin)) {
      throw refusal('mix-and-match', `${path} is not the file that the snapshot names.`);
    }
    const targets = accept(parseTargets(signed, path));
    if (targets.version !== pin.version) {
      throw refusal('mix-and-match', `${path} says it is version ${targets.version}.`);
    }
    this.roles.set(role, { version: targets.version, expires: targets.expires, keys, pin });
    return { targets, isKnown: false };
  }

  #bytesOf(role: string, parent: string): TargetsBytes {
    const path = metadataFile(role, this.roles.get(role)?.pin?.version ?? 0);
    return { role, parent, bytes: this.files.get(path) ?? new Uint8Array() };
  }
}

function isSamePin(one: FilePin | undefined, other: FilePin): boolean {
  return one?.version === other.version && one.sizeBytes === other.sizeBytes && one.sha256 === other.sha256;
}

function hasSameKeys(one: RoleKeys, other: RoleKeys): boolean {
  if (one.threshold !== other.threshold || one.keys.size !== other.keys.size) return false;
  return [...one.keys.keys()].every((keyId) => other.keys.has(keyId));
}

/** The name of a role binds it to what its parent speaks for, so a wrong delegation cannot reach across. */
function delegationProblem(link: {
  readonly parent: string;
  readonly name: string;
  readonly depth: number;
  readonly isTaken: boolean;
}): string | undefined {
  const { parent, name, depth, isTaken } = link;
  if (depth > delegationDepthMax) return `The role ${parent} delegates further than a store needs.`;
  if (isTaken) return `Two roles delegate to ${name}.`;
  const isWithin = parent === 'targets' || name.startsWith(`${familyOf(parent)}-`);
  return isWithin ? undefined : `The role ${parent} delegates to ${name}, which is not its own.`;
}
