/**
 * Puts other keys for roles in force so that at every moment, and after a crash at any of them, everything in the store
 * is signed by keys that count. For roles below `targets` that is one commit. A top role gets its keys from root, which
 * readers follow as soon as it is there, so that takes three steps:
 *
 *     1  a root that lets the old keys and the new ones sign      readers: either is good
 *     2  the role's file, signed anew with the new keys           readers: the same content
 *     3  a root that lets only the new keys sign                  readers: the old keys are worth nothing
 *
 * A change that was cut short after 1 or 2 is finished by asking for it again.
 */
import type { HistoryEvent, KeyChange } from '../manifest/change.ts';
import { withKeyEvent } from '../manifest/key-events.ts';
import type { LoadedStore } from '../storage/load-store.ts';
import { splitEnvelope } from '../trust/envelope.ts';
import { checkSignatures } from '../trust/role-keys.ts';
import { metadataFile } from '../trust/store-file.ts';
import { keySetsOf, roleKeysOf, withKeySets } from './key-tables.ts';
import { eventOf } from './manifest-file.ts';
import { type KeySet, nextIssue } from './metadata-content.ts';
import type { ChangeOptions } from './publisher-options.ts';
import { type SignedJson, requireSigners, signFile, signedJsonOf } from './signed-file.ts';
import type { Signer } from './signer.ts';
import type { StoreEditor } from './store-editor.ts';

/** Keys that roles are to have, by role. */
export type KeyPlan = ReadonlyMap<string, KeySet>;

/** The keys of every role, the four of root first. */
export function keySetsInForce(current: LoadedStore): ReadonlyMap<string, KeySet> {
  return new Map(['root', 'targets', 'models'].flatMap((role) => [...keySetsOf(contentOf(current, role))]));
}

export async function applyKeyPlan(
  editor: StoreEditor,
  plan: KeyPlan,
  options: ChangeOptions,
): Promise<void> {
  const top = keySetsOf(contentOf(editor.current, 'root'));
  const delegated = new Map([...plan].filter(([role]) => !top.has(role)));
  const own = new Map([...plan].filter(([role]) => top.has(role)));
  if (delegated.size > 0) await changeDelegated(editor, delegated, options);
  if (own.size > 0) await changeTop(editor, own, options);
}

/** Signs root anew when its time is half spent and enough of its keys are here; otherwise leaves it as it is. */
export async function renewRoot(editor: StoreEditor): Promise<void> {
  if (!editor.draft().isHalfSpent('root')) return;
  const keys = editor.current.metadata.root.roles.root;
  const signers = await requireSigners(editor.signers, keys).catch(() => undefined);
  if (signers !== undefined) await editor.commitRoot(await nextRoot(editor, (content) => content, signers));
}

async function changeDelegated(editor: StoreEditor, plan: KeyPlan, options: ChangeOptions): Promise<void> {
  const draft = editor.draft();
  const event = eventOf(editor, { action: 'keys', changes: keyChanges(editor.current, plan), options });
  for (const parent of ['targets', 'models']) {
    const below = keySetsOf(draft.contentOf(parent));
    const changes = new Map([...plan].filter(([role]) => below.has(role)));
    if (changes.size > 0) draft.edit(parent, (content) => withKeySets(content, changes));
  }
  draft.edit('targets', (content) => withKeyEvent(content, event));
  for (const [role, set] of plan) {
    draft.setKeys(roleKeysOf(role, set));
    if (!isSignedBy(editor.current, role, set)) draft.edit(role, (content) => content);
  }
  await editor.commit(draft, [], 'none');
}

async function changeTop(editor: StoreEditor, plan: KeyPlan, options: ChangeOptions): Promise<void> {
  const before = keySetsOf(contentOf(editor.current, 'root'));
  const changes = keyChanges(editor.current, plan);
  const resigned = [...plan].filter(
    ([role, set]) => role !== 'root' && !isSignedBy(editor.current, role, set),
  );
  if (resigned.length > 0) {
    const both = resigned.map(([role, set]) => [role, eitherOf(before.get(role) ?? set, set)] as const);
    await editor.commitRoot(await rootWith(editor, new Map(both)));
    const draft = editor.draft();
    for (const [role, set] of resigned) {
      draft.setKeys(roleKeysOf(role, set));
      draft.edit(role, (content) => content);
    }
    await editor.commit(draft, [], 'none');
  }
  const event = eventOf(editor, { action: 'keys', changes, options });
  await editor.commitRoot(await rootWith(editor, plan, event));
}

/** While files signed by either are about, neither may be refused. */
function eitherOf(before: KeySet, after: KeySet): KeySet {
  return {
    threshold: Math.min(before.threshold, after.threshold),
    keys: new Map([...before.keys, ...after.keys]),
  };
}

/** A next root is signed by those whom the old one trusts, and by those whom it trusts itself. */
async function rootWith(editor: StoreEditor, plan: KeyPlan, event?: HistoryEvent): Promise<Uint8Array> {
  const signers = new Map<string, Signer>();
  const ownKeys = editor.current.metadata.root.roles.root;
  const nextKeys = plan.get('root');
  const groups = [ownKeys, ...(nextKeys === undefined ? [] : [roleKeysOf('root', nextKeys)])];
  for (const keys of groups) {
    for (const signer of await requireSigners(editor.signers, keys)) signers.set(signer.keyId, signer);
  }
  const edit = (content: SignedJson): SignedJson => {
    const next = withKeySets(content, plan);
    return event === undefined ? next : withKeyEvent(next, event);
  };
  return nextRoot(editor, edit, [...signers.values()]);
}

function nextRoot(
  editor: StoreEditor,
  edit: (content: SignedJson) => SignedJson,
  signers: readonly Signer[],
): Promise<Uint8Array> {
  const content = contentOf(editor.current, 'root');
  return signFile({ ...edit(content), ...nextIssue(content, 'root', editor.nowMs) }, signers);
}

function keyChanges(current: LoadedStore, plan: KeyPlan): readonly KeyChange[] {
  const before = keySetsInForce(current);
  const changes: KeyChange[] = [];
  for (const [role, { keys, threshold }] of plan) {
    // A thousand models that follow `models` say nothing that it does not say.
    if (plan.has('models') && role.startsWith('models-')) continue;
    const had = before.get(role)?.keys ?? new Map<string, string>();
    const added = [...keys.keys()].filter((keyId) => !had.has(keyId));
    const removed = [...had.keys()].filter((keyId) => !keys.has(keyId));
    changes.push({ kind: 'keys', role, added, removed, threshold });
  }
  return changes;
}

function isSignedBy(current: LoadedStore, role: string, set: KeySet): boolean {
  const path = pathOf(current, role);
  const bytes = current.metadata.files.get(path) ?? new Uint8Array();
  const envelope = splitEnvelope(bytes, path);
  return envelope.ok && checkSignatures(envelope.value, roleKeysOf(role, set)).ok;
}

function contentOf(current: LoadedStore, role: string): SignedJson {
  const path = pathOf(current, role);
  return signedJsonOf(current.metadata.files.get(path) ?? new Uint8Array(), path);
}

function pathOf({ metadata }: LoadedStore, role: string): string {
  return metadataFile(role, metadata.roles.get(role)?.version ?? 0);
}
