/** The store is a TUF repository for everybody: the full client of tuf-js follows it from the first root to a model. */
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { BaseFetcher, Updater } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { expect, test } from 'vitest';
import { TemporaryStore, demoModel } from '../temporary-store.ts';

class FileFetcher extends BaseFetcher {
  override fetch(url: string): ReturnType<BaseFetcher['fetch']> {
    const path = fileURLToPath(url);
    if (!existsSync(path)) return Promise.reject(new DownloadHTTPError('not found', 404));
    return Promise.resolve(
      Readable.toWeb(createReadStream(path)) as Awaited<ReturnType<BaseFetcher['fetch']>>,
    );
  }
}

test('the full client of tuf-js accepts the store and downloads its models', async () => {
  const store = await TemporaryStore.makeWithIris();
  const [metadataDir, targetDir] = [join(store.base, 'cache'), join(store.base, 'downloads')];
  await mkdir(metadataDir);
  await mkdir(targetDir);
  await copyFile(store.pinnedRootPath, join(metadataDir, 'root.json'));
  const updater = new Updater({
    metadataDir,
    metadataBaseUrl: pathToFileURL(store.path('metadata')).href,
    targetDir,
    targetBaseUrl: pathToFileURL(store.path('targets')).href,
    fetcher: new FileFetcher(),
  });
  await updater.refresh();
  for (const version of ['1.0.0', '2.0.0'] as const) {
    const target = await updater.getTargetInfo(`models/iris/${version}/model.onnx`);
    expect(target?.custom).toMatchObject({ name: 'iris', version });
    const path = await updater.downloadTarget(target!);
    expect(await readFile(path)).toEqual(await demoModel(version));
  }
  expect(await updater.getTargetInfo('deployments/default.json')).toBeDefined();
  expect(await updater.getTargetInfo('models/iris/3.0.0/model.onnx')).toBeUndefined();
});
