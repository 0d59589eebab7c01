/** Files beside a model are taken in when it is published; nothing outside of its folder ever is. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelRegistry } from '../../../registry-store/main.ts';
import { withExternalData } from '../../../registry-store/lifecycle/external-files.ts';
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import { GraphBuilder, tensorType, writeOnnxModel } from '../../../registry-store/onnx/write-model.ts';
import { startTestGateway } from '../../e2e/gateway-under-test.ts';
import { tensorOf } from '../../e2e/tensor.ts';
import { TemporaryStore } from '../temporary-store.ts';

/** `y = x * [2, 3]`, with the two numbers behind eight other bytes of the file at `location`. */
function scaleModel(location: string): Uint8Array {
  const graph = new GraphBuilder('scale');
  const x = graph.input('x', tensorType('FP32', ['batch', 2]));
  const { rawData, ...scale } = tensor('FP32', [2], [2, 3]);
  expect(rawData).toHaveLength(8);
  const externalData = Object.entries({ location, offset: '8', length: '8' });
  graph.constant('scale', {
    ...scale,
    dataLocation: 1,
    externalData: externalData.map(([key, value]) => ({ key, value })),
  });
  graph.node('Mul', [x, 'scale'], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', 2]));
  return writeOnnxModel(graph);
}

const weights = new Uint8Array(Float32Array.from([-1, -1, 2, 3]).buffer);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidegate-external-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A model in a folder of its own, with what is put beside it. */
async function modelBeside(location: string, files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const place = join(await mkdtemp(join(folder, 'case-')), 'model');
  await mkdir(place);
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(place, name)), { recursive: true });
    await writeFile(join(place, name), bytes);
  }
  const path = join(place, 'model.onnx');
  await writeFile(path, scaleModel(location));
  return path;
}

test('a model with its weights in a file beside it is published as one file and answers', async () => {
  const path = await modelBeside('data/weights.bin', { 'data/weights.bin': weights });
  const store = await TemporaryStore.makeWithIris();
  const registry = new ModelRegistry({ store: store.folder, keys: store.keysFolder, by: 'test' });
  const published = await registry.registerModel(
    { name: 'scale', version: '1', author: 'test', framework: 'onnx' },
    path,
  );
  expect(published.signature.inputs).toMatchObject([{ name: 'x' }]);
  const file = await withExternalData(path, scaleModel('data/weights.bin'));
  const under = await startTestGateway({ models: [{ name: 'scale', version: '1', file }] });
  try {
    const inputs = [tensorOf({ name: 'x', datatype: 'FP32', shape: [1, 2] }, [10, 10])];
    const answer = await under.caller('oip-json').call({ model: 'scale', inputs });
    expect(answer).toMatchObject({ outputs: [{ name: 'y', data: Float32Array.from([20, 30]) }] });
  } finally {
    await under.close();
  }
});

describe('what is refused', () => {
  const refusal = async (path: string, location: string): Promise<string> => {
    const error: unknown = await withExternalData(path, scaleModel(location)).then(
      () => 'taken',
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'MODEL_REFUSED' });
    return (error as Error).message;
  };

  test.each([
    ['above the folder', () => '../weights.bin'],
    ['above the folder by a detour', () => 'data/../../weights.bin'],
    ['an absolute path', () => join(folder, 'weights.bin')],
    ['the folder itself', () => '.'],
  ])('%s', async (_, locationOf) => {
    const location = locationOf();
    const path = await modelBeside(location, {});
    await writeFile(join(dirname(dirname(path)), 'weights.bin'), weights);
    await writeFile(join(folder, 'weights.bin'), weights);
    expect(await refusal(path, location)).toMatch(/^EXTERNAL_DATA: .*not within the folder of the model/);
  });

  test('a link that leads out of the folder, also by way of a folder', async () => {
    const path = await modelBeside('weights.bin', {});
    const outside = join(dirname(dirname(path)), 'weights.bin');
    await writeFile(outside, weights);
    await symlink(outside, join(dirname(path), 'weights.bin'));
    expect(await refusal(path, 'weights.bin')).toContain('not within the folder');
    await symlink(dirname(outside), join(dirname(path), 'up'));
    expect(await refusal(path, 'up/weights.bin')).toContain('not within the folder');
  });

  test('a file that is not there, ends too early, or is a folder', async () => {
    const path = await modelBeside('weights.bin', {});
    expect(await refusal(path, 'weights.bin')).toContain('is not beside it');
    await writeFile(join(dirname(path), 'weights.bin'), weights.subarray(0, 15));
    expect(await refusal(path, 'weights.bin')).toContain('has 15 bytes where the tensors take 16');
    await mkdir(join(dirname(path), 'inner'));
    expect(await refusal(path, 'inner')).toContain('is not beside it');
  });
});
