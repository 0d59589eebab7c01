/** What the bare onnxruntime loop measured at one batch size, and how the suite asks for it. */
import { type Children, nodeCommand } from '../children.ts';
import { numberField } from '../json-field.ts';
import type { OrtBackend } from './ort-session.ts';

export interface LoopReport {
  readonly rows: number;
  readonly runsPerSecond: number;
  /** Of one run, tensor creation included. Microseconds. */
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface LoopJob {
  readonly modelFile: string;
  /** Name of the input, FP32. */
  readonly input: string;
  /** One row, flat; repeated where the shape takes more. */
  readonly values: readonly number[];
  /** Without the batch. */
  readonly rowShape: readonly number[];
  /** Undefined for models whose answer nobody knows. */
  readonly label?: number;
  readonly backend: OrtBackend;
  /** That one run may use; default 1. */
  readonly intraOpThreads?: number;
  readonly batches: readonly number[];
  /** For each batch size. */
  readonly seconds: number;
}

const loopModule = new URL('bare-loop.js', import.meta.url);

export async function runBareLoop(children: Children, job: LoopJob): Promise<readonly LoopReport[]> {
  const { modelFile, ...rest } = job;
  const args = [modelFile, JSON.stringify(rest)];
  const child = children.start(nodeCommand('bare onnxruntime', loopModule, { args }));
  return parseLoopReports(await child.output());
}

function parseLoopReports(line: string): readonly LoopReport[] {
  const value: unknown = JSON.parse(line);
  if (!Array.isArray(value)) throw new TypeError(`Not a list of reports: ${line}`);
  return value.map((report: unknown) => ({
    rows: numberField(report, 'rows'),
    runsPerSecond: numberField(report, 'runsPerSecond'),
    p50Us: numberField(report, 'p50Us'),
    p99Us: numberField(report, 'p99Us'),
  }));
}
