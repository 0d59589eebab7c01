/**
 * What tuf-js lets pass and should not, for repositories that are not stores of ours: those are held to one spelling
 * and one kind of key long before tuf-js sees them. Each guard stands against a trap that was found in its source.
 */
import { type Metadata, type Root, type Targets, MetadataKind, TargetFile } from '@tufjs/models';
import { refusal } from '../store-error.ts';

export type Delegator = Metadata<Root> | Metadata<Targets>;

/**
 * Enough different keys signed, not only enough key ids: two ids may stand for one key, and its holder would have two
 * votes. Call it after the reference has found the threshold met.
 */
export function guardSigners(
  delegator: Delegator,
  role: string,
  signed: Parameters<KeyOf['verifySignature']>[0],
): void {
  const { keyIds, threshold, keys } = signersOf(delegator, role);
  const signers = new Set<string>();
  for (const keyId of keyIds) {
    const key = keys[keyId];
    if (key !== undefined && hasSigned(key, signed)) signers.add(JSON.stringify(key.keyVal));
  }
  if (signers.size >= threshold) return;
  throw refusal(
    'signature',
    `${role} is signed by ${signers.size} different keys of the ${threshold} it needs.`,
  );
}

/** The key ids that a role has, for the floor that is bound to them. */
export function keyIdsOf(delegator: Delegator, role: string): readonly string[] {
  return [...signersOf(delegator, role).keyIds].sort();
}

/**
 * The file that a role lists under this name. Looked up as the role's own: `constructor` and its kin are properties of
 * every object. A target without a digest would be known by its length alone.
 */
export function ownTarget(targets: Targets, name: string): TargetFile | undefined {
  const target: unknown = Object.hasOwn(targets.targets, name) ? targets.targets[name] : undefined;
  if (!(target instanceof TargetFile)) return undefined;
  const { sha256, sha512 } = target.hashes;
  if (sha256 !== undefined || sha512 !== undefined) return target;
  throw refusal('metadata-form', `${name} is signed without a SHA-256 or SHA-512 digest.`);
}

type KeyOf = Root['keys'][string];

interface Signers {
  readonly keyIds: readonly string[];
  readonly threshold: number;
  readonly keys: Readonly<Record<string, KeyOf | undefined>>;
}

function signersOf(delegator: Delegator, role: string): Signers {
  const { signed } = delegator;
  if (signed.type === MetadataKind.Root) {
    const { roles, keys } = signed;
    const found = Object.hasOwn(roles, role) ? roles[role] : undefined;
    return { keyIds: found?.keyIDs ?? [], threshold: found?.threshold ?? Infinity, keys };
  }
  const { delegations } = signed;
  const named = delegations?.roles;
  const own = named !== undefined && Object.hasOwn(named, role) ? named[role] : undefined;
  const found = own ?? delegations?.succinctRoles;
  return {
    keyIds: found?.keyIDs ?? [],
    threshold: found?.threshold ?? Infinity,
    keys: delegations?.keys ?? {},
  };
}

function hasSigned(key: KeyOf, signed: Parameters<KeyOf['verifySignature']>[0]): boolean {
  try {
    key.verifySignature(signed);
    return true;
  } catch {
    return false;
  }
}
