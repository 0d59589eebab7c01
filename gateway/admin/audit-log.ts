/**
 * Who asked for which change and what became of it: one JSON object a line, on the disk before the answer goes out. The
 * file is opened anew for every line, so that it may be moved away while the node runs. What could not be written is
 * kept and written before anything else is changed.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { flushFolder } from '../../registry-store/storage/durable-file.ts';

/** Never a token, nor anything that a client sent but names and the path. */
export interface AuditEntry {
  /** ISO 8601 in UTC. */
  readonly at: string;
  /** Name of the token; null for a request without a valid one. */
  readonly token: string | null;
  readonly remote: string;
  /** Subject of the client's certificate, where clients have to show one. */
  readonly certificate?: string;
  readonly method: string;
  readonly path: string;
  readonly model: string | null;
  readonly status: number;
  /** `OK`, or the code of the error. */
  readonly code: string;
  /** Revision of the store afterwards; null when nothing was changed. */
  readonly revision: number | null;
}

export class AuditLog {
  readonly #path: string;
  readonly #onTrouble: (trouble: unknown) => void;
  #unwritten: readonly string[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, onTrouble: (trouble: unknown) => void) {
    this.#path = path;
    this.#onTrouble = onTrouble;
  }

  /** Whether a line can be written now, with all that were left before. Ask before something is changed. */
  isReady(): Promise<boolean> {
    return this.#write([]);
  }

  /** False when the line is not on the disk; it is kept then, and `isReady` says no until it is. */
  append(entry: AuditEntry): Promise<boolean> {
    return this.#write([`${JSON.stringify(entry)}\n`]);
  }

  #write(lines: readonly string[]): Promise<boolean> {
    const written = this.#last.then(async () => {
      const all = [...this.#unwritten, ...lines];
      this.#unwritten = all.slice(-unwrittenMax);
      try {
        await appendDurably(this.#path, all.join(''));
        this.#unwritten = [];
        return true;
      } catch (trouble) {
        this.#onTrouble(trouble);
        return false;
      }
    });
    this.#last = written;
    return written;
  }
}

/** Refusals are written as well and may go on while the disk is full. */
const unwrittenMax = 1000;

const newline = 0x0a;

async function appendDurably(path: string, text: string): Promise<void> {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
  const file = await open(path, flags, 0o600);
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw new Error(`${path} is not a file`);
    if (text === '') return;
    const lead = (await endsTorn(file, facts.size)) ? '\n' : '';
    const bytes = Buffer.from(lead + text);
    try {
      await file.appendFile(bytes);
    } catch (error) {
      // Half a line, of a disk that is full, would spoil the one that comes next.
      await file.truncate(facts.size).catch(() => undefined);
      throw error;
    }
    await file.datasync();
    if (facts.size === 0) await flushFolder(dirname(path));
  } finally {
    await file.close();
  }
}

/** A line that a crash cut off must not swallow the next one. */
async function endsTorn(file: Awaited<ReturnType<typeof open>>, sizeBytes: number): Promise<boolean> {
  if (sizeBytes === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, sizeBytes - 1);
  return buffer[0] !== newline;
}
