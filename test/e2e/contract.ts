/**
 * Holds every HTTP answer that a test receives against the OpenAPI document that the same gateway gives out: the path is
 * described, and so are the status, the content type and the body. Tests need not ask for it; HttpConnection does.
 */
import { schemaCheck } from './json-schema.ts';

export interface CheckedAnswer {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
}

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, MediaType>> }>>;
}

interface MediaType {
  readonly schema: object;
}

interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

type Check = (value: unknown) => readonly string[];

export class Contract {
  readonly #document: ApiDocument;
  readonly #checks = new Map<object, Check>();
  readonly #errorSchema = { $ref: '#/components/schemas/Error' };

  constructor(document: ApiDocument) {
    this.#document = document;
  }

  static async of(port: number): Promise<Contract> {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/openapi.json`);
    return new Contract((await answer.json()) as ApiDocument);
  }

  /** Empty when the answer is as described. */
  problems({ method, path, status, contentType, body }: CheckedAnswer): readonly string[] {
    // HEAD answers have no body to look at; what OPTIONS and the server library itself answer is described nowhere.
    if (method === 'HEAD' || method === 'OPTIONS' || contentType === undefined) return [];
    const type = contentType.split(';', 1)[0] ?? '';
    const operation = this.#operation(method, path);
    if (operation === undefined) {
      if (status < 400) return [`${method} ${path} answers ${status} but is not described`];
      return this.#bodyProblems(this.#errorSchema, body);
    }
    const { content } = operation.responses[String(status)] ?? operation.responses['default'] ?? {};
    const media = content?.[type];
    if (media === undefined) return [`${method} ${path}: ${status} as ${type} is not described`];
    return type === 'application/json' ? this.#bodyProblems(media.schema, body) : [];
  }

  /** A path that names its model goes before one with a parameter. */
  #operation(method: string, path: string): Operation | undefined {
    const plain = path.replace(/\?.*$/, '').replace(/\/$/, '');
    const verb = method.toLowerCase();
    const exact = this.#document.paths[plain]?.[verb];
    if (exact !== undefined) return exact;
    const parts = plain.split('/');
    const found = Object.entries(this.#document.paths).find(([template, verbs]) => {
      const pieces = template.split('/');
      return (
        verbs[verb] !== undefined &&
        pieces.length === parts.length &&
        pieces.every(
          (piece, index) => piece === parts[index] || (piece.startsWith('{') && parts[index] !== ''),
        )
      );
    });
    return found?.[1][verb];
  }

  #bodyProblems(schema: object, body: Uint8Array): readonly string[] {
    let check = this.#checks.get(schema);
    if (check === undefined) {
      check = schemaCheck({ ...schema, components: this.#document.components });
      this.#checks.set(schema, check);
    }
    return check(JSON.parse(Buffer.from(body).toString()));
  }
}

const contracts = new Map<number, Promise<Contract>>();

/** From now on answers from this port are held against its document, until `forgetContract`. */
export async function expectContract(port: number): Promise<void> {
  const contract = Contract.of(port);
  contracts.set(port, contract);
  await contract;
}

export function forgetContract(port: number): void {
  contracts.delete(port);
}

/** How many answers were checked in this process; a test asserts that it is not none. */
export const checkedAnswers = { count: 0 };

/** Throws when the answer is not as its gateway describes it. */
export async function checkContract(port: number, answer: CheckedAnswer): Promise<void> {
  const contract = contracts.get(port);
  if (contract === undefined) return;
  checkedAnswers.count += 1;
  if ((await contract).problems(answer).length === 0) return;
  // Models may have come since the document was read.
  const newer = Contract.of(port);
  contracts.set(port, newer);
  const problems = (await newer).problems(answer);
  if (problems.length > 0) {
    const text = Buffer.from(answer.body).toString().slice(0, 500);
    throw new Error(
      `${answer.method} ${answer.path} -> ${answer.status} breaks the contract:\n${problems.join('\n')}\n${text}`,
    );
  }
}
