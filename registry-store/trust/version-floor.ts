/**
 * The lowest versions a node will ever accept again: what it has accepted before. Kept on the node's disk beside the
 * metadata itself, so that a restart, a lost cache or a damaged copy cannot be used to show it an old state.
 * A floor is bound to the keys that signed: when root gives a role new keys, a version number that a thief pushed up
 * with the old ones must not lock the node out (fast-forward recovery, TUF 5.3.11).
 */
import type { FieldReader } from '../manifest/field-reader.ts';
import { sha256Rule } from '../manifest/deployment-manifest.ts';
import { roleNameRule } from '../manifest/names.ts';
import { type Checked, passed, refused } from './check.ts';
import { delegationsMax } from './signed-content.ts';

export interface FloorEntry {
  readonly version: number;
  /** Sorted. */
  readonly keyIds: readonly string[];
}

/** By role name. */
export type VersionFloor = ReadonlyMap<string, FloorEntry>;

/**
 * Rollback: every role is at least where it was when it was last accepted. New keys for a role start it anew; new keys
 * for snapshot or timestamp start everything below root anew, because those two say which version of the rest counts.
 */
export function checkFloor(floor: VersionFloor, found: VersionFloor): Checked<VersionFloor> {
  const isRecovery = startsAnew(floor, found);
  for (const [role, { version }] of floor) {
    const now = found.get(role);
    if (now === undefined) continue;
    const isBound = role === 'root' || !(isRecovery || hasNewKeys(role, floor, found));
    if (isBound && now.version < version) {
      return refused(
        'rollback',
        `The store shows version ${now.version} of ${role}, but version ${version} was accepted before.`,
      );
    }
  }
  return passed(found);
}

/**
 * The floor after some roles were accepted, and perhaps not all yet. What a recovery made void must not come back when
 * it was interrupted half way: the next time its keys are no longer new.
 */
export function raisedFloor(floor: VersionFloor, found: VersionFloor): VersionFloor {
  const kept = startsAnew(floor, found) ? [...floor].filter(([role]) => role === 'root') : [...floor];
  return new Map([...kept, ...found]);
}

function startsAnew(floor: VersionFloor, found: VersionFloor): boolean {
  return hasNewKeys('timestamp', floor, found) || hasNewKeys('snapshot', floor, found);
}

function hasNewKeys(role: string, floor: VersionFloor, found: VersionFloor): boolean {
  const [before, now] = [floor.get(role), found.get(role)];
  return before !== undefined && now !== undefined && before.keyIds.join() !== now.keyIds.join();
}

export function floorJson(floor: VersionFloor): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    [...floor].map(([role, { version, keyIds }]) => [role, { version, keyids: keyIds }]),
  );
}

export function readFloor(reader: FieldReader): VersionFloor {
  const floor = new Map<string, FloorEntry>();
  for (const [role, value] of reader.entries({ countMax: delegationsMax, key: roleNameRule })) {
    const entry = reader.nest(value, role);
    const version = entry.integer('version', { min: 1, max: 999_999_999 });
    floor.set(role, { version, keyIds: entry.texts('keyids', { ...sha256Rule, countMax: 64 }) });
  }
  return floor;
}
