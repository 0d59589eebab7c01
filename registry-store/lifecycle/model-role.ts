/**
 * The role that lists the versions of one model. Each model has its own, so that one publish is one small file, and a
 * store of a thousand models has no file that grows with all of them. The name is for people; readers go by the paths.
 */
import { modelTargetPath } from '../manifest/names.ts';
import type { VerifiedMetadata } from '../storage/verified-metadata.ts';
import { sha256Of } from '../trust/artifact-digest.ts';
import { PathPatterns } from '../trust/path-pattern.ts';

const slugLengthMax = 50;

/** `models/<model>/<version>/<file>` */
export function modelPaths(model: string): readonly string[] {
  return [`models/${model}/*/*`];
}

/** The role that speaks for a model, or undefined when the model has none yet. The first that matches is asked, as in TUF. */
export function findModelRole(metadata: VerifiedMetadata, model: string): string | undefined {
  const segments = modelTargetPath({ model, version: '0' }).split('/');
  const delegations = metadata.listedBy.get('models')?.delegations ?? [];
  return delegations.find(({ patterns }) => {
    // Most are the paths of one other model; compiling a thousand patterns to learn that takes longer than signing.
    const isOther = patterns.every(
      (pattern) => !pattern.split('/')[1]?.includes('*') && pattern.split('/')[1] !== model,
    );
    return !isOther && new PathPatterns(patterns).matches(segments);
  })?.name;
}

/** A name that no role has yet. */
export function modelRoleName(model: string): string {
  if (/^[a-z0-9-]+$/.test(model) && model.length <= slugLengthMax) return `models-${model}`;
  const cleaned = model.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const digest = sha256Of(Buffer.from(model)).slice(0, 8);
  return `models-${cleaned.slice(0, slugLengthMax - digest.length - 1)}-${digest}`;
}
