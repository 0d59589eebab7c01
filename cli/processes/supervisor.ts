/**
 * Keeps the gateway processes of one node running: starts them, starts those anew that end by themselves or hang, replaces
 * all of them one by one when told, and ends them together. It serves nothing itself.
 *
 *     starting -- ready --> serving -- told --> leaving -- exit --> gone
 *         `-------- exit ------`--- exit: another one after a while
 *
 * Invariants: there are never more than one process above the number wanted; a process is told to leave for another one
 * only when that one serves everything; a number (slot) belongs to one process at a time.
 */
import type { Limits } from '../../gateway/admission/limits.ts';
import type { SharedStep } from '../../gateway/gateway-options.ts';
import type { Logger } from '../../gateway/telemetry/logger.ts';
import { NodeMetrics } from './node-metrics.ts';
import type { FromProcess, ToProcess } from './process-messages.ts';
import { RestartDelay } from './restart-delay.ts';
import { RolloutTally } from './rollout-tally.ts';

/** A process that was started. */
export interface ProcessHandle {
  readonly pid: number | undefined;
  /** A message to a process that is gone is lost, no fault. */
  send(message: ToProcess): void;
  onMessage(listener: (message: FromProcess) => void): void;
  /** Told once; undefined when it was killed. */
  onExit(listener: (code: number | undefined) => void): void;
  kill(): void;
}

export interface SupervisorOptions {
  /** 2 or more. */
  readonly count: number;
  readonly start: (slot: number) => ProcessHandle;
  readonly limits: Pick<Limits, 'processSilentMsMax' | 'shutdownGraceMs'>;
  readonly log: Logger;
}

/** A replacement that does not serve by then is given up, milliseconds. */
const replacementMsMax = 120_000;
/** Looks in `processSilentMsMax`, none of which may find that a process said something, before it counts as hanging. */
const silentLooksMax = 10;
/** What a process needs to let everything go once the grace period is over; then it is killed. Milliseconds. */
const afterGraceMs = 5000;
/** The oldest are forgotten: a rollout that long ago is over. */
const rolloutsMax = 1000;

interface Member {
  readonly slot: number;
  readonly handle: ProcessHandle;
  readonly startedMs: number;
  readonly exited: Promise<number | undefined>;
  state: 'starting' | 'serving' | 'leaving';
  /** Looks since it last said something. */
  silentLooks: number;
  readonly ask: (ticket: number) => void;
}

/** How a start ended. */
type Started =
  | { readonly kind: 'ready'; readonly member: Member; readonly isWhole: boolean; readonly welcome: string }
  | { readonly kind: 'ended'; readonly code: number | undefined };

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #members = new Set<Member>();
  readonly #delay = new RestartDelay();
  readonly #metrics = new NodeMetrics();
  readonly #tally = new RolloutTally();
  /** With the reason, by the id of the rollout. */
  readonly #rolledBack = new Map<string, string>();
  /** Where the node stands with its rollouts, by id. */
  readonly #steps = new Map<string, SharedStep>();
  #leading: Member | undefined;
  readonly #timers = new Set<NodeJS.Timeout>();
  #looking: NodeJS.Timeout | undefined;
  #rolling: Promise<void> | undefined;
  #rollAgain = false;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** The first process shows whether it can be done at all; then come the others. */
  async begin(): Promise<{ readonly welcome: string } | { readonly code: number | undefined }> {
    const look = (): void => {
      this.#look();
    };
    this.#looking = setInterval(look, this.#options.limits.processSilentMsMax / silentLooksMax);
    const first = await this.#launch();
    if (first.kind === 'ended') return { code: first.code };
    if (this.#stopping) return first;
    const others = Array.from({ length: this.#options.count - 1 }, () => this.#launchOrRetry());
    await Promise.all(others);
    return { welcome: first.welcome };
  }

  /** Replaces every process by a new one. Told while it is under way, it does so once more afterwards. */
  roll(): Promise<void> {
    this.#rollAgain = true;
    this.#rolling ??= this.#rollAll().finally(() => {
      this.#rolling = undefined;
    });
    return this.#rolling;
  }

  /**
   * Ends all of them, each when nothing is in flight, and those that are not gone soon after the grace period at once.
   * Resolves with 0 when all of them ended well.
   */
  async stop(): Promise<number> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const members = [...this.#members];
    for (const member of members) {
      member.state = 'leaving';
      member.handle.send({ kind: 'stop' });
    }
    const overdue = setTimeout(() => {
      for (const { slot, handle } of this.#members) {
        this.#options.log.error({ process: slot, pid: handle.pid }, 'process does not end, killing it');
        handle.kill();
      }
    }, this.#options.limits.shutdownGraceMs + afterGraceMs);
    const codes = await Promise.all(members.map(({ exited }) => exited));
    clearTimeout(overdue);
    clearInterval(this.#looking);
    return codes.every((code) => code === 0) ? 0 : 1;
  }

  stopNow(): void {
    clearInterval(this.#looking);
    for (const { handle } of this.#members) handle.kill();
  }

  /**
   * Kills those that hang. Silence is counted in looks and not by the clock: were this process held up together with the
   * others, the first thing it did would be to kill them all.
   */
  #look(): void {
    const { log, limits } = this.#options;
    for (const member of this.#members) {
      // One that starts reads and compiles, and nobody is sent to it yet.
      if (member.state === 'starting') continue;
      member.silentLooks += 1;
      if (member.silentLooks !== silentLooksMax) continue;
      const facts = { process: member.slot, pid: member.handle.pid, silentMs: limits.processSilentMsMax };
      log.error(facts, 'process says nothing any more, killing it');
      member.handle.kill();
    }
  }

  async #rollAll(): Promise<void> {
    while (this.#rollAgain && !this.#stopping) {
      this.#rollAgain = false;
      const serving = [...this.#members].filter(({ state }) => state === 'serving');
      for (const member of serving) {
        if (!(await this.#replace(member))) break;
      }
    }
  }

  /** False when the old process has to go on. */
  async #replace(old: Member): Promise<boolean> {
    const { log } = this.#options;
    if (this.#stopping) return false;
    // It may have ended meanwhile, and then has a successor already.
    if (old.state !== 'serving' || !this.#members.has(old)) return true;
    const started = await this.#launch(replacementMsMax);
    if (started.kind === 'ended' || !started.isWhole) {
      const code = started.kind === 'ended' ? started.code : undefined;
      log.error({ code }, 'replacement does not serve what the process before it serves, which goes on');
      if (started.kind === 'ready') this.#retire(started.member);
      return false;
    }
    this.#retire(old);
    await old.exited;
    return true;
  }

  #retire(member: Member): void {
    member.state = 'leaving';
    member.handle.send({ kind: 'retire' });
    this.#appoint();
  }

  /** One of those that serve decides for the node; it goes on to as long as it serves. */
  #appoint(): void {
    if (this.#leading?.state === 'serving' && this.#members.has(this.#leading)) return;
    const before = this.#leading;
    this.#leading = [...this.#members].find(({ state }) => state === 'serving');
    before?.handle.send({ kind: 'lead', isLeading: false });
    this.#leading?.handle.send({ kind: 'lead', isLeading: true });
  }

  async #launchOrRetry(): Promise<void> {
    const { log } = this.#options;
    const started = await this.#launch();
    if (started.kind === 'ready' || this.#stopping) return;
    log.error({ code: started.code }, 'process did not start, trying again');
    this.#startLater(0);
  }

  #startLater(livedMs: number): void {
    if (this.#stopping) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#launchOrRetry();
    }, this.#delay.after(livedMs));
    this.#timers.add(timer);
  }

  /** With `withinMs`, one that is not ready by then is killed. */
  #launch(withinMs?: number): Promise<Started> {
    const slot = this.#freeSlot();
    const handle = this.#options.start(slot);
    const exited = new Promise<number | undefined>((resolve) => {
      handle.onExit(resolve);
    });
    const member: Member = {
      slot,
      handle,
      startedMs: performance.now(),
      exited,
      state: 'starting',
      silentLooks: 0,
      ask: (ticket) => {
        handle.send({ kind: 'ask', ticket });
      },
    };
    this.#members.add(member);
    const ready = new Promise<Started>((resolve) => {
      handle.onMessage((message) => {
        member.silentLooks = 0;
        if (message.kind !== 'ready') this.#heard(member, message);
        else if (member.state === 'starting') {
          member.state = 'serving';
          const { isWhole, welcome } = message;
          this.#options.log.info({ process: slot, pid: handle.pid }, 'process serves');
          for (const [rolloutId, reason] of this.#rolledBack)
            handle.send({ kind: 'goBack', rolloutId, reason });
          // What was decided stands in the memory that it took over.
          for (const step of this.#steps.values()) {
            handle.send({ kind: 'follow', step: { ...step, decisions: [] } });
          }
          this.#appoint();
          resolve({ kind: 'ready', member, isWhole, welcome });
        }
      });
    });
    const ended = exited.then((code): Started => {
      this.#gone(member, code);
      return { kind: 'ended', code };
    });
    if (withinMs !== undefined) {
      const timer = setTimeout(() => {
        if (member.state === 'starting') handle.kill();
      }, withinMs);
      void Promise.race([ready, ended]).then(() => {
        clearTimeout(timer);
      });
    }
    return Promise.race([ready, ended]);
  }

  #gone(member: Member, code: number | undefined): void {
    const { log } = this.#options;
    this.#members.delete(member);
    this.#metrics.ended(member);
    this.#appoint();
    const facts = { process: member.slot, pid: member.handle.pid, code };
    if (member.state !== 'serving' || this.#stopping) {
      log.info(facts, 'process ended');
      return;
    }
    log.error(facts, 'process ended by itself, starting another');
    this.#startLater(performance.now() - member.startedMs);
  }

  #heard(member: Member, message: Exclude<FromProcess, { kind: 'ready' }>): void {
    switch (message.kind) {
      case 'beat':
        return;
      case 'others': {
        const { ticket, own } = message;
        this.#metrics.said(member, own);
        const serving = [...this.#members].filter(({ state }) => state !== 'starting');
        void this.#metrics.besides(member, serving).then((lists) => {
          member.handle.send({ kind: 'others', ticket, lists });
        });
        return;
      }
      case 'own':
        this.#metrics.answered(message.ticket, message.list);
        return;
      case 'last':
        this.#metrics.said(member, message.list);
        return;
      case 'rolledBack':
        this.#goBack(member, message);
        return;
      case 'counted':
        this.#tally.said(member.slot, message.rollouts);
        member.handle.send({ kind: 'othersCounted', rollouts: this.#tally.besides(member.slot) });
        return;
      case 'wentOn':
        this.#follow(member, message.step);
        return;
    }
  }

  #follow(from: Member, step: SharedStep): void {
    if ((step.state ?? step.flip) !== undefined) {
      this.#steps.delete(step.rolloutId);
      this.#steps.set(step.rolloutId, step);
      const [oldest] = this.#steps.keys();
      if (this.#steps.size > rolloutsMax && oldest !== undefined) this.#steps.delete(oldest);
    }
    for (const member of this.#members) {
      if (member !== from) member.handle.send({ kind: 'follow', step });
    }
  }

  #goBack(
    from: Member,
    { rolloutId, reason }: { readonly rolloutId: string; readonly reason: string },
  ): void {
    if (this.#rolledBack.has(rolloutId)) return;
    this.#rolledBack.set(rolloutId, reason);
    const [oldest] = this.#rolledBack.keys();
    if (this.#rolledBack.size > rolloutsMax && oldest !== undefined) this.#rolledBack.delete(oldest);
    for (const member of this.#members) {
      if (member !== from) member.handle.send({ kind: 'goBack', rolloutId, reason });
    }
  }

  #freeSlot(): number {
    const taken = new Set([...this.#members].map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    return slot;
  }
}
