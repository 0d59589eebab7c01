/**
 * The control API on a real port over a real store with keys, with a token for each scope. Every answer is held against
 * the API's own description, as the answers of the gateway are.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { controlDocument } from '../../../gateway/admin/control-document.ts';
import {
  type ControlOptions,
  type ControlPlane,
  startControl,
} from '../../../gateway/admin/control-plane.ts';
import { type Scope, makeToken, scopes } from '../../../gateway/admin/control-tokens.ts';
import { changeTokenFile } from '../../../gateway/admin/token-file.ts';
import { readStatus } from '../../../registry-store/main.ts';
import { Contract } from '../../e2e/contract.ts';
import { HttpConnection } from '../../e2e/http-connection.ts';
import { TemporaryStore } from '../../registry-store/temporary-store.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface Answered {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Json;
}

export interface Sent {
  /** Default the token with the scope admin; null sends none. */
  readonly as?: Scope | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: Json | Uint8Array | string;
}

export class ControlUnderTest {
  readonly store: TemporaryStore;
  readonly plane: ControlPlane;
  /** By scope; each token has that one scope and its name. */
  readonly tokens: ReadonlyMap<Scope, string>;
  /** Everything that was logged so far, one JSON text a line. */
  readonly log: readonly string[];

  private constructor(parts: Pick<ControlUnderTest, 'store' | 'plane' | 'tokens' | 'log'>) {
    this.store = parts.store;
    this.plane = parts.plane;
    this.tokens = parts.tokens;
    this.log = parts.log;
  }

  /** On a store without models unless another is given. Closed when the test that asked for it is over. */
  static async start(
    options: Partial<ControlOptions> & { readonly store?: TemporaryStore } = {},
  ): Promise<ControlUnderTest> {
    const { store = await emptyStore(), ...others } = options;
    const tokens = new Map(
      await Promise.all(scopes.map(async (scope) => [scope, await addToken(store, scope)] as const)),
    );
    const { snapshot } = await readStatus(store.reader);
    const log: string[] = [];
    const artifactsFolder = artifactsOf(store);
    await mkdir(artifactsFolder, { recursive: true });
    const plane = await startControl({
      host: '127.0.0.1',
      port: 0,
      source: store.folder,
      keysFolders: [store.keysFolder],
      pinnedRootPath: store.pinnedRootPath,
      stateFolder: store.stateFolder,
      current: () => snapshot,
      tokensFile: tokensOf(store),
      auditFile: auditOf(store),
      artifactsFolder,
      inferenceUrl: 'http://127.0.0.1:8080',
      version: '0.0.0',
      log: pino({ base: null }, { write: (line) => void log.push(line) }),
      ...others,
    });
    onTestFinished(() => plane.close(1000));
    return new ControlUnderTest({ store, plane, tokens, log });
  }

  /** `call('POST', '/deploy_model', { body: {...} })`; throws when the answer is not as described. */
  async call(method: string, path: string, sent: Sent = {}): Promise<Answered> {
    const { as = 'admin', headers = {}, body } = sent;
    const token = as === null ? undefined : this.tokens.get(as);
    const isPlain = typeof body === 'string' || body instanceof Uint8Array;
    const connection = await HttpConnection.open(this.plane.port);
    const answer = await connection.exchange({
      method,
      path,
      headers: {
        host: `localhost:${this.plane.port}`,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && !isPlain && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: isPlain ? body : JSON.stringify(body) }),
    });
    connection.destroy();
    const { status } = answer;
    const contentType = answer.headers.get('content-type');
    const problems = contract.problems({ method, path, status, contentType, body: answer.body });
    if (problems.length > 0) {
      throw new Error(`${method} ${path} -> ${status}: ${problems.join(', ')}\n${answer.body.toString()}`);
    }
    const json = answer.body.length === 0 ? {} : (JSON.parse(answer.body.toString()) as Json);
    return { status, headers: answer.headers, body: json };
  }

  /** `[status, code]` of a refusal. */
  async refusal(method: string, path: string, sent: Sent = {}): Promise<readonly unknown[]> {
    const { status, body } = await this.call(method, path, sent);
    return [status, body['code']];
  }

  /** Lines of the audit log. */
  async audit(): Promise<readonly Json[]> {
    const text = await readFile(auditOf(this.store), 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Json);
  }
}

const contract = new Contract(controlDocument('0.0.0') as ConstructorParameters<typeof Contract>[0]);

export function artifactsOf(store: TemporaryStore): string {
  return join(store.base, 'artifacts');
}

export function auditOf(store: TemporaryStore): string {
  return join(store.base, 'audit.jsonl');
}

export function tokensOf(store: TemporaryStore): string {
  return join(store.base, 'tokens.json');
}

export async function emptyStore(): Promise<TemporaryStore> {
  const store = await TemporaryStore.make();
  await store.init();
  return store;
}

/** One after the other: the file is changed under a lock. */
let lastChange: Promise<unknown> = Promise.resolve();

async function addToken(store: TemporaryStore, scope: Scope): Promise<string> {
  const { token, entry } = makeToken({
    name: scope,
    scopes: [scope],
    nowMs: Date.now(),
    lifetimeMs: 3_600_000,
  });
  lastChange = lastChange.then(() => changeTokenFile(tokensOf(store), (entries) => [...entries, entry]));
  await lastChange;
  return token;
}
