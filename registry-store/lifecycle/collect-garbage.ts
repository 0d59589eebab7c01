/** Removes what no kept metadata lists: artifacts nobody references, drafts, superseded metadata. */
import { StoreError } from '../store-error.ts';
import type { PublisherOptions } from './publisher-options.ts';
import { editStore } from './store-editor.ts';
import { sweepFolder } from './sweep-folder.ts';

export interface GcOptions extends PublisherOptions {
  /** Only say what would go. */
  readonly dryRun?: boolean;
  /** Superseded versions of each role that stay for readers in the middle of a refresh. Default 8. */
  readonly keepSuperseded?: number;
}

export interface GcReport {
  /** Paths in the store that were removed, or would be. */
  readonly removed: readonly { readonly path: string; readonly bytes: number }[];
  readonly removedBytes: number;
  readonly keptFiles: number;
  /** Files that are no part of a store and are not touched: a person has to look at them. */
  readonly unknown: readonly string[];
  readonly dryRun: boolean;
}

const keepMax = 1000;

/** Needs no key. Codes: INVALID_ARGUMENT, STORE_LOCKED and those of opening a store. */
export function collectGarbage(options: GcOptions): Promise<GcReport> {
  const { keepSuperseded, dryRun = false } = options;
  const fits = keepSuperseded === undefined || (Number.isInteger(keepSuperseded) && keepSuperseded >= 0);
  if (!fits || (keepSuperseded ?? 0) > keepMax) {
    const message = `Keep between 0 and ${keepMax} superseded versions.`;
    return Promise.reject(new StoreError('INVALID_ARGUMENT', message));
  }
  return editStore(options, async ({ source, current }) => {
    const swept = await sweepFolder(source, {
      metadata: current.metadata,
      dryRun,
      ...(keepSuperseded !== undefined && { keepSuperseded }),
    });
    const removedBytes = swept.removed.reduce((total, { bytes }) => total + bytes, 0);
    return { ...swept, removedBytes, dryRun };
  });
}
