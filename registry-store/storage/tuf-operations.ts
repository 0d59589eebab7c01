/**
 * The three operations of a TUF client as the conformance suite of TUF knows them: take a first root, refresh the
 * metadata, download a file. Each is complete in itself; between them everything is in the metadata folder.
 */
import { readFile } from 'node:fs/promises';
import { StoreError, refusal, systemCode } from '../store-error.ts';
import { HttpClient } from './http-request.ts';
import { ReferenceVerifier } from './reference-verifier.ts';
import { transferLimits } from './transfer-limits.ts';
import { TufClient } from './tuf-client.ts';
import { downloadTarget } from './tuf-download.ts';
import { TufFolder } from './tuf-folder.ts';
import { guardSigners } from './tuf-guards.ts';

export interface TufOptions {
  /** Where the client keeps what it trusts. */
  readonly metadataFolder: string;
  readonly metadataUrl: string;
  /** Certificates to trust instead of those of the system, PEM. */
  readonly ca?: string;
  readonly nowMs: number;
}

export interface TufDownloadOptions extends TufOptions {
  readonly targetName: string;
  readonly targetsUrl: string;
  readonly targetsFolder: string;
}

const connectionsMax = 4;

/** Takes the root that was carried here by hand. Makes no request. */
export async function initTufClient(options: {
  readonly metadataFolder: string;
  readonly rootPath: string;
  readonly nowMs: number;
}): Promise<void> {
  const { metadataFolder, rootPath, nowMs } = options;
  const root = await readFile(rootPath).catch((error: unknown) => {
    throw new StoreError(
      'FILE_UNREADABLE',
      `${rootPath} cannot be read (${systemCode(error) ?? 'unknown'}).`,
    );
  });
  // Refused here already when it is no root at all.
  const { root: accepted } = new ReferenceVerifier(root, nowMs);
  guardSigners(accepted, 'root', accepted);
  await new TufFolder(metadataFolder).init(root);
}

/** Throws STORE_REFUSED with the check that failed; what was accepted until then is kept. */
export async function refreshTufClient(options: TufOptions): Promise<void> {
  await withClient(options, (client) => client.refresh());
}

/** Refreshes, then downloads. Returns the path of the file. */
export async function downloadTufTarget(options: TufDownloadOptions): Promise<string> {
  return withClient(options, async (client, http) => {
    await client.refresh();
    const target = await client.findTarget(options.targetName);
    if (target === undefined) {
      throw refusal('file-known', `The repository does not sign a file called ${options.targetName}.`);
    }
    const { targetsUrl, targetsFolder } = options;
    return downloadTarget(target, {
      http,
      targetsUrl,
      folder: targetsFolder,
      isConsistent: client.isConsistent,
    });
  });
}

async function withClient<Value>(
  options: TufOptions,
  run: (client: TufClient, http: HttpClient) => Promise<Value>,
): Promise<Value> {
  const { metadataFolder, metadataUrl, nowMs, ca } = options;
  const http = new HttpClient({
    ...(ca === undefined ? {} : { ca }),
    limits: transferLimits,
    connectionsMax,
  });
  try {
    const folder = new TufFolder(metadataFolder);
    return await run(await TufClient.open({ folder, metadataUrl, http, nowMs }), http);
  } finally {
    http.close();
  }
}
