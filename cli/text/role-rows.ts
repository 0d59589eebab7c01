/**
 * Roles of a store as rows for people. Every model has a role of its own; a store with a thousand models would bury the
 * six roles that matter, so those of models are one row, with the time of the one that expires first.
 */
import { counted } from '../options/quantity.ts';
import { distanceText } from './moment.ts';

export interface ShownRole {
  readonly role: string;
  readonly expires: string;
}

const modelRolePrefix = 'models-';

/** Names of roles, with those of models as one. */
export function joinedRoles(roles: readonly string[]): readonly string[] {
  return [...new Set(roles.map((role) => (role.startsWith(modelRolePrefix) ? `${modelRolePrefix}*` : role)))];
}

/** `cells` gives what stands between name and time, for a role that has a row of its own. */
export function roleRows<Role extends ShownRole>(
  roles: readonly Role[],
  options: { readonly nowMs: number; readonly cells: (role: Role) => readonly string[] },
): readonly (readonly string[])[] {
  const { nowMs, cells } = options;
  const ofModels = roles.filter(({ role }) => role.startsWith(modelRolePrefix));
  const [first] = ofModels.toSorted((left, right) => left.expires.localeCompare(right.expires));
  return roles
    .filter((role) => !ofModels.includes(role) || role === first)
    .map((role) => [
      role === first ? `${modelRolePrefix}*` : role.role,
      ...cells(role).map((cell, index) => {
        if (role !== first) return cell;
        return index === 0 ? counted(ofModels.length, 'role') : '';
      }),
      `until ${role.expires.slice(0, 10)}, ${distanceText(role.expires, nowMs)}`,
    ]);
}
