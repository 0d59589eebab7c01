/** Which sessions of a pool are not run for now, and the timers that end that. When it comes to that is in fault-record.ts. */
import { performance } from 'node:perf_hooks';
import { type FaultLimits, faultLimitsDefault, FaultRecord, type Quarantine } from './fault-record.ts';

export class Quarantines {
  readonly #record: FaultRecord;
  readonly #onRelease: (session: number) => void;
  readonly #releases = new Map<number, NodeJS.Timeout>();

  /** `onRelease` is called when the time of a session is over and it is run again. */
  constructor(limits: FaultLimits | undefined, onRelease: (session: number) => void) {
    this.#record = new FaultRecord(limits ?? faultLimitsDefault);
    this.#onRelease = onRelease;
  }

  /** Whether runs of the session are to be refused. */
  holds(session: number): boolean {
    return !this.#record.isEmpty && this.#record.isQuarantined(session, performance.now());
  }

  /** Event: the thread that ran this session was lost. The quarantine that begins with that, if one does. */
  lost(session: number): Quarantine | undefined {
    const quarantine = this.#record.lost(session, performance.now());
    if (quarantine === undefined) return undefined;
    clearTimeout(this.#releases.get(session));
    const release = (): void => {
      this.#releases.delete(session);
      this.#onRelease(session);
    };
    this.#releases.set(session, setTimeout(release, quarantine.lengthMs).unref());
    return quarantine;
  }

  /** The session is gone for good. */
  forget(session: number): void {
    this.#record.forget(session);
    clearTimeout(this.#releases.get(session));
    this.#releases.delete(session);
  }

  close(): void {
    for (const timer of this.#releases.values()) clearTimeout(timer);
  }
}
