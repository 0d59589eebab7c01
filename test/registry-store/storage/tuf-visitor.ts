/** A client with folders of its own that visits one repository, over real HTTP and as a stranger to its publisher. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  downloadTufTarget,
  initTufClient,
  refreshTufClient,
} from '../../../registry-store/storage/tuf-operations.ts';
import type { StoreError } from '../../../registry-store/store-error.ts';
import type { TufRepository } from './tuf-repository.ts';

export class TufVisitor {
  readonly #repository: TufRepository;
  readonly base: string;

  private constructor(repository: TufRepository, base: string) {
    this.#repository = repository;
    this.base = base;
  }

  static async make(repository: TufRepository): Promise<TufVisitor> {
    return new TufVisitor(repository, await mkdtemp(join(tmpdir(), 'tidegate-tuf-')));
  }

  get metadataFolder(): string {
    return join(this.base, 'metadata');
  }

  get targetsFolder(): string {
    return join(this.base, 'targets');
  }

  async init(root: Uint8Array = this.#repository.fileOf('root')): Promise<void> {
    const rootPath = join(this.base, 'root.json');
    await writeFile(rootPath, root);
    await initTufClient({ metadataFolder: this.metadataFolder, rootPath, nowMs: Date.now() });
  }

  refresh(nowMs = Date.now()): Promise<void> {
    const metadataUrl = `${this.#repository.url}/metadata`;
    return refreshTufClient({ metadataFolder: this.metadataFolder, metadataUrl, nowMs });
  }

  download(targetName: string): Promise<string> {
    return downloadTufTarget({
      metadataFolder: this.metadataFolder,
      metadataUrl: `${this.#repository.url}/metadata/`,
      targetName,
      targetsUrl: `${this.#repository.url}/targets/`,
      targetsFolder: this.targetsFolder,
      nowMs: Date.now(),
    });
  }

  /** The version of a role that is kept as trusted. */
  async trusted(role: string): Promise<number | undefined> {
    const path = join(this.metadataFolder, `${encodeURIComponent(role)}.json`);
    if (!existsSync(path)) return undefined;
    const json = JSON.parse(await readFile(path, 'utf8')) as { signed: { version: number } };
    return json.signed.version;
  }

  remove(): Promise<void> {
    return rm(this.base, { recursive: true, force: true });
  }
}

/** The check that refused, or the code of the error when none did; undefined when it went through. */
export async function checkOf(run: Promise<unknown>): Promise<string | undefined> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason as StoreError,
  );
  return error?.check ?? error?.code;
}
