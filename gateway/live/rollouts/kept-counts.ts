/**
 * What the judges of this node counted, on its disk: a rollout that was half way when the node stopped is judged on from
 * there. One file for each rollout, written every half minute, if anything was counted, and when the node stops. A file is
 * replaced whole or not at all, and one that cannot be read costs the counts, never the serving.
 *
 *     gzip( length of the head, 4 bytes little-endian | head, JSON | the tables, one after the other )
 *
 * The sum that gzip keeps of its content tells a damaged file. What was counted since the last write is lost with the power:
 * that is valid as long as the power does not go because of what was counted (docs/rollouts/judge.md).
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import type { Kept } from '../../rollout/kept.ts';
import type { RolloutWatch } from './rollout-watch.ts';

const gzipOf = promisify(gzip);

/** Larger content is none of ours, bytes. */
const keptBytesMax = 8 * 1024 * 1024;
/** The oldest files go first. */
const filesMax = 64;
const writeEveryMs = 30_000;
const format = 1;

export interface KeptCountsOptions {
  /** Undefined for a node without a disk of its own: a restart gathers anew. */
  readonly folder: string | undefined;
  /** A file was dropped, or could not be written. */
  readonly onTrouble: (trouble: unknown) => void;
}

type Watch = Pick<RolloutWatch, 'keep' | 'resume' | 'counted'>;

export class KeptCounts {
  readonly #options: KeptCountsOptions;
  /** By the id of their rollout, with how much was counted when they were written last. */
  readonly #watches = new Map<string, { readonly watch: Watch; written: number }>();
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeptCountsOptions) {
    this.#options = options;
  }

  /** The watch goes on from what was kept of its rollout, if anything was, and is kept from now on. */
  begin(rolloutId: string, watch: Watch): void {
    const { folder } = this.#options;
    if (folder === undefined) return;
    const kept = this.#read(this.#fileOf(folder, rolloutId), rolloutId);
    if (kept !== undefined) watch.resume(kept);
    this.#watches.set(rolloutId, { watch, written: watch.counted });
    this.#timer ??= setInterval(() => void this.write(), writeEveryMs);
    this.#timer.unref();
  }

  /** The rollout is over: nobody will go on from its counts. */
  end(rolloutId: string): void {
    const { folder } = this.#options;
    if (folder === undefined || !this.#watches.delete(rolloutId)) return;
    // A write that is under way would bring the file back.
    this.#writing = this.#writing.then(() => {
      if (!this.#watches.has(rolloutId)) this.#remove(this.#fileOf(folder, rolloutId));
    });
    if (this.#watches.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Resolves when all that was counted until now is on the disk, or could not be brought there. */
  write(): Promise<void> {
    const { folder, onTrouble } = this.#options;
    if (folder === undefined) return Promise.resolve();
    this.#writing = this.#writing.then(async () => {
      for (const [rolloutId, entry] of [...this.#watches]) {
        const { watch, written } = entry;
        if (watch.counted === written) continue;
        entry.written = watch.counted;
        try {
          await writeWhole(this.#fileOf(folder, rolloutId), contentOf(rolloutId, watch.keep()));
        } catch (error) {
          onTrouble(error);
        }
      }
      this.#removeOldest(folder);
    });
    return this.#writing;
  }

  /** Writes once more, and no more after that. */
  close(): Promise<void> {
    clearInterval(this.#timer);
    return this.write();
  }

  #fileOf(folder: string, rolloutId: string): string {
    // An id may have characters that a file name may not.
    return join(folder, `${createHash('sha256').update(rolloutId).digest('hex').slice(0, 32)}.gz`);
  }

  #read(file: string, rolloutId: string): Kept | undefined {
    try {
      const kept = parseContent(gunzipSync(readFileSync(file), { maxOutputLength: keptBytesMax }), rolloutId);
      if (kept !== undefined) return kept;
      throw new Error(`${file} does not hold the counts of ${rolloutId}`);
    } catch (error) {
      const isFirst = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (isFirst) return undefined;
      this.#options.onTrouble(error);
      this.#remove(file);
      return undefined;
    }
  }

  #remove(file: string): void {
    try {
      rmSync(file, { force: true });
    } catch (error) {
      this.#options.onTrouble(error);
    }
  }

  /** Of rollouts that ended while this node was off, nobody says so. */
  #removeOldest(folder: string): void {
    try {
      const files = readdirSync(folder).map((name) => join(folder, name));
      if (files.length <= filesMax) return;
      const aged = files.map((file) => ({ file, writtenMs: statSync(file).mtimeMs }));
      aged.sort((left, right) => right.writtenMs - left.writtenMs);
      for (const { file } of aged.slice(filesMax)) this.#remove(file);
    } catch (error) {
      const isNew = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isNew) this.#options.onTrouble(error);
    }
  }
}

/** A copy: what it is made of goes on to count. */
function contentOf(rolloutId: string, { counts, tables }: Kept): Uint8Array {
  const sizes = tables.map(({ byteLength }) => byteLength);
  const head = Buffer.from(JSON.stringify({ format, rollout_id: rolloutId, sizes, counts }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.byteLength);
  return Buffer.concat([length, head, ...tables]);
}

function parseContent(content: Buffer, rolloutId: string): Kept | undefined {
  const headEnd = 4 + content.readUInt32LE(0);
  if (headEnd > content.byteLength) return undefined;
  const head: unknown = JSON.parse(content.toString('utf8', 4, headEnd));
  if (typeof head !== 'object' || head === null) return undefined;
  const { format: version, rollout_id: id, sizes, counts } = head as Readonly<Record<string, unknown>>;
  if (version !== format || id !== rolloutId || !Array.isArray(sizes)) return undefined;
  let end = headEnd;
  const tables: Uint8Array[] = [];
  for (const size of sizes) {
    if (!Number.isSafeInteger(size) || size < 0) return undefined;
    tables.push(content.subarray(end, end + Number(size)));
    end += Number(size);
  }
  return end === content.byteLength ? { counts, tables } : undefined;
}

async function writeWhole(file: string, content: Uint8Array): Promise<void> {
  const packed = await gzipOf(content, { level: 1 });
  await mkdir(join(file, '..'), { recursive: true });
  // Its own name for each process: two that share a folder by mistake must not write into one draft.
  const draftFile = `${file}.${process.pid}.draft`;
  const draft = await open(draftFile, 'w');
  try {
    await draft.writeFile(packed);
    await draft.sync();
  } finally {
    await draft.close();
  }
  await rename(draftFile, file);
}
