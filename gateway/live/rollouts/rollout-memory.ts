/**
 * Which rollouts this node went back from, how far the others are, and what it decided, on its disk: a restart must neither
 * bring a bad candidate back nor begin a rollout anew. Written before the process does anything else, which is short and rare enough for the event loop.
 *
 * A file that cannot be read or written costs the memory, never the serving: the judge would find the same again.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { isCallerCounts } from '../../rollout/caller-rates.ts';
import type { FlipState } from '../../rollout/flip-course.ts';
import type { StepState } from '../../rollout/rollout-steps.ts';
import type { RolloutDecision } from '../../telemetry/rollout-report.ts';

/** The oldest go first: a rollout that long ago is over. */
const rolloutsMax = 1000;
const decisionsMax = 100;

export interface RolloutMemoryOptions {
  /** Undefined for a node without a disk of its own: it remembers until it ends. */
  readonly file: string | undefined;
  readonly onTrouble: (trouble: unknown) => void;
  /** A rollout was added that was not known: others on this machine may want to know. */
  readonly onAdded?: ((rolloutId: string, reason: string) => void) | undefined;
}

export class RolloutMemory {
  readonly #options: RolloutMemoryOptions;
  readonly #ids: Set<string>;
  readonly #steps: Map<string, StepState>;
  readonly #flips: Map<string, FlipState>;
  #decisions: readonly RolloutDecision[];

  constructor(options: RolloutMemoryOptions) {
    this.#options = options;
    const content = this.#read();
    this.#ids = new Set(content.rolled_back);
    this.#steps = new Map(Object.entries(content.steps ?? {}));
    this.#flips = new Map(Object.entries(content.flips ?? {}));
    this.#decisions = content.decisions ?? [];
  }

  has(rolloutId: string): boolean {
    return this.#ids.has(rolloutId);
  }

  add(rolloutId: string, reason: string): void {
    if (!this.#ids.has(rolloutId)) this.#options.onAdded?.(rolloutId, reason);
    this.#ids.add(rolloutId);
    const [oldest] = this.#ids;
    if (this.#ids.size > rolloutsMax && oldest !== undefined) this.#ids.delete(oldest);
    this.#write();
  }

  /** The oldest first. */
  get decisions(): readonly RolloutDecision[] {
    return this.#decisions;
  }

  note(decision: RolloutDecision): void {
    this.#decisions = [...this.#decisions, decision].slice(-decisionsMax);
    this.#write();
  }

  stepOf(rolloutId: string): StepState | undefined {
    return this.#steps.get(rolloutId);
  }

  setStep(rolloutId: string, state: StepState): void {
    setNewest(this.#steps, rolloutId, state);
    this.#write();
  }

  flipOf(rolloutId: string): FlipState | undefined {
    return this.#flips.get(rolloutId);
  }

  setFlip(rolloutId: string, state: FlipState): void {
    setNewest(this.#flips, rolloutId, state);
    this.#write();
  }

  #read(): Content {
    const { file, onTrouble } = this.#options;
    if (file === undefined) return nothing;
    try {
      const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
      if (isContent(content)) return content;
      throw new Error(`${file} is not a list of rollouts`);
    } catch (error) {
      const isFirstStart = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isFirstStart) onTrouble(error);
      return nothing;
    }
  }

  #content(): Content {
    return {
      rolled_back: [...this.#ids],
      steps: Object.fromEntries(this.#steps),
      flips: Object.fromEntries(this.#flips),
      decisions: this.#decisions,
    };
  }

  /** Whole or not at all, also when the power goes. */
  #write(): void {
    const { file, onTrouble } = this.#options;
    if (file === undefined) return;
    try {
      mkdirSync(dirname(file), { recursive: true });
      // Its own name for each process: two that share a folder by mistake must not write into one draft.
      const draftFile = `${file}.${process.pid}.draft`;
      const draft = openSync(draftFile, 'w');
      try {
        writeSync(draft, JSON.stringify(this.#content()));
        fsyncSync(draft);
      } finally {
        closeSync(draft);
      }
      renameSync(draftFile, file);
    } catch (error) {
      onTrouble(error);
    }
  }
}

function setNewest<State>(states: Map<string, State>, rolloutId: string, state: State): void {
  states.delete(rolloutId);
  states.set(rolloutId, state);
  const [oldest] = states.keys();
  if (states.size > rolloutsMax && oldest !== undefined) states.delete(oldest);
}

interface Content {
  readonly rolled_back: readonly string[];
  readonly steps?: Readonly<Record<string, StepState>>;
  readonly flips?: Readonly<Record<string, FlipState>>;
  readonly decisions?: readonly RolloutDecision[];
}

const nothing: Content = { rolled_back: [] };

function isContent(content: unknown): content is Content {
  if (typeof content !== 'object' || content === null || !('rolled_back' in content)) return false;
  const { rolled_back: ids } = content;
  const steps = 'steps' in content ? content.steps : {};
  const flips = 'flips' in content ? content.flips : {};
  const decisions = 'decisions' in content ? content.decisions : [];
  return (
    Array.isArray(ids) &&
    ids.every((id) => typeof id === 'string') &&
    typeof steps === 'object' &&
    steps !== null &&
    Object.values(steps).every(isStepState) &&
    typeof flips === 'object' &&
    flips !== null &&
    Object.values(flips).every(isFlipState) &&
    Array.isArray(decisions) &&
    decisions.every(isDecision)
  );
}

function isStepState(value: unknown): value is StepState {
  if (typeof value !== 'object' || value === null || !('step' in value) || !('sinceMs' in value))
    return false;
  const { step, sinceMs } = value;
  return Number.isInteger(step) && Number(step) >= 0 && Number.isFinite(sinceMs);
}

function isFlipState(value: unknown): value is FlipState {
  if (typeof value !== 'object' || value === null || !('sinceMs' in value)) return false;
  return Number.isFinite(value.sinceMs) && (!('reference' in value) || isCallerCounts(value.reference));
}

function isDecision(value: unknown): value is RolloutDecision {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  return ['at', 'model', 'rollout_id', 'decision', 'reason'].every(
    (name) => typeof fields[name] === 'string',
  );
}
