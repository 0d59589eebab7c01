/** Which files a store may have, by name. */
import { expect, test } from 'vitest';
import { classifyStoreFile, metadataFile, targetFile } from '../../../registry-store/trust/store-file.ts';

const sha256 = '0123456789abcdef'.repeat(4);

test('every name it makes it knows again', () => {
  expect(classifyStoreFile(metadataFile('timestamp', 3))).toEqual({ kind: 'timestamp' });
  expect(classifyStoreFile(metadataFile('models-vision', 12))).toEqual({
    kind: 'metadata',
    role: 'models-vision',
    version: 12,
  });
  for (const path of ['deployments/default.json', 'models/iris/1.0.0+x/model.onnx']) {
    expect(classifyStoreFile(targetFile({ path, sha256 }))).toEqual({
      kind: 'target',
      targetPath: path,
      sha256,
    });
  }
});

test.each([
  '',
  'root.json',
  'metadata/root.json',
  'metadata/0.root.json',
  'metadata/01.root.json',
  'metadata/1.timestamp.json',
  'metadata/1.Root.json',
  'metadata/1.root.json.bak',
  'metadata/x/1.root.json',
  'targets/default.json',
  `targets/deployments/${sha256.toUpperCase()}.default.json`,
  `targets/deployments/${sha256}`,
  `targets//${sha256}.x`,
  'other/1.root.json',
])('does not know %s', (path) => {
  expect(classifyStoreFile(path)).toBeUndefined();
});
