/**
 * What a TUF client keeps between runs, in a folder of its own: the metadata it trusts under plain names, and beside it
 * what a damaged copy of that cannot take away - the root it was given at first, and the lowest version of each role it
 * will ever accept again. Every file is put in place whole.
 *
 *     <folder>/root.json, timestamp.json, ...     trusted metadata, as the conformance suite of TUF reads it
 *     <folder>/pinned-root                        the root of `init`
 *     <folder>/journal                            the version floor
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FieldReader } from '../manifest/field-reader.ts';
import { StoreError, refusal, systemCode } from '../store-error.ts';
import { canonicalJson, parseCanonicalJson } from '../trust/canonical-json.ts';
import { type VersionFloor, floorJson, readFloor } from '../trust/version-floor.ts';
import { writeDurably } from './durable-file.ts';

const journalSchema = 1;

export class TufFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The trusted metadata of a role, or undefined when there is none. What it is worth is decided by whoever reads it. */
  role(name: string): Promise<Uint8Array | undefined> {
    return this.#read(roleFile(name));
  }

  keepRole(name: string, bytes: Uint8Array): Promise<void> {
    return this.#write(roleFile(name), bytes);
  }

  pinnedRoot(): Promise<Uint8Array | undefined> {
    return this.#read('pinned-root');
  }

  async init(root: Uint8Array): Promise<void> {
    await this.#write('pinned-root', root);
    await this.keepRole('root', root);
  }

  async floor(): Promise<VersionFloor> {
    const bytes = await this.#read('journal');
    if (bytes === undefined) return new Map();
    const json = parseCanonicalJson(bytes, 'journal');
    const reader = new FieldReader(json.ok ? json.value : undefined, 'the journal');
    reader.integer('schema', { min: journalSchema, max: journalSchema });
    const floor = readFloor(reader.record('floor'));
    if (reader.problem === undefined) return floor;
    throw refusal(
      'trusted-state',
      `${join(this.path, 'journal')} is damaged. Make sure the repository shows what it should, then start anew with init.`,
    );
  }

  async keepFloor(floor: VersionFloor): Promise<void> {
    const bytes = canonicalJson({ schema: journalSchema, floor: floorJson(floor) });
    if (bytes === undefined) throw new TypeError('The journal has no canonical form.');
    await this.#write('journal', bytes);
  }

  async #read(name: string): Promise<Uint8Array | undefined> {
    const path = join(this.path, name);
    try {
      return await readFile(path);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw new StoreError('FILE_UNREADABLE', `${path} cannot be read (${systemCode(error) ?? 'unknown'}).`, {
        cause: error,
      });
    }
  }

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.path, name);
    try {
      await writeDurably(path, bytes);
    } catch (error) {
      throw new StoreError(
        'FILE_UNREADABLE',
        `${path} cannot be written (${systemCode(error) ?? 'unknown'}).`,
        {
          cause: error,
        },
      );
    }
  }
}

/** Names of roles come from the repository: escaped, none of them is a path. */
function roleFile(name: string): string {
  return `${encodeURIComponent(name)}.json`;
}
