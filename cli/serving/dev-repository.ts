/**
 * What lets clients load and unload models on a node that holds the keys of its store (`serve --dev`): a load deploys,
 * an unload undeploys, signed like any other change and seen in `tidegate history`.
 */
import type { RepositoryControl } from '../../gateway/main.ts';
import { fail, type Result, succeed, type WireError } from '../../gateway/wire/error-code.ts';
import type {
  DeploymentManifest,
  StoreSnapshot,
  UndeployOptions,
  VersionMetadata,
} from '../../registry-store/main.ts';
import { StoreError } from '../../registry-store/store-error.ts';
import { userName } from '../options/store-options.ts';

export interface DevRepositoryOptions {
  readonly store: string;
  readonly keys: string;
  readonly pinnedRootPath: string;
  readonly state: string;
  /** The state that the node serves. */
  readonly current: () => StoreSnapshot;
}

export function devRepository(options: DevRepositoryOptions): RepositoryControl {
  const change = (model: string, why: string): UndeployOptions => ({
    folder: options.store,
    keysFolders: [options.keys],
    nowMs: Date.now(),
    actor: userName(),
    why,
    model,
  });
  return {
    async load(model: string): Promise<Result<string>> {
      const snapshot = options.current();
      const deployed = snapshot.deployments.get(model);
      if (deployed !== undefined) return succeed(deployed.version);
      const versions = snapshot.models.get(model);
      if (versions === undefined) return unknown(model);
      return attempt(async () => {
        const version = await versionToLoad(options, model, snapshot);
        if (version === undefined) {
          return fail(
            'STORE_CHANGE_REFUSED',
            `No version of model '${model}' may be deployed. Move one to the stage 'staged' with 'tidegate stage'.`,
          );
        }
        const { deployModel } = await lifecycle();
        await deployModel({ ...change(model, 'loaded by a client'), version });
        return succeed(version);
      });
    },
    async unload(model: string): Promise<Result<undefined>> {
      const snapshot = options.current();
      if (!snapshot.models.has(model)) return unknown(model);
      if (!snapshot.deployments.has(model)) return succeed(undefined);
      return attempt(async () => {
        const { undeployModel } = await lifecycle();
        await undeployModel(change(model, 'unloaded by a client')).catch((error: unknown) => {
          // Somebody else was faster than the node could see.
          if (!(error instanceof StoreError && error.code === 'NOT_DEPLOYED')) throw error;
        });
        return succeed(undefined);
      });
    },
  };
}

/** Most nodes never change their store, so what that takes is not read from disk before somebody asks for it. */
const lifecycle = async () => import('../../registry-store/main.ts');

function unknown(model: string): WireError {
  return fail(
    'UNKNOWN_MODEL',
    `Request for unknown model: '${model}' is not found in the store. Publish it with 'tidegate publish'.`,
  );
}

/** The version that was live last, so that an unload can be taken back; else the one that was published last. */
async function versionToLoad(
  { store: folder, pinnedRootPath, state: stateFolder }: DevRepositoryOptions,
  model: string,
  { models, manifest }: StoreSnapshot,
): Promise<string | undefined> {
  const versions = [...(models.get(model)?.values() ?? [])].filter((version) =>
    isDeployable(version, manifest),
  );
  const { readHistory } = await lifecycle();
  const events = await readHistory({ folder, pinnedRootPath, stateFolder, nowMs: Date.now(), model });
  for (const { changes } of [...events].reverse()) {
    for (const change of changes) {
      if (!('before' in change) || change.model !== model) continue;
      const last = change.before?.version;
      if (versions.some(({ version }) => version === last)) return last;
    }
  }
  return versions.sort((left, right) => right.published.revision - left.published.revision)[0]?.version;
}

function isDeployable({ name, version, stage }: VersionMetadata, manifest: DeploymentManifest): boolean {
  const now = manifest.stages.get(name)?.get(version) ?? stage;
  return now === 'staged' || now === 'production';
}

/** What the store refuses is told by its code: its messages are for who runs the node, and may name places on it. */
async function attempt<Value>(work: () => Promise<Result<Value>>): Promise<Result<Value>> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return fail('STORE_CHANGE_REFUSED', `The store did not take the change: ${error.code}.`);
  }
}
