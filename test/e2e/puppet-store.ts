/**
 * A store moved by hand: tests say which versions exist and what is live, and the gateway hears of it as it would from
 * a verified one. Nothing is signed here; trust has tests of its own.
 */
import { createHash } from 'node:crypto';
import { describeOnnxModel } from '../../registry-store/onnx/describe-model.ts';
import type {
  Deployment,
  StoreCondition,
  StoreError,
  StoreEvent,
  StoreSnapshot,
  VerifiedStore,
  VersionMetadata,
} from '../../registry-store/main.ts';

type Listener = (event: StoreEvent) => void;

export class PuppetStore implements VerifiedStore {
  readonly #files = new Map<string, Uint8Array>();
  readonly #listeners = new Set<Listener>();
  readonly #models = new Map<string, Map<string, VersionMetadata>>();
  readonly #deployments = new Map<string, Deployment>();
  #revision = 1;
  /** Files are handed out once this is over. */
  #held: Promise<void> = Promise.resolve();
  #condition: StoreCondition = { fresh: true, lastVerifiedAtMs: 1, expires: new Map(), expiresSoon: [] };

  get current(): StoreSnapshot {
    const deployments = new Map(this.#deployments);
    const changed = { at: '2026-01-01T00:00:00.000Z', by: 'test', why: 'test' };
    return {
      revision: this.#revision,
      models: new Map([...this.#models].map(([name, versions]) => [name, new Map(versions)])),
      deployments,
      manifest: {
        revision: this.#revision,
        changed,
        deployments,
        stages: new Map(),
        history: { events: 1, segments: 1 },
      },
    };
  }

  get condition(): StoreCondition {
    return this.#condition;
  }

  /** Lets it age, or find the source gone. */
  setCondition(condition: Partial<StoreCondition>): void {
    this.#condition = { ...this.#condition, ...condition };
    for (const listener of this.#listeners) listener({ kind: 'condition', condition: this.#condition });
  }

  refuse(error: StoreError): void {
    for (const listener of this.#listeners) listener({ kind: 'refused', error });
  }

  interrupt(error: StoreError, restartMs: number): void {
    for (const listener of this.#listeners) listener({ kind: 'interrupted', error, restartMs });
  }

  publish(
    name: string,
    version: string,
    file: Uint8Array,
    {
      state = [],
      fixedRows,
    }: Pick<VersionMetadata['signature'], 'fixedRows'> & Partial<Pick<VersionMetadata, 'state'>> = {},
  ): void {
    const described = describeOnnxModel(file);
    if (!described.ok) throw new Error(described.message);
    const sha256 = createHash('sha256').update(file).digest('hex');
    this.#files.set(sha256, file);
    const { signature, irVersion, opsets, parameterCount, producer } = described.value;
    const metadata: VersionMetadata = {
      name,
      version,
      framework: 'test',
      author: 'test',
      description: '',
      createdAt: '2026-01-01T00:00:00.000Z',
      metrics: new Map(),
      tags: [],
      stage: 'staged',
      published: { revision: this.#revision, by: 'test', why: 'test' },
      signature: { ...signature, fixedRows },
      state,
      onnx: { irVersion, opsets: new Map(Object.entries(opsets)), parameterCount, producer },
      artifact: { path: `models/${name}/${version}/model.onnx`, lengthBytes: file.length, sha256 },
    };
    const versions = this.#models.get(name) ?? new Map<string, VersionMetadata>();
    this.#models.set(name, versions.set(version, metadata));
  }

  /** `rollout` leaves another version beside it, as a strategy would. */
  deploy(model: string, version: string, rollout: Partial<Deployment> = {}): void {
    const metadata = this.#models.get(model)?.get(version);
    if (metadata === undefined) throw new Error(`${model} ${version} was not published`);
    const before = this.#deployments.get(model);
    const { sha256 } = metadata.artifact;
    const previous =
      before === undefined || before.version === version
        ? {}
        : { previousVersion: before.version, previousSha256: before.sha256 };
    this.#deployments.set(model, { model, strategy: 'all', version, sha256, ...previous, ...rollout });
    this.#changed(model);
  }

  /** Of the version published last; tests that compare versions give them one signature. */
  signatureOf(model: string): VersionMetadata['signature'] {
    const metadata = [...(this.#models.get(model)?.values() ?? [])].at(-1);
    if (metadata === undefined) throw new Error(`${model} was not published`);
    const { signature, state } = metadata;
    const hidden = new Set(state.map(({ output }) => output));
    return { ...signature, outputs: signature.outputs.filter(({ name }) => !hidden.has(name)) };
  }

  undeploy(model: string): void {
    this.#deployments.delete(model);
    this.#changed(model);
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** From now on files do not come until what this returns is called, as from a source that is slow. */
  holdArtifacts(): () => void {
    let release = (): void => undefined;
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  }

  async readArtifact(version: VersionMetadata): Promise<Uint8Array> {
    await this.#held;
    const file = this.#files.get(version.artifact.sha256);
    if (file === undefined) throw new Error('no such artifact');
    return new Uint8Array(file);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #changed(model: string): void {
    this.#revision += 1;
    const snapshot = this.current;
    for (const listener of this.#listeners) {
      listener({ kind: 'snapshot', snapshot, changedModels: new Set([model]) });
    }
  }
}
