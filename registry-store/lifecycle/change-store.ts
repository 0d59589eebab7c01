/**
 * One change of a store that stands in its history, from lock to timestamp. What is done in between, and why a crash
 * leaves the state before or the state after, is in store-editor.ts.
 */
import type { LoadedStore } from '../storage/load-store.ts';
import { findModelRole, modelPaths, modelRoleName } from './model-role.ts';
import { renewRoot } from './key-plan.ts';
import { keySetsOf, withDelegation } from './key-tables.ts';
import { lifetimeSOf, withTargets } from './metadata-content.ts';
import type { MetadataDraft } from './metadata-draft.ts';
import type { PublisherOptions } from './publisher-options.ts';
import { type StoreEditor, editStore } from './store-editor.ts';
import type { NewFile, StoreChange } from './store-change.ts';

/**
 * Runs `decide` on the verified state under the lock and puts its change in force; undefined changes nothing.
 * Resolves with the state in force afterwards. Rejects with a StoreError, and then nothing went live.
 */
export function changeStore(
  options: PublisherOptions,
  decide: (
    current: LoadedStore,
    editor: StoreEditor,
  ) => StoreChange | undefined | Promise<StoreChange | undefined>,
): Promise<LoadedStore> {
  return editStore(options, async (editor) => {
    const change = await decide(editor.current, editor);
    if (change === undefined) return editor.current;
    await renewRoot(editor);
    const draft = editor.draft();
    for (const [role, files] of filesByRole(draft, { files: change.put, current: editor.current })) {
      const targets = files.map(({ target }) => target);
      draft.edit(role, (content) => withTargets(content, targets));
    }
    return editor.commit(draft, change.put);
  });
}

function filesByRole(
  draft: MetadataDraft,
  change: { readonly files: readonly NewFile[]; readonly current: LoadedStore },
): ReadonlyMap<string, readonly NewFile[]> {
  const byRole = new Map<string, NewFile[]>();
  for (const file of change.files) {
    const [family = '', model = ''] = file.target.path.split('/');
    const role = family === 'models' ? roleOfModel(draft, { model, current: change.current }) : family;
    byRole.set(role, [...(byRole.get(role) ?? []), file]);
  }
  return byRole;
}

/** The role of a model; a model that is new gets one, with the keys of `models`. */
function roleOfModel(
  draft: MetadataDraft,
  { model, current }: { readonly model: string; readonly current: LoadedStore },
): string {
  const found = findModelRole(current.metadata, model);
  if (found !== undefined) return found;
  const name = modelRoleName(model);
  const keySet = keySetsOf(draft.contentOf('targets')).get('models');
  if (keySet === undefined) throw new Error('targets delegates to no role for models');
  draft.addRole(
    name,
    { ...draft.keysOf('models'), role: name },
    lifetimeSOf(draft.contentOf('models'), name),
  );
  draft.edit('models', (content) => withDelegation(content, { name, paths: modelPaths(model), keySet }));
  return name;
}
