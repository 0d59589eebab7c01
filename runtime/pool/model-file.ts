/**
 * The file of a model while threads load it, one after the other. It is moved to a thread and back and never copied: copying
 * megabytes holds up the event loop, and so does its garbage collector where they pile up. Memory that threads share would
 * be in the accounts of no collector, and go when each of them happens to look.
 *
 * Invariant: the bytes are here or with one thread. A thread that is lost takes them with it; then they are read again.
 */
export class ModelFile {
  readonly #read: () => Promise<Uint8Array>;
  #bytes: Uint8Array | undefined;
  #lengthBytes = 0;

  private constructor(read: () => Promise<Uint8Array>) {
    this.#read = read;
  }

  /** Read already. Rejects as `read` does, whose bytes are nobody else's from then on. */
  static async open(read: () => Promise<Uint8Array>): Promise<ModelFile> {
    const file = new ModelFile(read);
    file.giveBack(await file.take());
    return file;
  }

  /** As read last. */
  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  /** Whoever takes the bytes has them. Rejects as `read` does where they are gone. */
  async take(): Promise<Uint8Array> {
    const bytes = this.#bytes ?? (await this.#read());
    this.#bytes = undefined;
    this.#lengthBytes = bytes.byteLength;
    return bytes;
  }

  giveBack(bytes: Uint8Array | undefined): void {
    this.#bytes = bytes;
  }
}
