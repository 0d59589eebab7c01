/**
 * The store that `serve --dev` works on when there is none: keys of its own beside it, and the demo models published and
 * deployed by the same functions that the commands use. An existing store is left alone.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type DemoModel, demoModels } from '../deploy/demo/demo-models.ts';
import { type PublishOptions, deployModel, initStore, publishModel } from '../registry-store/main.ts';
import { userName } from './store-options.ts';

export interface DevStoreOptions {
  readonly store: string;
  readonly keys: string;
  /** One line for each step, for a person who waits. */
  readonly progress: (line: string) => void;
}

export async function prepareDevStore(options: DevStoreOptions): Promise<void> {
  const { store: folder, keys: keysFolder, progress } = options;
  const unfinished = `${folder}.unfinished`;
  if (existsSync(folder) && !existsSync(unfinished)) return;
  if (existsSync(unfinished)) {
    progress('Starting anew: making the store was interrupted the last time');
    await Promise.all([folder, keysFolder].map((path) => rm(path, { recursive: true, force: true })));
  }
  await mkdir(dirname(unfinished), { recursive: true });
  await writeFile(unfinished, '');
  const actor = userName();
  progress(`Making a store in ${folder} with keys of its own in ${keysFolder}`);
  await initStore({ folder, keysFolders: [keysFolder], nowMs: Date.now(), actor });
  for (const demo of demoModels()) {
    progress(`Publishing and deploying ${demo.name} ${demo.version}`);
    const publisher = { folder, keysFolders: [keysFolder], nowMs: Date.now(), actor, why: 'demo' };
    await publishModel({ ...publisher, ...publication(demo), artifact: await readFile(demo.file) });
    // In order of version, so that the last one is live and the one before it is kept for going back.
    await deployModel({ ...publisher, model: demo.name, version: demo.version });
  }
  await rm(unfinished);
}

function publication({
  metadata,
}: DemoModel): Pick<
  PublishOptions,
  'model' | 'version' | 'framework' | 'author' | 'description' | 'metrics' | 'tags'
> {
  const { name, version, framework, author, description, metrics, tags } = metadata;
  return {
    model: name,
    version,
    framework,
    author,
    description,
    metrics: new Map(Object.entries(metrics)),
    tags,
  };
}
