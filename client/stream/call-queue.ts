/**
 * Calls that wait to be sent, oldest first; those that were sent before and lost go ahead of the others.
 * Taking a call out of the middle costs the same as taking the first: aborting thousands stays cheap.
 */
import type { PendingCall } from './pending-call.ts';

export class CallQueue {
  readonly #again = new Set<PendingCall>();
  readonly #fresh = new Set<PendingCall>();

  get size(): number {
    return this.#again.size + this.#fresh.size;
  }

  add(call: PendingCall): void {
    this.#fresh.add(call);
  }

  putBack(call: PendingCall): void {
    this.#again.add(call);
  }

  remove(call: PendingCall): void {
    if (!this.#fresh.delete(call)) this.#again.delete(call);
  }

  /** Takes the oldest call, with up to `rowsMax - 1` further ones that may share its frame. Empty when none waits. */
  take(rowsMax: number): readonly PendingCall[] {
    const [first] = this.#again.size > 0 ? this.#again : this.#fresh;
    if (first === undefined) return [];
    this.remove(first);
    const taken = [first];
    if (first.joinKey === undefined || rowsMax <= 1) return taken;
    // Bounded, so that a queue of calls that do not go together is not walked for each of them.
    let looksLeft = rowsMax * 4;
    for (const call of this.#all()) {
      if (taken.length >= rowsMax || looksLeft <= 0) break;
      looksLeft -= 1;
      if (call.joinKey === first.joinKey) taken.push(call);
    }
    for (const call of taken) this.remove(call);
    return taken;
  }

  /** Takes all, in order. */
  drain(): readonly PendingCall[] {
    const calls = [...this.#all()];
    this.#again.clear();
    this.#fresh.clear();
    return calls;
  }

  *#all(): Iterable<PendingCall> {
    yield* this.#again;
    yield* this.#fresh;
  }
}
