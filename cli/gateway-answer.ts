/**
 * Asks a running gateway. Who answers is not known to be one, and the answer is shown on a terminal: text in it loses
 * every character that moves a cursor or changes what a person sees.
 */
import { CommandError } from './command-error.ts';

export interface GatewayQuestion {
  /** As a person wrote it, with or without a slash at the end. */
  readonly address: string;
  readonly path: string;
  /** Default that of the platform. */
  readonly fetch?: typeof fetch;
  /** Gives up when it aborts, with its reason. */
  readonly signal?: AbortSignal;
}

const answerMsMax = 5000;

/** The JSON that is answered, whatever the status. Rejects with `NODE_UNREACHABLE` when none is. */
export async function askGateway(question: GatewayQuestion): Promise<unknown> {
  const { address, path, signal } = question;
  const url = new URL(path, address.endsWith('/') ? address : `${address}/`);
  const tooLong = AbortSignal.timeout(answerMsMax);
  try {
    const response = await (question.fetch ?? fetch)(url, {
      signal: signal === undefined ? tooLong : AbortSignal.any([signal, tooLong]),
    });
    return JSON.parse(await response.text(), (_name, value: unknown) =>
      typeof value === 'string' ? printable(value) : value,
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw new CommandError(
      'NODE_UNREACHABLE',
      `No gateway answers at ${address} (${reasonOf(error)}). Is it running, and is this its address?`,
      { cause: error },
    );
  }
}

/** What was wrong with the connection, in a few words: what is said above the first cause is the same for all. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}

/** Control characters, the invisible ones that turn the direction of text, and line breaks become spaces. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');
}
