/**
 * What the pool has loaded and where: which lanes are to hold a session, and which do. Bookkeeping only; loading is the
 * business of the pool.
 */
import type { RunCost } from '../protocol/worker-task.ts';
import type { ChainLink } from '../tensor/chain.ts';
import type { ModelSignature } from '../tensor/signature.ts';
import { placeReplicas } from './placement.ts';

export interface ModelToLoad {
  readonly signature: ModelSignature;
  /** Row counts to run and measure before the model counts as warm, ascending; the last is the largest batch. */
  readonly warmRows: readonly number[];
  /** The models that it is made of, if they are several: the file then holds theirs one behind the other. */
  readonly chain?: readonly ChainLink[] | undefined;
  /**
   * The verified ONNX file, which is the pool's from then on. Called once now, and again whenever a thread has to be replaced.
   * `isAwaited`: callers wait for what it is loaded for, or nobody is disturbed.
   */
  readonly readModel: (isAwaited: boolean) => Promise<Uint8Array>;
  /**
   * Whether what a run costs follows from its shapes alone. What is cheap for some values only stays off the event loop, where
   * no run can be ended. Asked with the file of a model that was measured to be cheap; when it is left out, all of them are.
   */
  readonly hasSteadyCost?: (file: Uint8Array) => boolean;
  /** Of an earlier load of the same file, whose rows are joined: neither is found out again. */
  readonly knownCosts?: readonly RunCost[] | undefined;
  /** On how many lanes it is to be; all of them when it is left out, and when there are not so many. */
  readonly replicas?: number | undefined;
  /** Callers wait for it: the load takes the time of others too. Default false. */
  readonly isAwaited?: boolean;
  /** What file and sessions may take together on this node, bytes; no limit when it is left out. */
  readonly memoryBytesMax?: number | undefined;
}

export interface HeldSession {
  readonly session: number;
  readonly model: ModelToLoad;
  /** Lanes that are to hold it: a thread that starts there loads it. */
  readonly placed: Set<number>;
  /** Lanes whose thread takes its batches. */
  readonly ready: Set<number>;
  /** Its first load is under way: nobody relies on it yet. */
  isTentative: boolean;
  /** Measured when it was loaded first; until then its runs have no other limit than the general one. */
  costs: readonly RunCost[];
  /** As loaded. */
  signature: ModelSignature | undefined;
}

export class HeldSessions {
  readonly #laneCount: number;
  readonly #sessions = new Map<number, HeldSession>();
  #lastSession = 0;

  constructor(laneCount: number) {
    this.#laneCount = laneCount;
  }

  /** From now on lanes that start load it. */
  add(model: ModelToLoad): HeldSession {
    const session = ++this.#lastSession;
    const placed = new Set(this.#place(model.replicas, new Set()));
    const held: HeldSession = {
      session,
      model,
      placed,
      ready: new Set(),
      isTentative: true,
      costs: [],
      signature: undefined,
    };
    this.#sessions.set(session, held);
    return held;
  }

  get(session: number): HeldSession | undefined {
    return this.#sessions.get(session);
  }

  delete(session: number): void {
    this.#sessions.delete(session);
  }

  /** In the order in which they were loaded first. */
  placedOn(lane: number): readonly HeldSession[] {
    return [...this.#sessions.values()].filter(({ placed }) => placed.has(lane));
  }

  /** Whether a batch of the session may go to the lane. */
  isReady(lane: number, session: number): boolean {
    return this.#sessions.get(session)?.ready.has(lane) === true;
  }

  /** Whether no other lane could run one of the sessions that this lane runs. */
  isNeeded(lane: number): boolean {
    return [...this.#sessions.values()].some(({ ready }) => ready.has(lane) && ready.size === 1);
  }

  /** Where a session is to be when `replicas` lanes hold it. */
  lanesFor({ placed }: HeldSession, replicas: number | undefined): readonly number[] {
    return this.#place(replicas, placed);
  }

  #place(replicas: number | undefined, held: ReadonlySet<number>): readonly number[] {
    const loads = Array.from({ length: this.#laneCount }, (_, lane) => this.placedOn(lane).length);
    return placeReplicas({ wanted: replicas ?? this.#laneCount, held, loads });
  }
}
