/**
 * A state on its way from the thread that verifies to the thread that serves: only what changed, model by model, in
 * pieces so small that taking one in holds up no request. Unpacking a message costs the receiver time that grows with
 * its content, and a store may hold ten thousand versions.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Deployment, DeploymentManifest, StageTable } from '../manifest/deployment-manifest.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import type { VersionMetadata } from '../manifest/version-metadata.ts';

/** What is new about one model. A model with many versions may come in several pieces. */
export interface ModelPiece {
  readonly model: string;
  readonly put: readonly VersionMetadata[];
  /** With the last piece of the model: all its versions in order, none when the model is gone. */
  readonly names?: readonly string[];
}

/** Ends a series of pieces. */
export interface SnapshotEnd {
  /** The pieces are all there is, not a change of what was sent before. */
  readonly isWhole: boolean;
  readonly revision: number;
  readonly manifest: Omit<DeploymentManifest, 'deployments' | 'stages'>;
  /** Only those that changed; undefined for those that are gone. */
  readonly deployments: readonly (readonly [string, Deployment | undefined])[];
  readonly stages: readonly (readonly [string, StageRow | undefined])[];
  readonly changedModels: readonly string[];
}

type StageRow = StageTable extends ReadonlyMap<string, infer Row> ? Row : never;

/** Versions in one piece: unpacking that many takes about a millisecond on a small machine. bench/store-scale.ts. */
export const pieceVersionsMax = 48;

export interface SnapshotChange {
  readonly pieces: readonly (readonly ModelPiece[])[];
  readonly end: SnapshotEnd;
}

/** What leads from one state to the next. Parts that are the same objects are not looked into. */
export function changeBetween(before: StoreSnapshot | undefined, next: StoreSnapshot): SnapshotChange {
  const models = changedModelPieces(before, next);
  const deployments = changedRows(before?.deployments, next.deployments);
  const stages = changedRows(before?.manifest.stages, next.manifest.stages);
  const { revision, changed: lastChange, history } = next.manifest;
  const changed = new Set<string>();
  for (const { model } of models) changed.add(model);
  for (const [model] of [...deployments, ...stages]) changed.add(model);
  return {
    pieces: inPieces(models),
    end: {
      isWhole: before === undefined,
      revision: next.revision,
      manifest: { revision, changed: lastChange, history },
      deployments,
      stages,
      changedModels: [...changed],
    },
  };
}

/** Takes pieces in until their end, and makes the next state of the last one. */
export class SnapshotAssembly {
  #current: StoreSnapshot | undefined;
  #arriving = new Map<string, Map<string, VersionMetadata>>();
  #complete = new Map<string, ReadonlyMap<string, VersionMetadata> | undefined>();

  /** Forgets the pieces of a series that will not be ended; the last state stays. */
  restart(): void {
    this.#arriving = new Map();
    this.#complete = new Map();
  }

  add(pieces: readonly ModelPiece[]): void {
    for (const { model, put, names } of pieces) {
      const arrived = this.#arriving.get(model) ?? new Map<string, VersionMetadata>();
      const known = this.#current?.models.get(model);
      for (const version of put) {
        const before = known?.get(version.version);
        // A keeper that was started anew sends everything: what is the same stays the same object.
        arrived.set(
          version.version,
          before !== undefined && isSameVersion(before, version) ? before : version,
        );
      }
      this.#arriving.set(model, arrived);
      if (names === undefined) continue;
      const versions = names.flatMap((name): (readonly [string, VersionMetadata])[] => {
        const version = arrived.get(name) ?? known?.get(name);
        return version === undefined ? [] : [[name, version]];
      });
      this.#complete.set(model, names.length === 0 ? undefined : new Map(versions));
    }
  }

  /** With the models that are others than in the last state; also those that are gone. */
  end(end: SnapshotEnd): { readonly snapshot: StoreSnapshot; readonly changedModels: ReadonlySet<string> } {
    const last = this.#current;
    const before = end.isWhole ? undefined : last;
    const models = withRows(before?.models, this.#complete);
    const deployments = withRows(before?.deployments, end.deployments);
    const stages = withRows(before?.manifest.stages, end.stages);
    this.restart();
    const manifest: DeploymentManifest = { ...end.manifest, deployments, stages };
    const snapshot = { revision: end.revision, models, deployments, manifest };
    this.#current = snapshot;
    const changed = end.isWhole && last !== undefined ? changeBetween(last, snapshot).end : end;
    return { snapshot, changedModels: new Set(changed.changedModels) };
  }
}

function changedModelPieces(before: StoreSnapshot | undefined, next: StoreSnapshot): readonly ModelPiece[] {
  const pieces: ModelPiece[] = [];
  for (const [model, versions] of next.models) {
    const known = before?.models.get(model);
    if (known === versions) continue;
    const put = [...versions.values()].filter(
      (version) => !isSameVersion(known?.get(version.version), version),
    );
    const names = [...versions.keys()];
    const isSame = put.length === 0 && known !== undefined && [...known.keys()].join('/') === names.join('/');
    if (isSame) continue;
    for (let at = 0; at < put.length - pieceVersionsMax; at += pieceVersionsMax) {
      pieces.push({ model, put: put.slice(at, at + pieceVersionsMax) });
    }
    const sent = Math.max(0, Math.ceil(put.length / pieceVersionsMax) - 1) * pieceVersionsMax;
    pieces.push({ model, put: put.slice(sent), names });
  }
  for (const model of before?.models.keys() ?? []) {
    if (!next.models.has(model)) pieces.push({ model, put: [], names: [] });
  }
  return pieces;
}

function isSameVersion(known: VersionMetadata | undefined, version: VersionMetadata): boolean {
  return known === version || (known !== undefined && isDeepStrictEqual(known, version));
}

/** Small models share a message. */
function inPieces(models: readonly ModelPiece[]): readonly (readonly ModelPiece[])[] {
  const messages: ModelPiece[][] = [];
  let room = 0;
  for (const piece of models) {
    const cost = piece.put.length + 1;
    if (cost > room) {
      messages.push([]);
      room = Math.max(pieceVersionsMax, cost);
    }
    messages.at(-1)?.push(piece);
    room -= cost;
  }
  return messages;
}

function changedRows<Row>(
  before: ReadonlyMap<string, Row> | undefined,
  next: ReadonlyMap<string, Row>,
): readonly (readonly [string, Row | undefined])[] {
  const rows: (readonly [string, Row | undefined])[] = [];
  for (const [model, row] of next) {
    const known = before?.get(model);
    if (known !== row && !(known !== undefined && isDeepStrictEqual(known, row))) rows.push([model, row]);
  }
  for (const model of before?.keys() ?? []) if (!next.has(model)) rows.push([model, undefined]);
  return rows;
}

function withRows<Row>(
  before: ReadonlyMap<string, Row> | undefined,
  changed: Iterable<readonly [string, Row | undefined]>,
): ReadonlyMap<string, Row> {
  const rows = new Map(before);
  for (const [model, row] of changed) {
    if (row === undefined) rows.delete(model);
    else rows.set(model, row);
  }
  return rows;
}
