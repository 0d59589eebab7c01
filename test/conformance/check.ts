/**
 * What a check is, what it may use, and the two ways in which it ends early. A check that returns has passed; one that
 * finds nothing to look at says so with `CheckSkipped` and never passes.
 */
import type { DiscoveredModel } from './discovered-model.ts';
import type { Exchange, HttpRequest, HttpTalk } from './http-talk.ts';

/** `core` the protocol asks of every server; `extension` of those that advertise it; `robustness` is about odd requests. */
export type Level = 'core' | 'extension' | 'robustness';
export const levels: readonly Level[] = ['core', 'extension', 'robustness'];

export interface Check {
  /** Stable; reports are compared by it. */
  readonly id: string;
  readonly title: string;
  readonly level: Level;
  /** Where it is asked for. */
  readonly clause: string;
  /** A name that the server's metadata must have among its `extensions`; otherwise the check is skipped. */
  readonly extension?: string;
  readonly run: (context: CheckContext) => Promise<void>;
}

export interface CheckContext {
  readonly talk: HttpTalk;
  readonly extensions: ReadonlySet<string>;
  readonly models: readonly DiscoveredModel[];
  /** Whether models may be loaded and unloaded; others may be using the server. */
  readonly mayChangeModels: boolean;
}

/** What was sent, what should have come, what came: all that is needed to see who is right. */
export class CheckFailure extends Error {
  readonly sent: HttpRequest;
  readonly expected: string;
  readonly received: string;

  constructor(problem: { readonly sent: HttpRequest; readonly expected: string; readonly received: string }) {
    super(`expected ${problem.expected}, received ${problem.received}`);
    this.name = 'CheckFailure';
    this.sent = problem.sent;
    this.expected = problem.expected;
    this.received = problem.received;
  }
}

export class CheckSkipped extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'CheckSkipped';
  }
}

/** `received` is the answer itself, unless it needs pointing at what in it is wrong. */
export function failureOf(exchange: Exchange, expected: string, pointedAt?: string): CheckFailure {
  const answer = describeAnswer(exchange);
  const received = pointedAt === undefined ? answer : `${pointedAt}, in ${answer}`;
  return new CheckFailure({ sent: exchange.request, expected, received });
}

const shownCharactersMax = 600;

export function describeRequest({ method, path, headers = {}, body }: HttpRequest): string {
  const head = Object.entries(headers).map(([name, value]) => ` [${name}: ${value}]`);
  return `${method} ${path}${head.join('')}${body === undefined ? '' : ` ${shownBody(body)}`}`;
}

export function describeAnswer({ answer }: Exchange): string {
  return `${answer.status} ${answer.body.length === 0 ? 'with an empty body' : shownBody(answer.body)}`;
}

/** Printable and of bearable length; bytes that are no text are shown as escapes. */
function shownBody(body: Uint8Array | string): string {
  const bytes = Buffer.from(body);
  const text = bytes.toString('utf8', 0, shownCharactersMax).replace(/[\p{C}\ufffd]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
  return bytes.length > shownCharactersMax ? `${text}... (${bytes.length} bytes)` : text;
}
