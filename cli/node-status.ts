/**
 * What a running gateway says of itself: whether it is ready, which revision of the store it serves, whether that is
 * fresh, why a model is not served as the store says, which replicas follow the load, and what its shadows get. The words
 * come from its health endpoint.
 */
import { CommandError } from './command-error.ts';
import { askGateway } from './gateway-answer.ts';
import { sizeText } from './options/quantity.ts';
import { columns } from './output.ts';
import { distanceText } from './text/moment.ts';

export interface NodeStatus {
  readonly ready: boolean;
  /** What runs its models; missing from older gateways. */
  readonly engine?: string;
  /** Threads that one run of it uses. */
  readonly intra_op_threads?: number;
  readonly store?: {
    readonly revision: number;
    readonly fresh: boolean;
    readonly last_verified: string | null;
    readonly error?: { readonly code: string; readonly check?: string; readonly since: string };
    readonly expires_soon?: readonly string[];
  };
  readonly memory?: {
    readonly models_bytes: number;
    readonly models_bytes_max?: number;
    readonly not_resident_count: number;
    readonly not_resident: readonly { readonly model: string; readonly version: string }[];
  };
  readonly problems?: readonly {
    readonly model: string;
    readonly problem: string;
    readonly reason: string;
    readonly detail?: string;
  }[];
  /** Versions whose replicas follow their load. */
  readonly scaling?: readonly {
    readonly model: string;
    readonly version: string;
    readonly replicas: number;
    readonly min_replicas: number;
    readonly max_replicas: number;
    readonly decision: string;
  }[];
  /** Candidates that get copies of requests, as far as this process goes. */
  readonly shadows?: readonly {
    readonly model: string;
    readonly candidate: string;
    /** Of the keys. */
    readonly percent: number;
    /** All that were to be made, also those that found no room. */
    readonly copies: number;
    /** Those that both versions answered. */
    readonly answered: number;
    readonly rows: number;
    readonly rows_agreeing: number;
  }[];
}

/** Rejects with a `CommandError` that says what to do when nothing of ours answers at the address. */
export async function askNode(address: string): Promise<NodeStatus> {
  const answer = await askGateway({ address, path: 'v2/health/ready' });
  if (isNodeStatus(answer)) return answer;
  throw new CommandError('NODE_UNKNOWN', `What answers at ${address} is not a Tidegate gateway.`);
}

export function nodeLines(address: string, node: NodeStatus, nowMs: number): readonly string[] {
  const { ready, engine, store, memory, problems = [], scaling = [], shadows = [] } = node;
  const lines = [`${address} is ${ready ? 'ready' : 'not ready'}`];
  if (engine !== undefined) {
    const each = node.intra_op_threads ?? 1;
    lines.push(`It runs models with the engine ${engine}${each > 1 ? `, ${each} threads a run` : ''}`);
  }
  if (store !== undefined) lines.push(...storeLines(store, nowMs));
  if (memory !== undefined) lines.push(...memoryLines(memory));
  if (problems.length > 0) {
    const rows = problems.map(({ model, problem, reason, detail }) => [
      `  ${model}`,
      problem,
      detail ?? reason,
    ]);
    lines.push('', 'Not served as the store says:', ...columns(rows));
  }
  if (scaling.length > 0) {
    const rows = scaling.map(
      ({ model, version, replicas, min_replicas: min, max_replicas: max, decision }) => [
        `  ${model} ${version}`,
        `${replicas} of ${min} to ${max}`,
        decision,
      ],
    );
    lines.push('', 'Replicas that follow the load:', ...columns(rows));
  }
  if (shadows.length > 0) {
    const rows = shadows.map(({ model, candidate, percent, ...counts }) => [
      `  ${model} ${candidate}`,
      `of ${percent}% of the keys`,
      `${counts.answered} of ${counts.copies} copies answered`,
      counts.rows === 0 ? '' : `${shareText(counts.rows_agreeing / counts.rows)} of their rows agree`,
    ]);
    lines.push('', 'Shadows, which get copies:', ...columns(rows));
  }
  return lines;
}

/** Never rounded up to all. */
function shareText(share: number): string {
  return `${Math.floor(share * 1000) / 10}%`;
}

function storeLines(store: NonNullable<NodeStatus['store']>, nowMs: number): readonly string[] {
  const verified = store.last_verified;
  const when =
    verified === null ? 'not verified since it started' : `verified ${distanceText(verified, nowMs)}`;
  const lines = [`It serves revision ${store.revision}, ${store.fresh ? 'fresh' : 'NOT fresh'}, ${when}`];
  const { error, expires_soon: expiring = [] } = store;
  if (error !== undefined) {
    const check = error.check === undefined ? '' : `, check ${error.check}`;
    const what =
      error.code === 'THREAD_ENDED'
        ? 'It does not follow the store since'
        : 'What it sees now is refused since';
    lines.push(`${what} ${error.since}: ${error.code}${check}; the last good state serves`);
  }
  if (expiring.length > 0) lines.push(`Expires soon: ${expiring.join(', ')}; run tidegate refresh`);
  return lines;
}

function memoryLines(memory: NonNullable<NodeStatus['memory']>): readonly string[] {
  const { models_bytes: bytes, models_bytes_max: bytesMax, not_resident: named } = memory;
  const of = bytesMax === undefined ? '' : ` of ${sizeText(bytesMax)}`;
  const lines = [`Models take ${sizeText(bytes)}${of} of memory`];
  const count = memory.not_resident_count;
  if (count > 0) {
    const more = count > named.length ? ` and ${count - named.length} more` : '';
    const names = named.map(({ model, version }) => `${model} ${version}`).join(', ');
    lines.push(`Loaded when somebody asks, or for a rollback: ${names}${more}`);
  }
  return lines;
}

function isNodeStatus(value: unknown): value is NodeStatus {
  return typeof value === 'object' && value !== null && 'ready' in value && typeof value.ready === 'boolean';
}
