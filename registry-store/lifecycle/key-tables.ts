/**
 * Who may sign for whom, as metadata spells it: in root for the four top roles, in `targets` and `models` for the roles
 * they delegate to. Verified content in, edited content out; a key that no role uses any more leaves the table.
 */
import type { RoleKeys } from '../trust/role-keys.ts';
import { type Delegated, type KeySet, delegationJson, keyTable, keysJson } from './metadata-content.ts';
import { publicKeyOf } from './public-key.ts';
import type { SignedJson } from './signed-file.ts';

interface RoleJson {
  readonly keyids: readonly string[];
  readonly threshold: number;
}

interface DelegatedJson extends RoleJson {
  readonly name: string;
  readonly paths: readonly string[];
}

/** The keys this file gives to roles, by role; root gives to itself as well. */
export function keySetsOf(content: SignedJson): ReadonlyMap<string, KeySet> {
  const publicHexOf = publicKeysOf(content);
  const keySet = ({ keyids, threshold }: RoleJson): KeySet => ({
    threshold,
    keys: new Map(keyids.map((keyId) => [keyId, publicHexOf.get(keyId) ?? ''])),
  });
  if (content['_type'] === 'root') {
    const roles = content['roles'] as Readonly<Record<string, RoleJson>>;
    return new Map(Object.entries(roles).map(([role, json]) => [role, keySet(json)]));
  }
  return new Map(delegatedIn(content).map((json) => [json.name, keySet(json)]));
}

/** The content with other keys for some of the roles it gives keys to. */
export function withKeySets(content: SignedJson, changes: ReadonlyMap<string, KeySet>): SignedJson {
  const sets = new Map([...keySetsOf(content), ...changes]);
  const keys = keyTable([...sets.values()]);
  if (content['_type'] === 'root') {
    const before = content['roles'] as Readonly<Record<string, RoleJson>>;
    const roles = Object.entries(before).map(([role, json]) => [role, { ...json, ...spelled(sets, role) }]);
    return { ...content, keys, roles: Object.fromEntries(roles) as SignedJson };
  }
  const roles = delegatedIn(content).map((json) => ({ ...json, ...spelled(sets, json.name) }));
  return { ...content, delegations: { ...(content['delegations'] as SignedJson), keys, roles } };
}

/** The content with one more delegation, asked after those that are there. */
export function withDelegation(content: SignedJson, role: Delegated): SignedJson {
  const keys = keyTable([...keySetsOf(content).values(), role.keySet]);
  const roles = [...delegatedIn(content), delegationJson(role)];
  return { ...content, delegations: { ...(content['delegations'] as SignedJson | undefined), keys, roles } };
}

export function roleKeysOf(role: string, { threshold, keys }: KeySet): RoleKeys {
  const objects = [...keys].map(([keyId, publicHex]) => [keyId, publicKeyOf(publicHex)] as const);
  return { role, threshold, keys: new Map(objects) };
}

function spelled(sets: ReadonlyMap<string, KeySet>, role: string): SignedJson {
  const set = sets.get(role);
  return set === undefined ? {} : keysJson(set);
}

function delegatedIn(content: SignedJson): readonly DelegatedJson[] {
  const delegations = content['delegations'] as { readonly roles: readonly DelegatedJson[] } | undefined;
  return delegations?.roles ?? [];
}

function publicKeysOf(content: SignedJson): ReadonlyMap<string, string> {
  const holder = (content['_type'] === 'root' ? content : content['delegations']) as
    { readonly keys: Readonly<Record<string, { readonly keyval: { readonly public: string } }>> } | undefined;
  return new Map(Object.entries(holder?.keys ?? {}).map(([keyId, { keyval }]) => [keyId, keyval.public]));
}
