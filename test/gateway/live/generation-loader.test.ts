/** Loads that come to nothing: which are tried again, and which are remembered by the digest of their bytes. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { GenerationLoader } from '../../../gateway/live/generation-loader.ts';
import type { VersionMetadata } from '../../../registry-store/main.ts';
import type { ModelToLoad } from '../../../runtime/pool/held-sessions.ts';
import type { LoadOutcome } from '../../../runtime/pool/pool-options.ts';

const lost: LoadOutcome = { kind: 'lost', detail: 'the thread ended' };
const invalid: LoadOutcome = { kind: 'failed', code: 'MODEL_INVALID', detail: 'no model' };
const loaded: LoadOutcome = {
  kind: 'loaded',
  session: 1,
  batching: 'rows',
  note: undefined,
  inline: false,
  costs: [],
  loadMs: 1,
  warmMs: 1,
  replicas: 1,
  memoryBytes: 10,
};

const signature = { batching: 'rows', inputs: [], outputs: [] } as const;
function versionOf(sha256: string): VersionMetadata {
  const named = { name: 'iris', version: '1.0.0', signature, state: [] };
  return { ...named, artifact: { sha256, lengthBytes: 10 } } as unknown as VersionMetadata;
}

/** A loader over a pool that answers in this order, and how often that was asked. */
function loaderOver(...outcomes: (LoadOutcome | Error)[]): {
  readonly loader: GenerationLoader;
  readonly asked: () => number;
  readonly given: readonly ModelToLoad[];
} {
  const given: ModelToLoad[] = [];
  let asked = 0;
  const load = (model: ModelToLoad): Promise<LoadOutcome> => {
    given.push(model);
    const outcome = outcomes[asked++];
    if (outcome instanceof Error) return Promise.reject(outcome);
    if (outcome === undefined) throw new Error('the pool was asked too often');
    return Promise.resolve(outcome);
  };
  const loader = new GenerationLoader({
    pool: { lanes: [{}], load } as never,
    metrics: { version: () => ({}) as never },
    log: { info: () => undefined } as never,
    limits: { requestBytesMax: 1024 },
    warmRows: [],
    readArtifact: () => Promise.resolve(new Uint8Array(10)),
  });
  return { loader, asked: () => asked, given };
}

test('a model whose loads take their threads three times in a row is LOAD_LOST, and tried no more', async () => {
  const { loader, asked } = loaderOver(lost, lost, lost);
  const version = versionOf('a');
  expect(await loader.load(version)).toEqual({ reason: 'the thread ended', mayPass: true });
  expect(await loader.load(version)).toEqual({ reason: 'the thread ended', mayPass: true });
  const final = {
    reason: 'LOAD_LOST: 3 loads in a row ended with their threads, the last one with: the thread ended',
    mayPass: false,
  };
  expect(await loader.load(version)).toEqual(final);
  expect(await loader.load(version)).toEqual(final);
  expect(asked()).toBe(3);
});

test('one load that succeeds between starts the count again, and other bytes have a count of their own', async () => {
  const { loader } = loaderOver(lost, lost, loaded, lost, lost, lost);
  const version = versionOf('a');
  for (const mayPass of [true, true]) expect(await loader.load(version)).toMatchObject({ mayPass });
  expect(await loader.load(version)).toMatchObject({ modelName: 'iris' });
  for (const mayPass of [true, true]) expect(await loader.load(version)).toMatchObject({ mayPass });
  expect(await loader.load(versionOf('b'))).toMatchObject({ mayPass: true });
});

test('bytes that are no model are asked about once, a file that cannot be read again and again', async () => {
  const broken = loaderOver(invalid);
  const refusal = { reason: 'MODEL_INVALID: no model', mayPass: false };
  expect(await broken.loader.load(versionOf('a'))).toEqual(refusal);
  expect(await broken.loader.load(versionOf('a'))).toEqual(refusal);
  expect(broken.asked()).toBe(1);

  const unread = loaderOver(new Error('no such file'), loaded);
  expect(await unread.loader.load(versionOf('a'))).toEqual({ reason: 'no such file', mayPass: true });
  expect(await unread.loader.load(versionOf('a'))).toMatchObject({ modelName: 'iris' });
});

test('a model whose inputs are larger than any request may be is refused before its file is read', async () => {
  const { loader, asked } = loaderOver();
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [-1, 257] }] as const;
  const version = { ...versionOf('a'), signature: { ...signature, inputs } } as VersionMetadata;
  const reason = expect.stringMatching(/^INPUT_TOO_LARGE: .* take 1028 bytes, .* may take 1024\./) as string;
  expect(await loader.load(version)).toEqual({ reason, mayPass: false });
  expect(asked()).toBe(0);
});

test('the pool can ask whether what a file costs depends on values', async () => {
  const { loader, given } = loaderOver(loaded);
  await loader.load(versionOf('a'));
  const iris = readFileSync(new URL('../../../deploy/demo/models/iris-1.0.0.onnx', import.meta.url));
  expect([iris, Uint8Array.of(1)].map((file) => given[0]?.hasSteadyCost?.(file))).toEqual([true, false]);
});

test('what runs cost is found out once for the same bytes, where rows are joined', async () => {
  const costs = [{ rows: 1, us: 70 }];
  const alone = { ...loaded, batching: 'none' } as const;
  const { loader, given } = loaderOver({ ...loaded, costs }, { ...loaded, costs }, loaded, alone, alone);
  for (const sha256 of ['a', 'a', 'b', 'c', 'c']) await loader.load(versionOf(sha256));
  expect(given.map(({ knownCosts }) => knownCosts)).toEqual([
    undefined,
    costs,
    undefined,
    undefined,
    undefined,
  ]);
});
