/**
 * The four kinds of signed metadata as values. Only content whose signatures were checked comes here; what it says is
 * still parsed strictly, because a signer can make mistakes, and because a role may sign only what is its own.
 */
import { FieldReader } from '../manifest/field-reader.ts';
import { sha256Rule } from '../manifest/deployment-manifest.ts';
import { roleNameRule } from '../manifest/names.ts';
import { parseCanonicalJson } from './canonical-json.ts';
import { type Checked, passed, refused } from './check.ts';
import { type RoleKeys, readKeyTable, readRoleKeys } from './role-keys.ts';

export const topRoles = ['root', 'timestamp', 'snapshot', 'targets'] as const;

export type TopRole = (typeof topRoles)[number];

interface Signed {
  readonly version: number;
  /** To the second and in UTC, so that later is also greater as text. */
  readonly expires: string;
}

export interface SignedRoot extends Signed {
  readonly roles: Readonly<Record<TopRole, RoleKeys>>;
}

/** What a parent says about a file below it. */
export interface FilePin {
  readonly version: number;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface SignedTimestamp extends Signed {
  readonly snapshot: FilePin;
}

export interface SignedSnapshot extends Signed {
  /** By role name, `targets` and every delegated role. */
  readonly files: ReadonlyMap<string, FilePin>;
}

export interface SignedTarget {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly custom: unknown;
}

/** A role that speaks for some paths, as the role above it says. */
export interface Delegation {
  readonly name: string;
  /** Paths that match go to this role or to none: later roles are not asked. */
  readonly terminating: boolean;
  /** `*` stands for any characters within one segment. */
  readonly patterns: readonly string[];
  readonly keys: RoleKeys;
}

export interface SignedTargets extends Signed {
  readonly targets: ReadonlyMap<string, SignedTarget>;
  /** In order of priority. */
  readonly delegations: readonly Delegation[];
}

const versionRule = { min: 1, max: 999_999_999 };
const fileSizeRule = { min: 1, max: 2 ** 40 };
const targetsMax = 100_000;
/** One role for each model, and more only by accident. */
export const delegationsMax = 20_000;
const pathsMax = 64;
const pathRule = {
  lengthMax: 300,
  pattern: /^[a-zA-Z0-9][a-zA-Z0-9._+-]*(?:\/[a-zA-Z0-9][a-zA-Z0-9._+-]*)*$/,
};
const patternRule = {
  lengthMax: 300,
  pattern: /^[a-zA-Z0-9*][a-zA-Z0-9._+*-]*(?:\/[a-zA-Z0-9*][a-zA-Z0-9._+*-]*)*$/,
};
const expiresRule = {
  lengthMax: 20,
  pattern: /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/,
};

export function parseRoot(signedBytes: Uint8Array, name: string): Checked<SignedRoot> {
  return parseSigned(signedBytes, { name, type: 'root' }, (reader) => {
    // Readers rely on versioned names: without them a reader could see half of a publish.
    if (!reader.boolean('consistent_snapshot')) reader.reject('does not use consistent snapshots');
    const keys = readKeyTable(reader.record('keys'));
    const table = reader.record('roles');
    const role = (top: TopRole): RoleKeys => readRoleKeys(top, table.record(top), keys);
    return {
      roles: {
        root: role('root'),
        timestamp: role('timestamp'),
        snapshot: role('snapshot'),
        targets: role('targets'),
      },
    };
  });
}

export function parseTimestamp(signedBytes: Uint8Array, name: string): Checked<SignedTimestamp> {
  return parseSigned(signedBytes, { name, type: 'timestamp' }, (reader) => {
    const snapshot = reader.record('meta').record('snapshot.json');
    return { snapshot: readPin(snapshot) };
  });
}

export function parseSnapshot(signedBytes: Uint8Array, name: string): Checked<SignedSnapshot> {
  return parseSigned(signedBytes, { name, type: 'snapshot' }, (reader) => {
    const files = new Map<string, FilePin>();
    const meta = reader.record('meta');
    const key = { lengthMax: roleNameRule.lengthMax + 5, pattern: /^[a-z][a-z0-9-]*\.json$/ };
    for (const [file, value] of meta.entries({ countMax: delegationsMax, key })) {
      files.set(file.slice(0, -'.json'.length), readPin(meta.nest(value, file)));
    }
    return { files };
  });
}

export function parseTargets(signedBytes: Uint8Array, name: string): Checked<SignedTargets> {
  return parseSigned(signedBytes, { name, type: 'targets' }, (reader) => {
    const targets = new Map<string, SignedTarget>();
    const table = reader.record('targets');
    for (const [path, value] of table.entries({ countMax: targetsMax, key: pathRule })) {
      const target = table.nest(value, path);
      const { custom } = (value ?? {}) as { readonly custom?: unknown };
      targets.set(path, {
        path,
        sizeBytes: target.integer('length', fileSizeRule),
        // TUF lets a target go without any hash; then only its length would be checked.
        sha256: target.record('hashes').text('sha256', sha256Rule),
        custom,
      });
    }
    return {
      targets,
      delegations: reader.has('delegations') ? readDelegations(reader.record('delegations')) : [],
    };
  });
}

function readDelegations(reader: FieldReader): readonly Delegation[] {
  const keys = readKeyTable(reader.record('keys'));
  const names = new Set<string>();
  return reader.list('roles', delegationsMax).map((value, index) => {
    const role = reader.nest(value, `delegation ${index}`);
    const name = role.text('name', roleNameRule);
    if (names.has(name) || topRoles.some((top) => top === name)) role.reject('has a name that is taken');
    names.add(name);
    return {
      name,
      terminating: role.boolean('terminating'),
      patterns: role.texts('paths', { ...patternRule, countMax: pathsMax }),
      keys: readRoleKeys(name, role, keys),
    };
  });
}

function readPin(reader: FieldReader): FilePin {
  return {
    version: reader.integer('version', versionRule),
    sizeBytes: reader.integer('length', fileSizeRule),
    sha256: reader.record('hashes').text('sha256', sha256Rule),
  };
}

function parseSigned<Content>(
  signedBytes: Uint8Array,
  expected: { readonly name: string; readonly type: TopRole },
  readContent: (reader: FieldReader) => Content,
): Checked<Content & Signed> {
  const { name, type } = expected;
  const json = parseCanonicalJson(signedBytes, name);
  if (!json.ok) return json;
  const reader = new FieldReader(json.value, name);
  reader.oneOf('_type', [type]);
  reader.text('spec_version', { lengthMax: 16, pattern: /^1\.\d+(?:\.\d+)?$/ });
  const expires = reader.text('expires', expiresRule);
  const content = { ...readContent(reader), version: reader.integer('version', versionRule), expires };
  return reader.problem === undefined ? passed(content) : refused('metadata-form', `${reader.problem}.`);
}
