/**
 * One request of the control API from its head to its answer, whatever carried it: is the caller one of ours, who is
 * it, what may they, and then a look or a change. A change leaves a line in the audit log before it is answered.
 */
import type { Logger } from '../telemetry/logger.ts';
import { isStoreError } from '../../registry-store/store-error.ts';
import type { AuditLog } from './audit-log.ts';
import type { ControlChanges } from './control-changes.ts';
import { type Endpoint, commandsElsewhere, matchEndpoint } from './control-endpoints.ts';
import {
  type ControlFailure,
  type ControlResult,
  controlErrorTable,
  refuse,
  storeFailure,
} from './control-error.ts';
import type { ChangeOutcome } from './control-operations.ts';
import { type Fields, readNothing } from './control-requests.ts';
import { type TokenEntry, findToken, mayUse } from './control-tokens.ts';
import { type ViewOptions, view } from './control-views.ts';
import type { FailureLimit } from './failure-limit.ts';
import type { LocalCallers } from './local-callers.ts';
import { metadataHeader } from './artifact-upload.ts';
import type { TokenFile } from './token-file.ts';

/** A request as a transport hands it over. */
export interface ControlCall {
  /** In capitals. */
  readonly method: string;
  /** Without the query, percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** By lower-case name; empty when it was not sent. */
  readonly header: (name: string) => string;
  readonly remoteAddress: string;
  /** Subject of the client's certificate, if it had to show one. */
  readonly certificate: string | undefined;
  /** At most once. `limitName` is said to whoever sends more. */
  readonly readBody: (bytesMax: number, limitName: string) => Promise<ControlResult<Uint8Array>>;
}

export interface ControlAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** To be sent as JSON. */
  readonly body: object;
}

export interface ControlServiceOptions extends ViewOptions {
  readonly callers: LocalCallers;
  readonly tokens: TokenFile;
  readonly failures: FailureLimit;
  readonly audit: AuditLog;
  /** Undefined on a node that may not change the store. */
  readonly changes: ControlChanges | undefined;
  readonly log: Logger;
  readonly nowMs: () => number;
}

export class ControlService {
  readonly #options: ControlServiceOptions;

  constructor(options: ControlServiceOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async handle(call: ControlCall): Promise<ControlAnswer> {
    try {
      return await this.#answer(call);
    } catch (fault) {
      return answerOf(this.#failureOf(fault));
    }
  }

  async #answer(call: ControlCall): Promise<ControlAnswer> {
    const match = matchEndpoint(call.method, call.path);
    const endpoint = match.found === 'endpoint' ? match.endpoint : undefined;
    const token = await this.#authenticate(call);
    if (!token.ok) return this.#refused(call, endpoint, { failure: token, token: undefined });
    if (match.found === 'nothing')
      return answerOf(refuse('NOT_FOUND', 'There is nothing at this path. See GET /v1/openapi.json.'));
    if (match.found === 'path') {
      const allow = match.allow.join(', ');
      const message = `${call.method} is not possible on this path. Use ${allow}.`;
      return answerOf({ ...refuse('METHOD_NOT_ALLOWED', message), headers: { allow } });
    }
    const { value: entry } = token;
    if (!mayUse(entry, match.endpoint.scope)) {
      const failure = refuse(
        'SCOPE_MISSING',
        `This needs the scope ${match.endpoint.scope}; the token ${entry.name} has ${entry.scopes.join(', ')}.`,
      );
      return this.#refused(call, endpoint, { failure, token: entry });
    }
    const found = { endpoint: match.endpoint, parameters: match.parameters };
    return match.endpoint.does === 'read' ? this.#look(call, found) : this.#change(call, { ...found, entry });
  }

  /** Who comes too often without a valid token is told so, and leaves no more lines in log and audit. */
  async #authenticate(call: ControlCall): Promise<ControlResult<TokenEntry>> {
    const found = this.#stranger(call) ?? (await this.#token(call));
    if (found.ok) return found;
    const { failures, nowMs, log } = this.#options;
    const remote = call.remoteAddress;
    if (failures.take(remote, nowMs())) {
      log.warn({ remote, code: found.code }, 'control request was not let in');
      return found;
    }
    return refuse(
      'TOO_MANY_FAILURES',
      'Too many requests without a valid token came from this address. A valid one is taken at any time.',
    );
  }

  #stranger(call: ControlCall): ControlFailure | undefined {
    const headers = { host: call.header('host'), origin: call.header('origin') };
    return this.#options.callers.refusalOf(headers);
  }

  async #token(call: ControlCall): Promise<ControlResult<TokenEntry>> {
    const { tokens, nowMs, log } = this.#options;
    try {
      return findToken(await tokens.entries(), call.header('authorization'), nowMs());
    } catch (trouble) {
      log.error({ err: trouble }, 'control tokens cannot be read, nobody is let in');
      return refuse('TOKENS_UNAVAILABLE', 'The tokens of this node cannot be read. Its log has the reason.');
    }
  }

  async #look(
    call: ControlCall,
    { endpoint, parameters }: { endpoint: Endpoint; parameters: ReadonlyMap<string, string> },
  ): Promise<ControlAnswer> {
    if (endpoint.does !== 'read') throw new Error(`${endpoint.path} is no look`);
    const query: Fields = new Map(call.query);
    const result = await view(this.#options, { kind: endpoint.kind, parameters, query });
    return result.ok ? { status: endpoint.status, headers: {}, body: result.value } : answerOf(result);
  }

  async #change(
    call: ControlCall,
    found: { endpoint: Endpoint; parameters: ReadonlyMap<string, string>; entry: TokenEntry },
  ): Promise<ControlAnswer> {
    const { endpoint, entry, parameters } = found;
    const { audit } = this.#options;
    if (!(await audit.isReady())) {
      return answerOf(
        refuse('AUDIT_UNAVAILABLE', 'The audit log cannot be written, so nothing was changed.'),
      );
    }
    let model = parameters.get('model') ?? parameters.get('name');
    const outcome = await this.#outcome(call, found, (told) => {
      model = told;
    }).catch((fault: unknown) => this.#failureOf(fault));
    const answer: ControlAnswer = outcome.ok
      ? {
          status: endpoint.status,
          headers: { 'x-tidegate-changed': String(outcome.changed) },
          body: outcome.body,
        }
      : answerOf(outcome);
    const isWritten = await this.#record(call, { token: entry, model, outcome, status: answer.status });
    if (isWritten || !outcome.ok) return answer;
    const message = `The change is in force (revision ${outcome.revision}), but the audit log could not be written. Look before you send it again.`;
    return answerOf(refuse('AUDIT_UNAVAILABLE', message));
  }

  async #outcome(
    call: ControlCall,
    {
      endpoint,
      parameters,
      entry,
    }: { endpoint: Endpoint; parameters: ReadonlyMap<string, string>; entry: TokenEntry },
    told: (model: string | undefined) => void,
  ): Promise<ChangeOutcome> {
    if (endpoint.does !== 'change') throw new Error(`${endpoint.path} changes nothing`);
    const { changes, store } = this.#options;
    const { kind } = endpoint;
    if (kind === 'reload') {
      const nothing = readNothing(new Map(call.query));
      if (!nothing.ok) return nothing;
      const { revision, models, deployments } = await store.verified();
      const body = { reloaded: true, revision, models: models.size, deployments: deployments.size };
      return { ok: true, body, revision, changed: false };
    }
    if (changes === undefined) {
      return refuse(
        'READ_ONLY_NODE',
        `This node follows its signed store and holds no signing key. Where the keys are, run: ${commandsElsewhere[kind]} --store <folder> --keys <folder>`,
      );
    }
    if (call.header('content-encoding') !== '' && call.header('content-encoding') !== 'identity') {
      return refuse(
        'UNSUPPORTED_MEDIA_TYPE',
        'Bodies are taken as they are here, without a content encoding.',
      );
    }
    const outcome = await changes.make(
      {
        kind,
        parameters,
        query: call.query,
        contentType: call.header('content-type'),
        metadataHeader: call.header(metadataHeader),
        readBody: call.readBody,
        by: `token:${entry.name}`,
        mayChangeAll: mayUse(entry, 'admin'),
      },
      told,
    );
    if (outcome.ok) store.changedTo(outcome.revision);
    return outcome;
  }

  /** Who was turned away from a change is worth a line too, unless they come too often. */
  async #refused(
    call: ControlCall,
    endpoint: Endpoint | undefined,
    { failure, token }: { readonly failure: ControlFailure; readonly token: TokenEntry | undefined },
  ): Promise<ControlAnswer> {
    const answer = answerOf(failure);
    if (endpoint?.does === 'change' && failure.code !== 'TOO_MANY_FAILURES') {
      await this.#record(call, { token, model: undefined, outcome: failure, status: answer.status });
    }
    return answer;
  }

  #record(
    call: ControlCall,
    event: {
      readonly token: TokenEntry | undefined;
      readonly model: string | undefined;
      readonly outcome: ChangeOutcome;
      readonly status: number;
    },
  ): Promise<boolean> {
    const { audit, nowMs } = this.#options;
    const { token, model, outcome, status } = event;
    return audit.append({
      at: new Date(nowMs()).toISOString(),
      token: token?.name ?? null,
      remote: call.remoteAddress,
      ...(call.certificate !== undefined && { certificate: call.certificate.slice(0, 200) }),
      method: call.method,
      path: call.path.slice(0, 300),
      model: model?.slice(0, 128) ?? null,
      status,
      code: outcome.ok ? 'OK' : outcome.code,
      revision: outcome.ok ? outcome.revision : null,
    });
  }

  #failureOf(fault: unknown): ControlFailure {
    const { log, changes } = this.#options;
    if (isStoreError(fault)) {
      const failure = storeFailure(fault);
      const isOurs = controlErrorTable[failure.code].instead !== undefined;
      if (isOurs) log.error({ err: fault }, 'control request failed on the store');
      return failure;
    }
    if (changes?.isAborted === true) {
      return refuse('SHUTTING_DOWN', 'The node stops and gave the change up; nothing was changed.');
    }
    log.error({ err: fault }, 'fault while a control request was answered');
    return refuse('INTERNAL', 'The node failed on this request. Its log has the details.');
  }
}

export function answerOf({ code, message, headers }: ControlFailure): ControlAnswer {
  const { status, retryAfterSeconds } = controlErrorTable[code];
  return {
    status,
    headers: {
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
      ...headers,
    },
    body: { error: message, code },
  };
}
