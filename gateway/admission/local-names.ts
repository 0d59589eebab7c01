/**
 * The names by which this machine is asked when it listens on a loopback address only. A web page of another site can let
 * a name of its own point to 127.0.0.1 (DNS rebinding): its browser then sends requests here, and takes the page for one
 * of ours. What tells them apart is the name in Host and Origin.
 */
const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

export class LocalNames {
  readonly #isLoopback: boolean;
  readonly #names: ReadonlySet<string>;

  /** `host` is the address that is listened on; one that is not loopback is reached by names that are not known here. */
  constructor(host: string) {
    this.#isLoopback = isLoopback(host);
    this.#names = new Set([...loopbackNames, nameOf(host)]);
  }

  /** Whether a request with this Host, with or without its port, was meant for this machine, as far as can be known. */
  include(host: string): boolean {
    return !this.#isLoopback || this.#names.has(withoutPort(host));
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
