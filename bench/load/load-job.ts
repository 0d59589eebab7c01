/**
 * Load from the generator of `tidegate bench` in a child of its own, so that what the suite does meanwhile makes no request
 * late. A job has one or more phases, each with connections of its own, which may overlap.
 */
import type { LoadShape } from '../../cli/bench/load/load-run.ts';
import type { Protocol } from '../../cli/bench/load/prepared-requests.ts';
import { type Children, nodeCommand } from '../children.ts';
import { field, numberField } from '../json-field.ts';

/** Who is asked, and for what. */
export interface Asked {
  readonly port: number;
  readonly model: string;
  readonly input: string;
  readonly rowShape: readonly number[];
  readonly protocol: Protocol;
  readonly connections: number;
  /** Sent with each request. */
  readonly deadlineMs?: number;
}

export interface LoadPhase {
  readonly shape: LoadShape;
  readonly seconds: number;
  /** After the start of the job. */
  readonly startSeconds: number;
  /** False where a millisecond or two do not matter; see `WindowOptions`. Default true. */
  readonly staysAwake?: boolean;
  /** Where a phase asks somebody else than its job, or for something else. */
  readonly asks?: Partial<Asked>;
}

export interface LoadJob extends Asked {
  /** The first phase is done for so long before anything counts. */
  readonly warmUpSeconds: number;
  readonly phases: readonly LoadPhase[];
  /** Answers that took longer count as not recovered. Milliseconds. */
  readonly slowMs?: number;
}

export interface PhaseReport {
  readonly numbers: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

const generatorModule = new URL('load-generator.js', import.meta.url);

export async function runLoad(children: Children, job: LoadJob): Promise<readonly PhaseReport[]> {
  const child = children.start(
    nodeCommand('load generator', generatorModule, { args: [JSON.stringify(job)] }),
  );
  const reports: unknown = JSON.parse(await child.output());
  if (!Array.isArray(reports)) throw new TypeError('The load generator printed no list.');
  return reports.map(phaseReport);
}

function phaseReport(report: unknown): PhaseReport {
  const numbers = field(report, 'numbers');
  const problems = field(report, 'problems');
  if (typeof numbers !== 'object' || numbers === null || !Array.isArray(problems)) {
    throw new TypeError('A report of the load generator cannot be read.');
  }
  const names = Object.keys(numbers);
  return {
    numbers: Object.fromEntries(names.map((name) => [name, numberField(numbers, name)])),
    problems: problems.map(String),
  };
}
