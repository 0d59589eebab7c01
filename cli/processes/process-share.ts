/**
 * The side of one gateway process in a node of several: it tells the supervisor when it serves and what it counts, and does
 * what it is told. When the supervisor is gone it finishes and ends, as nobody would look after it.
 */
import type { SharedCounts, SharedStep } from '../../gateway/gateway-options.ts';
import type { Gateway, Siblings } from '../../gateway/main.ts';
import type { MetricList } from '../../gateway/telemetry/merged-metrics.ts';
import { beatMs, type FromProcess, processVariables, type ToProcess } from './process-messages.ts';

type SharedGateway = Pick<
  Gateway,
  'close' | 'retire' | 'ownMetrics' | 'goBack' | 'countedByOthers' | 'lead' | 'follow'
>;

/** An answer that does not come means that the supervisor is busy or gone: then the page tells of this process alone. */
const othersMsMax = 3000;

export class ProcessShare implements Siblings {
  readonly slot: number;
  /** The port that all of them share. */
  readonly port: number;
  readonly processes: number;
  readonly #waiting = new Map<number, (lists: readonly MetricList[]) => void>();
  /** Told before the gateway was there. */
  readonly #early: ToProcess[] = [];
  #gateway: SharedGateway | undefined;
  #lastTicket = 0;
  #leaving = false;

  private constructor(place: { readonly slot: number; readonly port: number; readonly count: number }) {
    this.slot = place.slot;
    this.port = place.port;
    this.processes = place.count;
    process.on('message', (message: ToProcess) => {
      this.#told(message);
    });
    // A process that has nothing else to do ends: it could not serve.
    process.channel?.unref();
    setInterval(() => {
      send({ kind: 'beat' });
    }, beatMs).unref();
    process.on('disconnect', () => {
      this.#leave('close');
    });
    // A terminal sends its Ctrl-C to all processes; it is the supervisor that decides what it means.
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => {
      this.#leave('close');
    });
  }

  /** Undefined for a process that was not started by a supervisor. */
  static ofThisProcess(): ProcessShare | undefined {
    const slot = process.env[processVariables.slot];
    const port = process.env[processVariables.port];
    if (slot === undefined || port === undefined || process.send === undefined) return undefined;
    const count = Number(process.env[processVariables.count] ?? 2);
    return new ProcessShare({ slot: Number(slot), port: Number(port), count });
  }

  /** The gateway is there, though it may not serve yet. */
  carry(gateway: SharedGateway): void {
    this.#gateway = gateway;
    for (const message of this.#early.splice(0)) this.#told(message);
  }

  serves(welcome: string, isWhole: boolean): void {
    send({ kind: 'ready', welcome, isWhole });
  }

  async metrics(): Promise<readonly MetricList[]> {
    const ticket = ++this.#lastTicket;
    const own = (await this.#gateway?.ownMetrics()) ?? [];
    return new Promise((resolve) => {
      const settle = (lists: readonly MetricList[]): void => {
        clearTimeout(timer);
        this.#waiting.delete(ticket);
        resolve(lists);
      };
      const timer = setTimeout(settle, othersMsMax, []);
      this.#waiting.set(ticket, settle);
      send({ kind: 'others', ticket, own });
    });
  }

  rolledBack(rolloutId: string, reason: string): void {
    send({ kind: 'rolledBack', rolloutId, reason });
  }

  counted(rollouts: readonly SharedCounts[]): void {
    send({ kind: 'counted', rollouts });
  }

  wentOn(step: SharedStep): void {
    send({ kind: 'wentOn', step });
  }

  #told(message: ToProcess): void {
    switch (message.kind) {
      case 'stop':
        this.#leave('close');
        return;
      case 'retire':
        this.#leave('retire');
        return;
      case 'others':
        this.#waiting.get(message.ticket)?.(message.lists);
        return;
      case 'ask':
        void this.#gateway?.ownMetrics().then((list) => {
          send({ kind: 'own', ticket: message.ticket, list });
        });
        return;
      case 'goBack':
        if (this.#gateway === undefined) this.#early.push(message);
        else this.#gateway.goBack(message.rolloutId, message.reason);
        return;
      case 'othersCounted':
        this.#gateway?.countedByOthers(message.rollouts);
        return;
      case 'lead':
        if (this.#gateway === undefined) this.#early.push(message);
        else this.#gateway.lead(message.isLeading);
        return;
      case 'follow':
        if (this.#gateway === undefined) this.#early.push(message);
        else this.#gateway.follow(message.step);
        return;
    }
  }

  /** The first reason counts, except that what is being retired may be stopped. */
  #leave(how: 'close' | 'retire'): void {
    const gateway = this.#gateway;
    if (gateway === undefined) process.exit(0);
    if (this.#leaving && how === 'retire') return;
    const isFirst = !this.#leaving;
    this.#leaving = true;
    const left = how === 'close' ? gateway.close() : gateway.retire();
    if (!isFirst) return;
    left
      .then(async () => {
        const list = await gateway.ownMetrics();
        await new Promise((resolve) => {
          send({ kind: 'last', list }, resolve);
        });
        process.exit(0);
      })
      .catch(() => process.exit(1));
  }
}

/** To a supervisor that is gone nothing is sent. */
function send(message: FromProcess, sent: (error?: unknown) => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, {}, sent);
  else sent();
}
