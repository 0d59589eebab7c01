/** Signs the timestamp anew, and the snapshot once half its time is spent: what a machine does on a schedule. */
import { renewRoot } from './key-plan.ts';
import type { PublisherOptions } from './publisher-options.ts';
import { editStore } from './store-editor.ts';

export interface RefreshOptions extends PublisherOptions {
  /** Also signs anew every other role of which half the time is spent and whose keys are here. */
  readonly all?: boolean;
}

export interface RefreshReport {
  /** Revision of the store, which a refresh does not change. */
  readonly revision: number;
  /** Roles that were signed anew. */
  readonly renewed: readonly { readonly role: string; readonly version: number; readonly expires: string }[];
  /** Roles whose time is more than half spent and that were not signed anew. */
  readonly halfSpent: readonly { readonly role: string; readonly expires: string }[];
}

/** Needs the keys of timestamp and, when it is due, of snapshot. Codes: KEY_MISSING and those of `changeStore`. */
export function refreshStore(options: RefreshOptions): Promise<RefreshReport> {
  return editStore(options, async (editor) => {
    const before = editor.current.metadata.roles;
    const dueBefore = editor.draft();
    const due = [...before].filter(([role]) => dueBefore.isHalfSpent(role));
    if (options.all === true) await renewRoot(editor);
    const { snapshot, metadata } = await editor.commit(
      editor.draft(),
      [],
      options.all === true ? 'half-spent' : 'none',
    );
    const renewed = [...metadata.roles]
      .filter(([role, { version }]) => version !== before.get(role)?.version)
      .map(([role, { version, expires }]) => ({ role, version, expires }));
    const names = new Set(renewed.map(({ role }) => role));
    return {
      revision: snapshot.revision,
      renewed,
      halfSpent: due.filter(([role]) => !names.has(role)).map(([role, { expires }]) => ({ role, expires })),
    };
  });
}
