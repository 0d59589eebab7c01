/**
 * The names a store may contain: models, versions, roles, and the target paths made of them.
 * A name is one path segment and one URL segment; it never starts with a dot, so no path made of names can climb.
 */
import type { Parsed, TextRule } from './field-reader.ts';

export const modelNameRule: TextRule = { lengthMax: 128, pattern: /^[a-z0-9][a-zA-Z0-9._-]*$/ };

/** Lower-case hex. */
export const sha256Rule: TextRule = { lengthMax: 64, pattern: /^[0-9a-f]{64}$/ };

/** Semantic versions with their `+build`, dates, counters: anything that is one harmless path segment. */
export const versionNameRule: TextRule = { lengthMax: 128, pattern: /^[a-zA-Z0-9][a-zA-Z0-9._+-]*$/ };

/** Names of TUF roles. Stricter than TUF: they become file names. */
export const roleNameRule: TextRule = { lengthMax: 64, pattern: /^[a-z][a-z0-9-]*$/ };

/** `GET /v2/models/stats` is a path of the protocol, so a model of that name could not be asked about. */
const reservedModelNames: ReadonlySet<string> = new Set(['stats']);

/** The one deployment manifest; its name leaves room for one per fleet. */
export const deploymentManifestPath = 'deployments/default.json';

export function checkModelName(name: string): Parsed<string> {
  if (reservedModelNames.has(name)) {
    return {
      ok: false,
      message: `A model cannot be called ${name}: /v2/models/${name} has a meaning of its own.`,
    };
  }
  if (fits(name, modelNameRule)) return { ok: true, value: name };
  return {
    ok: false,
    message: `The model name ${quote(name)} is not usable: start with a-z or 0-9, go on with letters, digits, dot, underscore or hyphen, at most ${modelNameRule.lengthMax} characters.`,
  };
}

export function checkVersionName(version: string): Parsed<string> {
  if (fits(version, versionNameRule)) return { ok: true, value: version };
  return {
    ok: false,
    message: `The version ${quote(version)} is not usable: start with a letter or digit, go on with letters, digits, dot, underscore, plus or hyphen, at most ${versionNameRule.lengthMax} characters.`,
  };
}

export function modelTargetPath(id: { readonly model: string; readonly version: string }): string {
  return `models/${id.model}/${id.version}/model.onnx`;
}

/** The model and version a target path stands for, or undefined when it is not the path of a model file. */
export function parseModelTargetPath(
  path: string,
): { readonly model: string; readonly version: string } | undefined {
  const [folder, model, version, file, ...rest] = path.split('/');
  if (folder !== 'models' || file !== 'model.onnx' || rest.length > 0) return undefined;
  if (model === undefined || version === undefined) return undefined;
  return checkModelName(model).ok && checkVersionName(version).ok ? { model, version } : undefined;
}

function fits(text: string, rule: TextRule): boolean {
  return text.length <= rule.lengthMax && (rule.pattern?.test(text) ?? true);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
