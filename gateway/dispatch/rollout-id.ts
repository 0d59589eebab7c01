/** The name of a rollout: the salt of its hash, and what this node remembers it by. */
import type { Deployment } from '../../registry-store/main.ts';

/** As signed. A deployment of a store from before there were ids is named by what it leads from and to. */
export function rolloutIdOf({ model, version, candidate, rolloutId }: Deployment): string {
  if (rolloutId !== undefined) return rolloutId;
  return `${model}:${version}:${candidate?.version ?? ''}:${candidate?.sha256.slice(0, 12) ?? ''}`;
}
