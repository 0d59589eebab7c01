/**
 * What the processes of a node count, for whoever of them is asked for the metrics: those that are there are asked in turn,
 * and what the ended ones counted is kept.
 */
import { countedBy, type MetricList } from '../../gateway/telemetry/merged-metrics.ts';

export interface CountingProcess {
  /** Asks it for an `own` with this ticket. */
  ask(ticket: number): void;
}

/** One that does not answer within this is left out, at what it last said, milliseconds. */
const answerMsMax = 2000;

export class NodeMetrics {
  readonly #last = new Map<CountingProcess, MetricList>();
  readonly #waiting = new Map<number, (list: MetricList) => void>();
  /** What the ended ones counted, one end after the other. */
  #ended: Promise<MetricList> = Promise.resolve([]);
  #lastTicket = 0;

  /** What all count but the one that asks. */
  async besides(
    asking: CountingProcess,
    processes: Iterable<CountingProcess>,
  ): Promise<readonly MetricList[]> {
    const others = [...processes].filter((process) => process !== asking);
    const lists = await Promise.all(others.map((process) => this.#listOf(process)));
    return [await this.#ended, ...lists];
  }

  answered(ticket: number, list: MetricList): void {
    this.#waiting.get(ticket)?.(list);
  }

  /** What a process says of itself, unasked: with a question about the others, and before it ends. */
  said(process: CountingProcess, list: MetricList): void {
    this.#last.set(process, list);
  }

  /** It is gone: what it counted last stays. */
  ended(process: CountingProcess): void {
    const last = this.#last.get(process);
    this.#last.delete(process);
    if (last !== undefined) this.#ended = this.#ended.then((ended) => countedBy([ended, last]));
  }

  async #listOf(process: CountingProcess): Promise<MetricList> {
    const ticket = ++this.#lastTicket;
    const list = await new Promise<MetricList | undefined>((resolve) => {
      const timer = setTimeout(() => {
        resolve(undefined);
      }, answerMsMax);
      this.#waiting.set(ticket, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      process.ask(ticket);
    });
    this.#waiting.delete(ticket);
    if (list !== undefined) this.#last.set(process, list);
    return list ?? this.#last.get(process) ?? [];
  }
}
