/** The name of a rollout, and of the watch after it: the salt of its hash, and what this node remembers it by. */
import type { Deployment } from '../../../registry-store/main.ts';

/** As signed. A deployment of a store from before there were ids is named by what it leads from and to. */
export function rolloutIdOf({ model, version, candidate, rolloutId }: Deployment): string {
  if (rolloutId !== undefined) return rolloutId;
  return `${model}:${version}:${candidate?.version ?? ''}:${candidate?.sha256.slice(0, 12) ?? ''}`;
}

/** Of the watch of a version that was promoted, by the rollout that led to it: what is decided about one says nothing of the other. */
export function watchIdOf(rolloutId: string): string {
  return `${rolloutId}/promoted`;
}
