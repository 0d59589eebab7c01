/** A serving node on a temporary store, over either source; what must be true of it whatever was done to the store. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type StoreOptions, type VerifiedStore, publishModel } from '../../../registry-store/main.ts';
import { TemporaryStore, demoModel, withIris } from '../temporary-store.ts';
import { PuppetServer } from './puppet-server.ts';

export const ways = ['folder', 'http'] as const;
export type Way = (typeof ways)[number];

export interface NodeUnderTest {
  readonly store: TemporaryStore;
  readonly way: Way;
  /** Set over HTTP. */
  readonly server: PuppetServer | undefined;
  readonly open: (options?: Partial<StoreOptions>) => Promise<VerifiedStore>;
}

export async function nodeOver(way: Way, store: TemporaryStore): Promise<NodeUnderTest> {
  const server = way === 'http' ? await PuppetServer.start(store.folder) : undefined;
  const source = server?.url ?? store.folder;
  return {
    store,
    way,
    server,
    open: (options = {}) => store.open({ source, pollMs: 20, ...options }),
  };
}

/** A node over HTTP, with its server at hand. */
export async function nodeOverHttp(
  store: TemporaryStore,
): Promise<NodeUnderTest & { readonly server: PuppetServer }> {
  const node = await nodeOver('http', store);
  if (node.server === undefined) throw new Error('there is no server');
  return { ...node, server: node.server };
}

/**
 * The state that comes after that of `makeWithIris`: iris 3.0.0 is live, with bytes of its own. Never to be changed: who
 * wants to go on from it takes a copy.
 */
export function nextState(): Promise<TemporaryStore> {
  return TemporaryStore.prepared(withNext);
}

async function withNext(store: TemporaryStore): Promise<void> {
  await store.become(await TemporaryStore.prepared(withIris));
  const artifact = await readFile(new URL('../../../deploy/demo/models/digits-1.0.0.onnx', import.meta.url));
  const about = { framework: 'test', author: 'test', actor: 'test', nowMs: Date.now() };
  await publishModel({ ...store.publisher, ...about, model: 'iris', version: '3.0.0', artifact });
  await store.deploy('iris', '3.0.0');
}

/** A state folder of a node that never saw the store. */
export function freshState(store: TemporaryStore): string {
  return join(store.base, 'another-state');
}

/** The state with iris 2.0.0 live is in force, and its model can be read. */
export async function expectLastGood(opened: VerifiedStore): Promise<void> {
  expect(opened.current.deployments.get('iris')?.version).toBe('2.0.0');
  const live = opened.current.models.get('iris')?.get('2.0.0');
  if (live === undefined) throw new Error('iris 2.0.0 is not in the snapshot');
  expect(Buffer.from(await opened.readArtifact(live))).toEqual(Buffer.from(await demoModel('2.0.0')));
}

/** The error that opening ends with. */
export async function openingError(opening: Promise<VerifiedStore>): Promise<unknown> {
  return opening.then(
    () => new Error('the store opened'),
    (error: unknown) => error,
  );
}
