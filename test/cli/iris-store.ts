/** A signed store with one version of the iris model, deployed: what commands that serve are tried on. */
import { join } from 'node:path';
import { deployModel, initStore, publishModel } from '../../registry-store/main.ts';
import { demoModel } from '../e2e/gateway-under-test.ts';

export interface IrisStore {
  readonly folder: string;
  readonly keysFolder: string;
  /** The pinned root. */
  readonly root: string;
}

/** Made in `base`, with what the names of the folders are there by default. */
export async function makeIrisStore(
  base: string,
  { folder = 'store', keysFolder = 'keys', version = '1.0.0' } = {},
): Promise<IrisStore> {
  const publisher = {
    folder: join(base, folder),
    keysFolders: [join(base, keysFolder)],
    actor: 'test',
  };
  const named = { model: 'iris', version };
  await initStore({ ...publisher, nowMs: Date.now() });
  const about = { framework: 'onnx', author: 'test', artifact: demoModel(`iris-${version}`) };
  await publishModel({ ...publisher, ...named, ...about, nowMs: Date.now() });
  await deployModel({ ...publisher, ...named, nowMs: Date.now() });
  return {
    folder: publisher.folder,
    keysFolder: join(base, keysFolder),
    root: join(base, keysFolder, 'root.json'),
  };
}
