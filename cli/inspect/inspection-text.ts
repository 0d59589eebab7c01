/** The report of `tidegate inspect` for people: a line for each fact, and what is wrong at the end, where the eye is. */
import { basename } from 'node:path';
import type { FoundFile } from '../../registry-store/lifecycle/external-files.ts';
import type { ModelInspection, PortFacts } from '../../registry-store/onnx/inspect-model.ts';
import { printable } from '../../registry-store/onnx/onnx-refusal.ts';
import type { TrialOutcome } from '../../runtime/pool/trial-load.ts';
import { runtimeWords } from '../../runtime/worker/refusal-words.ts';
import { counted, sizeText } from '../options/quantity.ts';
import { type FixedBatch, fixedBatchOf, type Inspection } from './inspection.ts';

const labelWidth = 12;
/** A line of text, its label included, is not longer than this; what does not fit goes on below. */
const lineWidth = 118;

export function inspectionLines(inspection: Inspection): readonly string[] {
  const { file, model, problems } = inspection;
  const isServable = problems.length === 0;
  return [
    `${basename(file)} ${isServable ? 'can be served' : 'cannot be served'}`,
    ...fact('file', [sizeText(inspection.sizeBytes)]),
    ...fact('sha256', [inspection.sha256]),
    ...fact('written by', [
      model.producer === '' ? 'unknown' : model.producer,
      `IR version ${model.irVersion}`,
    ]),
    ...fact(
      'opsets',
      [...model.opsets].map(([domain, version]) => `${printable(domain)} ${version}`),
    ),
    ...model.inputs.flatMap((port) => fact('input', [portText(port)])),
    ...model.outputs.flatMap((port) => fact('output', [portText(port)])),
    ...operatorLines(model),
    ...weightLines(model),
    ...inspection.externalFiles.flatMap((found) => fact('beside it', [externalText(found)])),
    ...batchingLines(inspection),
    ...trialLines(inspection),
    '',
    ...(isServable
      ? [`Next: tidegate publish <model> ${file} --version <version>`]
      : [
          'What is wrong:',
          ...problems.flatMap(({ code, message }) => [`  ${code}`, ...wrap(message, '    ')]),
        ]),
  ];
}

/** `name FP32 [batch, 4]`; a free dimension without a name is a question mark. */
function portText({ name, type, shape }: PortFacts): string {
  const sizes = shape?.map((size) => (typeof size === 'string' ? printable(size) : (size ?? '?')));
  return `${printable(name)} ${type}${sizes === undefined ? '' : ` [${sizes.join(', ')}]`}`;
}

function operatorLines({ operators, functions }: ModelInspection): readonly string[] {
  const domains = [...new Set(operators.map(({ domain }) => domain))];
  const lines = domains.flatMap((domain) => {
    const ofDomain = operators.filter((operator) => operator.domain === domain);
    const texts = ofDomain.map(({ name, count }) => `${count} ${printable(name)}`);
    return fact('operators', [`${printable(domain)}: ${texts[0] ?? ''}`, ...texts.slice(1)]);
  });
  return [...lines, ...(functions.length === 0 ? [] : fact('functions', functions.map(printable)))];
}

function weightLines({ weights }: ModelInspection): readonly string[] {
  const { byType, largest, attributeValueCount, sizeBytes } = weights;
  const types = byType.map(({ type, count }) => `${count} ${type}`);
  const [total = 'none in tensors', ...rest] = types;
  const isWorthNaming = largest.length > 1 || byType.length > 1;
  return [
    ...fact('parameters', [byType.length === 0 ? total : `${sizeText(sizeBytes)}: ${total}`, ...rest]),
    ...(attributeValueCount === 0
      ? []
      : fact('', [`${counted(attributeValueCount, 'value')} in attributes of ai.onnx.ml operators`])),
    ...(isWorthNaming
      ? fact(
          'largest',
          largest.map(
            ({ name, shape, sizeBytes: bytes }) =>
              `${printable(name)} [${shape.join(', ')}] ${sizeText(bytes)}`,
          ),
        )
      : []),
  ];
}

const statusTexts: Readonly<Record<FoundFile['status'], string>> = {
  present: 'is there',
  short: 'is shorter than its tensors',
  missing: 'is not there',
  outside: 'is outside of the folder of the model',
};

function externalText({ location, status, tensorCount, neededBytes }: FoundFile): string {
  const holds = `${counted(tensorCount, 'tensor')} in ${sizeText(neededBytes)}`;
  return `${printable(location)} ${statusTexts[status]} (${holds})`;
}

function batchingLines({ model, trial }: Inspection): readonly string[] {
  const { description, batchObstacle } = model;
  if (description === undefined || trial?.kind === 'refused') return [];
  const fixed = fixedBatchOf(model, trial);
  if (fixed !== undefined) return labelled('batching', wrap(fixedBatchText(fixed)));
  const note = trial?.kind === 'loaded' ? trial.note : undefined;
  const why = batchObstacle ?? (note === undefined ? undefined : runtimeWords(note));
  if (why === undefined) return fact('batching', ['rows of different requests share a run']);
  return labelled('batching', wrap(`none, every request runs alone: ${printable(why)}`));
}

function fixedBatchText({ rows, isIndependent, note }: FixedBatch): string {
  const alone = 'none, every request runs alone';
  const sizes = `Every run has ${rows} rows, as the first dimension of every tensor says`;
  const publish = `with tidegate publish --fixed-batch up to ${rows} rows of different requests share a run`;
  if (isIndependent === undefined) {
    return `${alone}, as it is. ${sizes}. If they do not depend on each other, ${publish}.`;
  }
  if (isIndependent) {
    return `${alone}, as it is. ${sizes}, and those that were tried did not depend on each other. If that holds for all, ${publish}.`;
  }
  return `${alone}: ${sizes.replace('Every', 'every')}, and those do not pass as a batch: ${printable(runtimeWords(note))}`;
}

function trialLines({ model, trial }: Inspection): readonly string[] {
  if (trial === undefined) return fact('runtime', ['not asked']);
  if (trial.kind === 'refused') return fact('runtime', ['does not load it']);
  return [
    ...fact('runtime', [`starts and loads it in ${timeText(trial.loadMs * 1000)}`]),
    ...costLines(model, trial),
    ...fact('memory', [`about ${sizeText(trial.memoryBytes)} for a thread with the runtime and this model`]),
  ];
}

function costLines(
  { description }: ModelInspection,
  { costs, batching }: Extract<TrialOutcome, { kind: 'loaded' }>,
): readonly string[] {
  if (costs.length === 0) return [];
  const times = costs.map(({ rows, us }) =>
    batching === 'none' ? timeText(us) : `${timeText(us)} for ${counted(rows, 'row')}`,
  );
  const isFree = description?.signature.inputs.some(({ shape }) => shape.slice(1).includes(-1)) === true;
  return fact('a run takes', isFree ? [...times, 'with other free dimensions at 1'] : times);
}

function timeText(us: number): string {
  if (us < 1000) return `${us < 10 ? us.toFixed(1) : Math.round(us)} us`;
  const ms = us / 1000;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** One fact of several parts, with commas between and a line break where the line would be too long. */
function fact(label: string, parts: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const [index, part] of parts.entries()) {
    const text = index === parts.length - 1 ? part : `${part},`;
    const last = lines.at(-1);
    if (last !== undefined && last.length + text.length + 1 + labelWidth + 2 <= lineWidth) {
      lines[lines.length - 1] = `${last} ${text}`;
    } else lines.push(text);
  }
  return labelled(label, lines);
}

function labelled(label: string, lines: readonly string[]): readonly string[] {
  return lines.map((line, index) => `  ${(index === 0 ? label : '').padEnd(labelWidth)}${line}`);
}

function wrap(sentence: string, indent = ''): readonly string[] {
  const lines: string[] = [];
  for (const word of sentence.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 1 <= lineWidth - labelWidth) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(`${indent}${word}`);
  }
  return lines;
}
