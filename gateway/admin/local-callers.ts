/**
 * Which Host and Origin the port of the control API answers when it is bound to a loopback address: pages of other
 * sites are refused, also under a name of their own (see local-names.ts).
 */
import { LocalNames } from '../admission/local-names.ts';
import { type ControlFailure, refuse } from './control-error.ts';

export class LocalCallers {
  readonly #names: LocalNames;

  /** `host` is the address that is listened on. */
  constructor(host: string) {
    this.#names = new LocalNames(host);
  }

  /** Undefined when the request may go on. Codes: HOST_NOT_ALLOWED, ORIGIN_NOT_ALLOWED. */
  refusalOf({
    host,
    origin,
  }: {
    readonly host: string;
    readonly origin: string;
  }): ControlFailure | undefined {
    if (!this.#names.include(host)) {
      return refuse(
        'HOST_NOT_ALLOWED',
        'This port answers to the names of this machine only, such as localhost.',
      );
    }
    if (origin === '' || this.#names.include(URL.canParse(origin) ? new URL(origin).hostname : origin))
      return undefined;
    return refuse('ORIGIN_NOT_ALLOWED', 'Web pages of another host may not use this port.');
  }
}
