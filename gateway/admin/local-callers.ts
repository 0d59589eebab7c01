/**
 * Which Host and Origin a port on the loopback address answers. A page of another site can make a browser send requests
 * here, also under a name of its own that it lets point to this machine (DNS rebinding); both are refused.
 */
import { type ControlFailure, refuse } from './control-error.ts';

const localNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

export class LocalCallers {
  readonly #isBound: boolean;
  readonly #names: ReadonlySet<string>;

  /** `host` is the address that is listened on; what is not loopback is reached by names that are not known here. */
  constructor(host: string) {
    this.#isBound = isLoopback(host);
    this.#names = new Set([...localNames, nameOf(host)]);
  }

  /** Undefined when the request may go on. Codes: HOST_NOT_ALLOWED, ORIGIN_NOT_ALLOWED. */
  refusalOf(headers: { readonly host: string; readonly origin: string }): ControlFailure | undefined {
    if (!this.#isBound) return undefined;
    if (!this.#names.has(withoutPort(headers.host))) {
      return refuse(
        'HOST_NOT_ALLOWED',
        'This port answers to the names of this machine only, such as localhost.',
      );
    }
    if (headers.origin === '') return undefined;
    const origin = URL.canParse(headers.origin) ? new URL(headers.origin) : undefined;
    if (origin !== undefined && this.#names.has(origin.hostname)) return undefined;
    return refuse('ORIGIN_NOT_ALLOWED', 'Web pages of another host may not use this port.');
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

function nameOf(host: string): string {
  return (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host).toLowerCase();
}

function withoutPort(host: string): string {
  return host.toLowerCase().replace(/:\d{1,5}$/, '');
}
