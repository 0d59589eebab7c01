/** `tidegate inspect`: what an ONNX file is, and whether a node could serve it, before anybody publishes it. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { limitBounds, parseLimits } from '../../gateway/admission/limits.ts';
import { inputsTooLarge } from '../../gateway/admission/smallest-run.ts';
import { findExternalFiles, withExternalData } from '../../registry-store/lifecycle/external-files.ts';
import { StoreError } from '../../registry-store/main.ts';
import { commonFirstSize } from '../../registry-store/manifest/signature.ts';
import { type ModelInspection, inspectOnnxModel } from '../../registry-store/onnx/inspect-model.ts';
import { externalFilesOf } from '../../registry-store/onnx/weight-facts.ts';
import { type TrialOutcome, tryModel } from '../../runtime/pool/trial-load.ts';
import { AnsweredNo } from '../failure.ts';
import { inspectionLines } from '../inspect/inspection-text.ts';
import { type Inspection, inspectionJson, type Problem } from '../inspect/inspection.ts';
import { readModelFile } from '../model-file.ts';
import { type Output, write } from '../output.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { progressFor } from '../terminal/progress.ts';

interface InspectOptions {
  readonly run: boolean;
  readonly json?: true;
}

/** Sizes between one row and the largest batch at which a run is measured. */
const measuredRows: readonly number[] = [8];

export function registerInspect(program: Command, output: Output): void {
  program
    .command('inspect')
    .description('say what an ONNX file is and whether it can be served')
    .argument('<file>', 'ONNX file')
    .option('--no-run', 'only read the file, do not load it in the runtime')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Shows inputs and outputs, operators, parameters and size, loads the model in the runtime that nodes use, and says what
a run costs and whether requests share runs. Needs no store and no key, and changes nothing. Ends with 0 when the model
can be served and with 1 when it cannot, and then says what to do.

Examples:
  $ tidegate inspect iris.onnx
  $ tidegate inspect iris.onnx --no-run
  $ tidegate inspect iris.onnx --json`,
    )
    .action(async (file: string, options: InspectOptions) => {
      const inspection = await interruptible((signal) => inspectFile(file, { options, output, signal }));
      write(output, { json: inspectionJson(inspection), lines: inspectionLines(inspection) }, options);
      if (inspection.problems.length > 0) throw new AnsweredNo();
    });
}

interface Work {
  readonly options: InspectOptions;
  readonly output: Output;
  readonly signal: AbortSignal;
}

async function inspectFile(file: string, work: Work): Promise<Inspection> {
  const hash = createHash('sha256');
  const alone = await readWithProgress(file, { ...work, piece: (piece) => hash.update(piece) });
  const externalFiles = await findExternalFiles(file, externalFilesOf(alone));
  const isWhole = externalFiles.length > 0 && externalFiles.every(({ status }) => status === 'present');
  const bytes = isWhole ? await withExternalData(file, alone, work.signal) : alone;
  const model = inspectOnnxModel(bytes);
  if (!model.ok) throw new StoreError('MODEL_REFUSED', `${model.code}: ${model.message}`);
  const unaskable = unaskableProblems(model.value);
  const isTried = work.options.run && unaskable.length === 0;
  const trial = isTried ? await tryWithProgress(bytes, model.value, work) : undefined;
  return {
    file,
    // Of what would be signed.
    sizeBytes: bytes.byteLength,
    sha256: isWhole ? createHash('sha256').update(bytes).digest('hex') : hash.digest('hex'),
    model: model.value,
    externalFiles,
    trial,
    problems: [...model.value.refusals, ...unaskable, ...(trial?.kind === 'refused' ? [trial] : [])],
  };
}

/** Nobody could ask for it on a node with default limits, and to try it would take the memory of such a request. */
function unaskableProblems({ description }: ModelInspection): readonly Problem[] {
  const requestBytesMax = limitBounds.requestBytesMax.initial;
  const message = description && inputsTooLarge(description.signature, { requestBytesMax });
  if (message === undefined) return [];
  return [{ code: 'INPUT_TOO_LARGE', message: `${message} The default of that limit is used here.` }];
}

async function readWithProgress(
  file: string,
  { options, output, signal, piece }: Work & { readonly piece: (bytes: Uint8Array) => void },
): Promise<Uint8Array> {
  const bar = progressFor(output, options, 'bytes');
  try {
    const progress = (done: number, total: number): void => {
      bar.step('reading', done, total);
    };
    return await readModelFile(file, { signal, progress, piece });
  } finally {
    bar.end();
  }
}

/** Undefined for a model that is refused anyway: the runtime is not asked about what no node would give it. */
async function tryWithProgress(
  bytes: Uint8Array,
  { description }: ModelInspection,
  { options, output, signal }: Work,
): Promise<TrialOutcome | undefined> {
  if (description === undefined) return undefined;
  const bar = progressFor(output, options, 'things');
  let seconds = 0;
  const tick = setInterval(() => {
    bar.step('trying it in the runtime, second', ++seconds, undefined);
  }, 1000);
  try {
    const { signature } = description;
    return await tryModel({
      workerFile: workerFile(),
      model: bytes,
      // As it would be published with --fixed-batch, where it can be: that is what there is to find out.
      signature: { ...signature, fixedRows: commonFirstSize(signature) },
      warmRows: warmRows(),
      signal,
    });
  } finally {
    clearInterval(tick);
    bar.end();
  }
}

/** Up to the largest batch of a node with default limits. */
function warmRows(): readonly number[] {
  const limits = parseLimits({});
  return limits.ok ? [...measuredRows, limits.value.batchRowsMax] : measuredRows;
}

/** Threads run compiled code, also when this file is not. The bundle knows the modules of threads by the way they are named here. */
function workerFile(): URL {
  const beside = new URL('../../runtime/worker/main.js', import.meta.url);
  if (existsSync(beside)) return beside;
  const manifest = createRequire(import.meta.url).resolve('#package');
  return pathToFileURL(join(manifest, '..', 'dist/runtime/worker/main.js'));
}
