/**
 * A TUF repository that is not one of our stores: pretty-printed JSON, other kinds of keys, files without digests,
 * delegations of any shape. A test changes what it says between two visits of a client, and signs it well or badly.
 */
import { type KeyObject, createHash, generateKeyPairSync, sign } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import { type AddressInfo } from 'node:net';

export interface TestKey {
  readonly id: string;
  readonly json: Readonly<Record<string, unknown>>;
  readonly sign: (bytes: Uint8Array) => string;
}

type Json = Record<string, unknown>;

export const farFuture = '2099-01-01T00:00:00Z';

function keyOf(json: Json, privateKey: KeyObject, hash: string | null): TestKey {
  const id = createHash('sha256').update(canonical(json)).digest('hex');
  return { id, json, sign: (bytes) => sign(hash, bytes, privateKey).toString('hex') };
}

/** What TUF signs: sorted, without spaces, and with the line breaks of a PEM key as they are. */
function canonical(value: unknown): string {
  if (typeof value === 'string') return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const fields = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${fields.map(([key, item]) => `${canonical(key)}:${canonical(item)}`).join(',')}}`;
}

export function ed25519Key(): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const keyval = { public: Buffer.from(x, 'base64url').toString('hex') };
  return keyOf({ keytype: 'ed25519', scheme: 'ed25519', keyval }, privateKey, null);
}

export function ecdsaKey(): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keyval = { public: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
  return keyOf({ keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyval }, privateKey, 'sha256');
}

export interface TestRole {
  keys: TestKey[];
  /** Who signs; the keys of the role unless a test says otherwise. */
  signers?: TestKey[];
  threshold: number;
  version: number;
  expires: string;
  /** What the signed part says beside version and expiry. */
  content: Json;
}

export interface TestDelegation {
  readonly parent: string;
  readonly paths: readonly string[];
  readonly terminating?: boolean;
}

export class TufRepository {
  readonly roles: Map<string, TestRole> = new Map();
  readonly delegations: Map<string, TestDelegation[]> = new Map();
  readonly targets: Map<string, Map<string, Uint8Array>> = new Map();
  /** What is served, by path; a test may put anything here. */
  readonly files: Map<string, Uint8Array> = new Map();
  readonly asked: string[] = [];
  isConsistent = true;
  /** Whether snapshot and timestamp name length and digest beside the version. */
  hasDigests = false;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(makeKey: () => TestKey = ed25519Key): Promise<TufRepository> {
    const server = createServer((request, response) => {
      const path = (request.url ?? '').slice(1);
      repository.asked.push(path);
      const bytes = repository.files.get(path);
      response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
    });
    const repository = new TufRepository(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
      repository.roles.set(role, newRole([makeKey()]));
    }
    repository.targets.set('targets', new Map());
    repository.publish(['root', 'targets', 'snapshot', 'timestamp'], { bump: false });
    return repository;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  role(name: string): TestRole {
    const role = this.roles.get(name);
    if (role === undefined) throw new Error(`no role ${name}`);
    return role;
  }

  delegate(role: string, delegation: TestDelegation, keys: TestKey[] = [ed25519Key()]): void {
    this.delegations.set(role, [...(this.delegations.get(role) ?? []), delegation]);
    if (!this.roles.has(role)) this.roles.set(role, newRole(keys));
    if (!this.targets.has(role)) this.targets.set(role, new Map());
  }

  /** Signs the next version of these roles and serves it. */
  publish(roles: readonly string[], options: { readonly bump?: boolean } = {}): void {
    for (const name of roles) {
      const role = this.role(name);
      if (options.bump !== false) role.version++;
      role.content = { ...this.#contentOf(name), ...role.content };
      const bytes = this.#sign(name, role);
      for (const path of this.#pathsOf(name, role.version)) this.files.set(path, bytes);
    }
  }

  /** The usual end of a change. */
  publishAll(...roles: readonly string[]): void {
    this.publish([...roles, 'snapshot', 'timestamp']);
  }

  fileOf(name: string): Uint8Array {
    return this.files.get(this.#pathsOf(name, this.role(name).version)[0] ?? '') ?? new Uint8Array();
  }

  addTarget(role: string, path: string, bytes: Uint8Array): void {
    this.targets.get(role)?.set(path, bytes);
    const digest = createHash('sha256').update(bytes).digest('hex');
    const slash = path.lastIndexOf('/') + 1;
    const name = `${path.slice(0, slash)}${this.isConsistent ? `${digest}.` : ''}${path.slice(slash)}`;
    this.files.set(`targets/${name.split('/').map(encodeURIComponent).join('/')}`, bytes);
  }

  #pathsOf(name: string, version: number): readonly string[] {
    const file = `${encodeURIComponent(name)}.json`;
    if (name === 'timestamp') return [`metadata/${file}`];
    return name === 'root' || this.isConsistent ? [`metadata/${version}.${file}`] : [`metadata/${file}`];
  }

  #contentOf(name: string): Json {
    if (name === 'root') return this.#rootContent();
    if (name === 'timestamp') return { meta: { 'snapshot.json': this.#pinOf('snapshot') } };
    if (name !== 'snapshot') return this.#targetsContent(name);
    const below = [...this.roles.keys()].filter((role) => !['root', 'timestamp', 'snapshot'].includes(role));
    return { meta: Object.fromEntries(below.map((role) => [`${role}.json`, this.#pinOf(role)])) };
  }

  #rootContent(): Json {
    const names = ['root', 'timestamp', 'snapshot', 'targets'];
    const all = names.flatMap((name) => this.role(name).keys);
    const rows = names.map((name) => {
      const { keys, threshold } = this.role(name);
      return [name, { keyids: keys.map(({ id }) => id), threshold }];
    });
    return {
      consistent_snapshot: this.isConsistent,
      keys: Object.fromEntries(all.map(({ id, json }) => [id, json])),
      roles: Object.fromEntries(rows) as Json,
    };
  }

  #targetsContent(name: string): Json {
    const files = [...(this.targets.get(name) ?? [])].map(([path, bytes]) => [
      path,
      { length: bytes.byteLength, hashes: { sha256: createHash('sha256').update(bytes).digest('hex') } },
    ]);
    const below = [...this.delegations].flatMap(([child, list]) =>
      list.filter(({ parent }) => parent === name).map((delegation) => ({ child, ...delegation })),
    );
    const keys = below.flatMap(({ child }) => this.role(child).keys);
    const roles = below.map(({ child, paths, terminating = false }) => {
      const { keys: own, threshold } = this.role(child);
      return { name: child, keyids: own.map(({ id }) => id), threshold, terminating, paths };
    });
    const delegations = { keys: Object.fromEntries(keys.map(({ id, json }) => [id, json])), roles };
    return { targets: Object.fromEntries(files) as Json, ...(below.length === 0 ? {} : { delegations }) };
  }

  #pinOf(name: string): Json {
    const { version } = this.role(name);
    if (!this.hasDigests) return { version };
    const bytes = this.fileOf(name);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { version, length: bytes.byteLength, hashes: { sha256 } };
  }

  #sign(name: string, role: TestRole): Uint8Array {
    const type = ['root', 'timestamp', 'snapshot'].includes(name) ? name : 'targets';
    const { version, expires, content } = role;
    const signed = { _type: type, spec_version: '1.0.31', version, expires, ...content };
    role.content = {};
    const bytes = Buffer.from(canonical(signed));
    const signers = role.signers ?? role.keys;
    const signatures = signers.map((key) => ({ keyid: key.id, sig: key.sign(bytes) }));
    return Buffer.from(JSON.stringify({ signed, signatures }, undefined, 2));
  }
}

function newRole(keys: TestKey[]): TestRole {
  return { keys, threshold: 1, version: 1, expires: farFuture, content: {} };
}
