/**
 * One published version of a model, as a pipeline holds it. What was published never changes; where the version stands
 * does, so the moves are methods here, and `status` is what this object saw last.
 */
import { candidatesOf } from '../manifest/candidate-arms.ts';
import type { Deployment } from '../manifest/deployment.ts';
import type { HistoryEvent, StateChange } from '../manifest/change.ts';
import type { ModelSignature } from '../manifest/signature.ts';
import type { Stage } from '../manifest/stage.ts';
import type { VersionMetadata } from '../manifest/version-metadata.ts';
import { moveStage } from '../lifecycle/move-stage.ts';
import { readHistory } from '../lifecycle/read-history.ts';
import { ModelMetadata } from './model-metadata.ts';
import type { ChangeReason, StoreAccess } from './store-access.ts';

export class Model {
  readonly metadata: ModelMetadata;
  /** ISO 8601 in UTC. */
  readonly createdAt: string;
  /** Lower-case hex, of the ONNX file. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Tensors in and out; -1 is a dimension that is free. */
  readonly signature: ModelSignature;
  readonly parameterCount: number;
  readonly #access: StoreAccess;
  #status: Stage;

  /** Comes from `ModelRegistry`; there is nothing to make one from otherwise. */
  constructor(version: VersionMetadata, access: StoreAccess) {
    this.metadata = new ModelMetadata({
      ...version,
      metrics: Object.fromEntries(version.metrics),
      fixedBatch: version.signature.fixedRows !== undefined,
    });
    this.createdAt = version.createdAt;
    this.sha256 = version.artifact.sha256;
    this.sizeBytes = version.artifact.lengthBytes;
    this.signature = version.signature;
    this.parameterCount = version.onnx.parameterCount;
    this.#access = access;
    this.#status = version.stage;
  }

  get name(): string {
    return this.metadata.name;
  }

  get version(): string {
    return this.metadata.version;
  }

  /** `training`, `staged`, `production` or `archived`, as of the last move through this object or since it was read. */
  get status(): Stage {
    return this.#status;
  }

  /** From training, production or the archive to staged. Codes: ILLEGAL_MOVE and those of `moveStage`. */
  promoteToStaging(reason: ChangeReason = {}): Promise<this> {
    return this.#moveTo('staged', reason);
  }

  /** From staged to production; this puts nothing live. Codes: ILLEGAL_MOVE and those of `moveStage`. */
  promoteToProduction(reason: ChangeReason = {}): Promise<this> {
    return this.#moveTo('production', reason);
  }

  /** Puts the version away; it can no longer be deployed. Codes: VERSION_IN_USE while it is live or a candidate. */
  archive(reason: ChangeReason = {}): Promise<this> {
    return this.#moveTo('archived', reason);
  }

  /** Everything that happened to this version, oldest first: published, moved, deployed, replaced, kept no longer. */
  async deploymentHistory(): Promise<readonly HistoryEvent[]> {
    const events = await readHistory({ ...this.#access.reader(), model: this.name });
    return events.flatMap((event) => {
      const changes = event.changes.filter((change) => this.#concerns(change));
      return changes.length === 0 ? [] : [{ ...event, changes }];
    });
  }

  async #moveTo(to: Stage, reason: ChangeReason): Promise<this> {
    const { name: model, version } = this;
    const result = await this.#access.change(reason, (change) =>
      moveStage({ ...change, model, version, to }),
    );
    this.#status = result.to;
    return this;
  }

  #concerns(change: StateChange): boolean {
    const { name, version } = this;
    switch (change.kind) {
      case 'stage':
        return change.model === name && change.version === version;
      case 'deployment':
        return (
          change.model === name &&
          ([change.before, change.after].some((side) => side !== null && isNamedIn(side, version)) ||
            (change.before?.previousVersion === version && change.after?.previousVersion !== version))
        );
      case 'keys':
        return false;
    }
  }
}

function isNamedIn(deployment: Deployment, version: string): boolean {
  return [deployment, ...candidatesOf(deployment)].some((pin) => pin.version === version);
}
