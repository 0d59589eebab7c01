/**
 * From the body of a change request to the change: reads what is asked for, gets the artifact, and has it done when its
 * turn comes. Says which model it was about, for the audit log, also when it was refused.
 */
import { readArtifactBelow } from './artifact-folder.ts';
import { type ArtifactUpload, queryFields, readMultipart, readUploadFacts } from './artifact-upload.ts';
import type { ChangeQueue } from './change-queue.ts';
import type { ChangeKind } from './control-endpoints.ts';
import { type ControlFailure, type ControlResult, accepted, refuse } from './control-error.ts';
import type { ControlLimits } from './control-limits.ts';
import type { ChangeOutcome, ControlOperations } from './control-operations.ts';
import {
  type ArtifactSource,
  type Fields,
  type RegisterRequest,
  readDeploy,
  readModel,
  readPromote,
  readRegisterJson,
  readRollback,
  readScale,
  readUndeploy,
} from './control-requests.ts';
import { readJsonBody } from './request-fields.ts';

export interface ChangeRequest {
  readonly kind: Exclude<ChangeKind, 'reload'>;
  readonly parameters: ReadonlyMap<string, string>;
  readonly query: URLSearchParams;
  /** Lower-case, with its parameters. */
  readonly contentType: string;
  readonly metadataHeader: string;
  readonly readBody: (bytesMax: number, limitName: string) => Promise<ControlResult<Uint8Array>>;
  /** Who asks, for the signed record. */
  readonly by: string;
  /** Whether the token may change every model at once. */
  readonly mayChangeAll: boolean;
}

export class ControlChanges {
  readonly #operations: ControlOperations;
  readonly #queue: ChangeQueue;
  readonly #limits: ControlLimits;
  readonly #artifactsFolder: string | undefined;
  readonly #stop = new AbortController();
  #uploads = 0;

  constructor(options: {
    readonly operations: ControlOperations;
    readonly queue: ChangeQueue;
    readonly limits: ControlLimits;
    readonly artifactsFolder: string | undefined;
  }) {
    this.#operations = options.operations;
    this.#queue = options.queue;
    this.#limits = options.limits;
    this.#artifactsFolder = options.artifactsFolder;
  }

  /** Gives up what is not in force yet. */
  abort(): void {
    this.#stop.abort(new Error('the node stops'));
  }

  get isAborted(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Rejects with a StoreError for what the store refuses; `told` hears the model before. */
  async make(request: ChangeRequest, told: (model: string | undefined) => void): Promise<ChangeOutcome> {
    const { kind, parameters } = request;
    if (kind === 'register' || kind === 'upload') return this.#publish(request, told);
    const model = parameters.get('model');
    const fields = await this.#fields(request);
    if (!fields.ok) return fields;
    const asker = { by: request.by, signal: this.#stop.signal };
    const operations = this.#operations;
    switch (kind) {
      case 'deploy':
        return this.#run(readDeploy(fields.value, model), told, (wanted) => operations.deploy(wanted, asker));
      case 'scale':
        return this.#run(readScale(fields.value, model), told, (wanted) => operations.scale(wanted, asker));
      case 'undeploy':
        return this.#run(readUndeploy(fields.value, model), told, (wanted) =>
          operations.undeploy(wanted, asker),
        );
      case 'promote':
        return this.#run(readPromote(fields.value, model), told, (wanted) =>
          operations.promote(wanted, asker),
        );
      case 'rollback': {
        const wanted = readRollback(fields.value, model);
        if (wanted.ok && wanted.value.model === undefined && !request.mayChangeAll) {
          return refuse('SCOPE_MISSING', 'Going back with every model needs the scope admin. Name a model.');
        }
        return this.#run(wanted, told, (asked) => operations.rollback(asked, asker));
      }
      case 'pause':
      case 'resume':
      case 'approve':
      case 'abort':
        return this.#run(readModel(fields.value, model), told, (wanted) =>
          operations.move(kind, wanted, asker),
        );
    }
  }

  #run<Wanted extends { readonly model: string | undefined }>(
    wanted: ControlResult<Wanted>,
    told: (model: string | undefined) => void,
    work: (wanted: Wanted) => Promise<ChangeOutcome>,
  ): Promise<ChangeOutcome> {
    if (!wanted.ok) return Promise.resolve(wanted);
    told(wanted.value.model);
    return this.#queue.run(() => work(wanted.value));
  }

  /** From the body, or from the query of a request without one. */
  async #fields({ readBody, query }: ChangeRequest): Promise<ControlResult<Fields>> {
    const body = await readBody(this.#limits.jsonBytesMax, 'jsonBytesMax');
    if (!body.ok) return body;
    if (body.value.length === 0) return accepted(queryFields(query));
    if (query.size > 0)
      return refuse('INVALID_REQUEST', 'Give fields in the body or in the query, not in both.');
    return readJsonBody(body.value);
  }

  async #publish(request: ChangeRequest, told: (model: string | undefined) => void): Promise<ChangeOutcome> {
    if (this.#uploads >= this.#limits.uploadsMax) {
      return refuse(
        'TOO_MANY_UPLOADS',
        `${this.#limits.uploadsMax} artifacts are being sent already (uploadsMax).`,
      );
    }
    this.#uploads += 1;
    try {
      const upload =
        request.kind === 'upload' ? await this.#uploadOf(request) : await this.#registerOf(request);
      if (!upload.ok) return upload;
      const { request: wanted, bytes } = upload.value;
      told(wanted.metadata.name);
      if (bytes.length === 0) return refuse('INVALID_REQUEST', 'The artifact is empty. Send the ONNX file.');
      const asked = { request: wanted, artifact: bytes, again: request.kind === 'upload' };
      const asker = { by: request.by, signal: this.#stop.signal };
      return await this.#queue.run(() => this.#operations.register(asked, asker));
    } finally {
      this.#uploads -= 1;
    }
  }

  /** Facts first: who forgot one need not send the file. */
  async #uploadOf(request: ChangeRequest): Promise<ControlResult<ArtifactUpload>> {
    const { parameters, contentType, query, metadataHeader: header } = request;
    const path = { name: parameters.get('name') ?? '', version: parameters.get('version') ?? '' };
    if (/^(application\/json|multipart\/)/.test(contentType)) {
      return refuse('UNSUPPORTED_MEDIA_TYPE', 'The body is the file itself, as application/octet-stream.');
    }
    return this.#rawUpload(request, readUploadFacts({ query, header }, path));
  }

  async #registerOf(request: ChangeRequest): Promise<ControlResult<ArtifactUpload>> {
    const { contentType, query, metadataHeader: header, readBody } = request;
    const { artifactBytesMax, jsonBytesMax, base64BodyBytesMax } = this.#limits;
    if (contentType.startsWith('application/octet-stream')) {
      return this.#rawUpload(request, readUploadFacts({ query, header }, undefined));
    }
    if (query.size > 0) {
      return refuse(
        'INVALID_REQUEST',
        'Fields go in the query only when the body is application/octet-stream.',
      );
    }
    if (contentType.startsWith('multipart/form-data')) {
      const form = await readBody(artifactBytesMax + jsonBytesMax, 'artifactBytesMax');
      return form.ok ? readMultipart(form.value, contentType) : form;
    }
    const body = await readBody(base64BodyBytesMax, 'base64BodyBytesMax');
    const fields = body.ok ? readJsonBody(body.value) : body;
    const wanted = fields.ok ? readRegisterJson(fields.value) : fields;
    if (!wanted.ok) return wanted;
    return this.#withArtifact(wanted.value);
  }

  async #withArtifact(wanted: {
    readonly request: RegisterRequest;
    readonly artifact: ArtifactSource;
  }): Promise<ControlResult<ArtifactUpload>> {
    const { request, artifact } = wanted;
    if (artifact.from === 'bytes') return accepted({ request, bytes: artifact.bytes });
    const { artifactBytesMax } = this.#limits;
    const bytes = await readArtifactBelow(this.#artifactsFolder, artifact.path, artifactBytesMax);
    return bytes.ok ? accepted({ request, bytes: bytes.value }) : bytes;
  }

  async #rawUpload(
    { readBody }: ChangeRequest,
    facts: ControlResult<RegisterRequest> | ControlFailure,
  ): Promise<ControlResult<ArtifactUpload>> {
    if (!facts.ok) return facts;
    const bytes = await readBody(this.#limits.artifactBytesMax, 'artifactBytesMax');
    return bytes.ok ? accepted({ request: facts.value, bytes: bytes.value }) : bytes;
  }
}
