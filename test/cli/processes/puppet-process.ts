/** Processes moved by hand, and a supervisor over them. Needs fake timers. */
import { vi } from 'vitest';
import { beatMs, type FromProcess, type ToProcess } from '../../../cli/processes/process-messages.ts';
import { type ProcessHandle, Supervisor } from '../../../cli/processes/supervisor.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';

export class PuppetProcess implements ProcessHandle {
  readonly pid: number;
  readonly slot: number;
  readonly told: ToProcess[] = [];
  isAlive = true;
  isLeading = false;
  #hears: (message: FromProcess) => void = () => undefined;
  /** One that hangs says nothing. */
  hangs = false;
  #ends: (code: number | undefined) => void = () => undefined;

  constructor(pid: number, slot: number) {
    this.pid = pid;
    this.slot = slot;
    const beat = setInterval(() => {
      if (!this.isAlive) clearInterval(beat);
      else if (!this.hangs) this.#hears({ kind: 'beat' });
    }, beatMs);
  }

  get toldKinds(): readonly string[] {
    return this.told.map(({ kind }) => kind);
  }

  send(message: ToProcess): void {
    if (message.kind === 'lead') this.isLeading = message.isLeading;
    else this.told.push(message);
  }

  onMessage(listener: (message: FromProcess) => void): void {
    this.#hears = listener;
  }

  onExit(listener: (code: number | undefined) => void): void {
    this.#ends = listener;
  }

  kill(): void {
    void this.exit(undefined);
  }

  async says(message: FromProcess): Promise<void> {
    this.#hears(message);
    await settle();
  }

  ready(isWhole = true): Promise<void> {
    return this.says({ kind: 'ready', isWhole, welcome: `welcome from ${this.slot}` });
  }

  async exit(code: number | undefined): Promise<void> {
    this.isAlive = false;
    this.#ends(code);
    await settle();
  }
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

export interface Scene {
  readonly supervisor: Supervisor;
  readonly all: readonly PuppetProcess[];
  readonly alive: () => readonly PuppetProcess[];
}

export function setUp(count: number): Scene {
  const all: PuppetProcess[] = [];
  const supervisor = new Supervisor({
    count,
    start: (slot) => {
      const process = new PuppetProcess(all.length + 1, slot);
      all.push(process);
      return process;
    },
    limits: { processSilentMsMax: 10_000, shutdownGraceMs: 10_000 },
    log: createLogger('silent'),
  });
  return { supervisor, all, alive: () => all.filter(({ isAlive }) => isAlive) };
}

export async function begun(count: number): Promise<Scene> {
  const scene = setUp(count);
  const beginning = scene.supervisor.begin();
  await scene.all[0]?.ready();
  for (const process of scene.all.slice(1)) await process.ready();
  await beginning;
  return scene;
}
