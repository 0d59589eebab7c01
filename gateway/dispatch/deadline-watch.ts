/**
 * The clock beside the queue of deadlines: one timer for the earliest of them. Requests without a deadline never come
 * here, and without any the timer is not armed.
 */
import { performance } from 'node:perf_hooks';
import { DeadlineQueue, type Due } from '../batch/deadline-queue.ts';

/** A timer further ahead than this is armed again on the way; the platform's longest is 24 days. */
const timerMsMax = 3_600_000;

export class DeadlineWatch<Item extends Due> {
  readonly #queue: DeadlineQueue<Item> = new DeadlineQueue<Item>();
  readonly #onDue: (item: Item) => void;
  #timer: NodeJS.Timeout | undefined;
  #armedForMs = Infinity;

  /** `onDue` is told of each item once, in the order they are due; it may take out others. */
  constructor(onDue: (item: Item) => void) {
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#queue.size;
  }

  add(item: Item): void {
    this.#queue.add(item);
    this.#arm();
  }

  remove(item: Item): void {
    this.#queue.remove(item);
  }

  /** Tells of everything that is due by now, so that nothing of it is begun. */
  expire(nowMs: number): void {
    for (;;) {
      const item = this.#queue.takeDue(nowMs);
      if (item === undefined) return;
      this.#onDue(item);
    }
  }

  #arm(): void {
    const { nextMs } = this.#queue;
    if (nextMs >= this.#armedForMs) return;
    clearTimeout(this.#timer);
    this.#armedForMs = nextMs;
    const delayMs = Math.min(Math.max(1, Math.ceil(nextMs - performance.now())), timerMsMax);
    this.#timer = setTimeout(() => {
      this.#armedForMs = Infinity;
      this.expire(performance.now());
      this.#arm();
    }, delayMs);
    // What waits for a deadline also has an open connection; alone, this keeps no process alive.
    this.#timer.unref();
  }
}
