/**
 * How long signed content may be believed, by default. A folder on the node's own disk has nobody on the way who could
 * freeze it, and a box that is offline for months must start again: `local` is long. Between a store and a fleet there
 * are mirrors and networks, so what changes often is signed for days there, and a machine keeps it fresh.
 * Every publish renews what is half spent. Each file carries its own lifetime, so these are only where it begins.
 */

/** Roles of a new store, each with a key of its own. */
export const storeRoles = ['root', 'timestamp', 'snapshot', 'targets', 'models', 'deployments'] as const;

export type StoreRole = (typeof storeRoles)[number];

export const profiles = ['local', 'fleet'] as const;

export type Profile = (typeof profiles)[number];

const dayS = 24 * 60 * 60;

const table: Readonly<Record<Profile, Readonly<Record<StoreRole, number>>>> = {
  local: {
    root: 5 * 365 * dayS,
    targets: 365 * dayS,
    models: 365 * dayS,
    deployments: 365 * dayS,
    snapshot: 365 * dayS,
    timestamp: 365 * dayS,
  },
  fleet: {
    root: 365 * dayS,
    targets: 180 * dayS,
    models: 180 * dayS,
    deployments: 7 * dayS,
    snapshot: 7 * dayS,
    timestamp: dayS,
  },
};

/** Seconds. */
export function lifetimesS(profile: Profile): Readonly<Record<StoreRole, number>> {
  return table[profile];
}
