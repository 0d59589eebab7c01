/**
 * What a pipeline says about a version of a model before it is published, checked field by field when it is made. What
 * the file says about itself (inputs, outputs, size) is not here: it is read from the file.
 */
import { checkModelName, checkVersionName } from '../manifest/names.ts';
import type { TextRule } from '../manifest/field-reader.ts';
import type { StateDeclaration } from '../manifest/state-tensor.ts';
import {
  descriptionRule,
  labelRule,
  metricNameRule,
  metricsMax,
  tagRule,
  tagsMax,
} from '../manifest/version-metadata.ts';
import { StoreError } from '../store-error.ts';

export interface ModelMetadataOptions {
  readonly name: string;
  /** A version is published once: its name stands for these bytes for ever. */
  readonly version: string;
  /** What it was trained with. Default `onnx`. */
  readonly framework?: string;
  /** Who made it. */
  readonly author: string;
  /** One line, at most 2000 characters. */
  readonly description?: string;
  /** Measured qualities by name, at most 64; finite numbers. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** Labels, at most 64. */
  readonly tags?: readonly string[];
  /** What the version remembers between the calls of a sequence, at most 64 tensors; held against the file when it is published. */
  readonly state?: readonly StateDeclaration[];
  /** The rows of the file's fixed first dimension do not depend on each other, so requests may share a run. Default false. */
  readonly fixedBatch?: boolean;
}

/** Throws INVALID_ARGUMENT that names the field. An instance never changes. */
export class ModelMetadata {
  readonly name: string;
  readonly version: string;
  readonly framework: string;
  readonly author: string;
  readonly description: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly tags: readonly string[];
  readonly state: readonly StateDeclaration[];
  readonly fixedBatch: boolean;

  constructor(options: ModelMetadataOptions) {
    for (const checked of [checkModelName(options.name), checkVersionName(options.version)]) {
      if (!checked.ok) throw new StoreError('INVALID_ARGUMENT', checked.message);
    }
    this.name = options.name;
    this.version = options.version;
    this.framework = checkText('framework', options.framework ?? 'onnx', labelRule);
    this.author = checkText('author', options.author, labelRule);
    this.description = checkText('description', options.description ?? '', descriptionRule);
    this.metrics = checkMetrics(options.metrics ?? {});
    this.tags = checkTags(options.tags ?? []);
    this.state = Object.freeze([...(options.state ?? [])]);
    this.fixedBatch = options.fixedBatch ?? false;
  }
}

function checkText(field: string, text: string, rule: TextRule): string {
  if (typeof text !== 'string') throw refused(field, 'is not a text');
  if (text.length > rule.lengthMax) throw refused(field, `is longer than ${rule.lengthMax} characters`);
  if (rule.pattern?.test(text) ?? true) return text;
  throw refused(field, `${JSON.stringify(text.slice(0, 80))} has characters that are not allowed`);
}

function checkMetrics(metrics: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const entries = Object.entries(metrics);
  if (entries.length > metricsMax) throw refused('metrics', `has more than ${metricsMax} entries`);
  for (const [name, value] of entries) {
    checkText('metrics', name, metricNameRule);
    if (!Number.isFinite(value)) throw refused(`metrics.${name}`, `is ${String(value)}, not a number`);
  }
  return Object.freeze({ ...metrics });
}

function checkTags(tags: readonly string[]): readonly string[] {
  if (tags.length > tagsMax) throw refused('tags', `has more than ${tagsMax} entries`);
  return Object.freeze(tags.map((tag) => checkText('tags', tag, tagRule)));
}

function refused(field: string, problem: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', `The model metadata cannot be used: ${field} ${problem}.`);
}
