/**
 * Everything that scenarios run against, started when it is first asked for: a store with the models of the bench, gateways
 * over it, and the peers. What a machine does not have is left out by name, with what to do about it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { demoModels } from '../../deploy/demo/demo-models.ts';
import { deployModel, initStore, publishModel } from '../../registry-store/main.ts';
import type { Children } from '../children.ts';
import { findPython, flaskMissing, startFlask } from '../peers/flask.ts';
import { startGateway } from '../peers/gateway.ts';
import { type Found, findOrtNode } from '../peers/ort-node.ts';
import type { OrtBackend } from '../peers/ort-session.ts';
import { askOnce, askOnceOnStream, startBareUws, startFastify } from '../peers/peer.ts';
import { largeModels } from './bench-models.ts';

export const modelNames = ['iris', 'digits', 'mlp', 'mobilenet'] as const;
export type ModelName = (typeof modelNames)[number];

interface NamedFile {
  readonly name: string;
  readonly version: string;
  readonly file: string;
}

/** One that can be asked, under whatever name. */
export interface AnyModel extends NamedFile {
  readonly input: string;
  /** Without the batch. */
  readonly rowShape: readonly number[];
}

export interface BenchModel extends AnyModel {
  readonly name: ModelName;
}

export interface FieldOptions {
  readonly children: Children;
  /** Empty; removed by the caller. */
  readonly folder: string;
  readonly isQuick: boolean;
  readonly mayInstall: boolean;
}

export type PeerKind = 'bare-uws' | 'fastify-web' | 'fastify-node' | 'flask';

export const peerKinds: readonly PeerKind[] = ['bare-uws', 'fastify-web', 'fastify-node', 'flask'];

export const peerNames: Readonly<Record<PeerKind | 'gateway', string>> = {
  gateway: 'gateway',
  'bare-uws': 'bare uWebSockets.js, fixed answer',
  'fastify-web': 'Fastify + onnxruntime-web',
  'fastify-node': 'Fastify + onnxruntime-node',
  flask: 'Flask + scikit-learn',
};

/** What a deployment says about batches and threads of its model. */
export type Settings = Pick<Parameters<typeof deployModel>[0], 'batching' | 'resources'>;

export interface Publisher {
  readonly folder: string;
  readonly keysFolders: readonly string[];
  readonly actor: string;
}

export class Field {
  readonly children: Children;
  readonly models: ReadonlyMap<ModelName, BenchModel>;
  /** Names of peers that are not here, with the reason. */
  readonly missing: Map<string, string> = new Map<string, string>();
  readonly #options: FieldOptions;
  readonly #gateways = new Map<string, Promise<number>>();
  readonly #peers = new Map<PeerKind, Promise<number | undefined>>();
  #states = 0;
  readonly #ownStores = new Map<string, Promise<readonly string[]>>();
  #python: { readonly file: string | undefined } | undefined;
  #ortNode: Found | undefined;

  private constructor(options: FieldOptions, models: ReadonlyMap<ModelName, BenchModel>) {
    this.#options = options;
    this.children = options.children;
    this.models = models;
  }

  static async make(options: FieldOptions): Promise<Field> {
    const models = writeModels(options);
    const field = new Field(options, new Map(models.map((model) => [model.name, model])));
    await initStore({ ...field.publisher, nowMs: Date.now() });
    for (const model of models) await publishAndDeploy(field.publisher, model);
    return field;
  }

  /** For changes to the store while gateways serve it. */
  get publisher(): Publisher {
    const { folder } = this.#options;
    return { folder: join(folder, 'store'), keysFolders: [join(folder, 'keys')], actor: 'bench' };
  }

  /** A working folder for gateways. */
  get folder(): string {
    return this.#options.folder;
  }

  /** The options of a gateway over a store of iris alone, always with the same state. */
  irisStore(): Promise<readonly string[]> {
    return this.storeOf(this.model('iris'));
  }

  /** The same for one model, also one that is not among those of the field. */
  storeOf(model: NamedFile): Promise<readonly string[]> {
    return this.#storeNamed(model.name, () => [[model, {}]]);
  }

  /** For changes to a store of `ownStore`. */
  ownPublisher(name: string): Publisher {
    const { folder } = this;
    return {
      folder: join(folder, `${name}-store`),
      keysFolders: [join(folder, `${name}-keys`)],
      actor: 'bench',
    };
  }

  /** The same for any models, each with what its deployment says; made when the name is first asked for. */
  ownStore(name: string, models: readonly (readonly [NamedFile, Settings])[]): Promise<readonly string[]> {
    return this.#storeNamed(name, () => models);
  }

  #storeNamed(
    name: string,
    models: () => readonly (readonly [NamedFile, Settings])[],
  ): Promise<readonly string[]> {
    const options = this.#ownStores.get(name) ?? this.#makeStore(name, models());
    this.#ownStores.set(name, options);
    return options;
  }

  async #makeStore(
    name: string,
    models: readonly (readonly [NamedFile, Settings])[],
  ): Promise<readonly string[]> {
    const place = this.ownPublisher(name);
    await initStore({ ...place, nowMs: Date.now() });
    for (const [model, settings] of models) await publishAndDeploy(place, model, settings);
    const root = join(this.folder, `${name}-keys`, 'root.json');
    return ['--store', place.folder, '--root', root, '--state', join(this.folder, `${name}-state`)];
  }

  model(name: ModelName): BenchModel {
    const model = this.models.get(name);
    if (model === undefined) throw new RangeError(`There is no model ${name}.`);
    return model;
  }

  /** Port of a gateway with these limits, `name=value`; the same one when it is asked for again. */
  gateway(limits: readonly string[] = []): Promise<number> {
    const key = limits.join();
    let port = this.#gateways.get(key);
    if (port === undefined) {
      port = this.startGateway(limits, this.children);
      this.#gateways.set(key, port);
    }
    return port;
  }

  /** Another one, with a state of its own. Resolves once it is ready. */
  startGateway(
    limits: readonly string[],
    children: Children,
    options: readonly string[] = [],
  ): Promise<number> {
    const { folder } = this.#options;
    const state = join(folder, `state-${this.#states++}`);
    mkdirSync(state);
    const place = [
      '--store',
      join(folder, 'store'),
      '--root',
      join(folder, 'keys', 'root.json'),
      '--state',
      state,
    ];
    return startGateway(children, folder, [
      ...place,
      ...limits.flatMap((limit) => ['--limit', limit]),
      ...options,
    ]);
  }

  /** Port of a peer; undefined for one that is not here, which is noted in `missing`. */
  peer(kind: PeerKind): Promise<number | undefined> {
    let port = this.#peers.get(kind);
    if (port === undefined) {
      port = this.startPeer(kind, this.children);
      this.#peers.set(kind, port);
    }
    return port;
  }

  /** Another one. */
  async startPeer(kind: PeerKind, children: Children): Promise<number | undefined> {
    if (!this.has(kind)) return undefined;
    if (kind === 'bare-uws') return this.#startBareUws(children);
    if (kind === 'flask') return startFlask(children, this.#python?.file ?? '');
    const backend = this.backend(kind === 'fastify-web' ? 'web' : 'node');
    return backend === undefined ? undefined : startFastify(children, [...this.models.values()], backend);
  }

  /** Its answers are those of the gateway to a row of iris. */
  async #startBareUws(children: Children): Promise<number> {
    const port = await this.gateway();
    const sample = demoModels().find(({ name }) => name === 'iris')?.sample;
    if (sample === undefined) throw new Error('There is no demo model iris.');
    const http = await askOnce(port, sample);
    return startBareUws(children, { http, message: await askOnceOnStream(port, sample) });
  }

  /** Whether this machine has it; looked up, and installed where that is allowed, once. What is not here is noted. */
  has(kind: PeerKind): boolean {
    if (kind === 'bare-uws') return true;
    if (kind === 'flask') {
      this.#python ??= { file: findPython() };
      if (this.#python.file === undefined) this.missing.set(peerNames.flask, flaskMissing);
      return this.#python.file !== undefined;
    }
    return this.backend(kind === 'fastify-web' ? 'web' : 'node') !== undefined;
  }

  /** Undefined for onnxruntime-node where it is not here, which is noted. */
  backend(kind: 'web' | 'node'): OrtBackend | undefined {
    if (kind === 'web') return 'web';
    this.#ortNode ??= findOrtNode(this.#options.mayInstall);
    if (this.#ortNode.ok) return this.#ortNode.file;
    this.missing.set('onnxruntime-node', this.#ortNode.reason);
    return undefined;
  }
}

async function publishAndDeploy(
  publisher: Publisher,
  { name, version, file }: NamedFile,
  settings: Settings = {},
): Promise<void> {
  const about = { model: name, version, framework: 'onnx', author: 'bench' };
  const artifact = new Uint8Array(readFileSync(file));
  await publishModel({ ...publisher, ...about, artifact, nowMs: Date.now() });
  await deployModel({ ...publisher, ...settings, model: name, version, nowMs: Date.now() });
}

function writeModels({ folder, isQuick }: FieldOptions): readonly BenchModel[] {
  const newest = new Map(demoModels().map((model) => [model.name, model]));
  const demo = (['iris', 'digits'] as const).map((name): BenchModel => {
    const model = newest.get(name);
    if (model === undefined) throw new Error(`There is no demo model ${name}.`);
    const { version, file, sample } = model;
    return { name, version, file, input: sample.input, rowShape: sample.shape };
  });
  const large = largeModels(isQuick ? 'tiny' : 'full').map(({ name, input, rowShape, bytes }): BenchModel => {
    const file = join(folder, `${name}.onnx`);
    writeFileSync(file, bytes);
    return { name, version: '1.0.0', file, input, rowShape };
  });
  return [...demo, ...large];
}
