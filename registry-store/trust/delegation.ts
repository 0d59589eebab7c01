/**
 * Which signer speaks for which file. A role may list only paths that were delegated to it, and where two roles could
 * speak for one path the first in order decides, as TUF has it.
 */
import { type Checked, passed, refused } from './check.ts';
import type { Delegation, SignedTarget } from './signed-content.ts';

/**
 * All targets by path. `signedBy` gives what each role lists. The name of a role says what it may ever be given:
 * `models` and `models-*` model files, `deployments` and `deployments-*` what is live. So a key for publishing cannot
 * be made a key for deploying by one careless pattern.
 */
export function resolveTargets(
  delegations: readonly Delegation[],
  signedBy: ReadonlyMap<string, ReadonlyMap<string, SignedTarget>>,
): Checked<ReadonlyMap<string, SignedTarget>> {
  const resolved = new Map<string, SignedTarget>();
  const earlier: Delegation[] = [];
  for (const delegation of delegations) {
    const folder = delegation.name.split('-', 1)[0] ?? '';
    for (const [path, target] of signedBy.get(delegation.name) ?? []) {
      const isOwn = matchesAny(delegation, path) && path.startsWith(`${folder}/`);
      if (!isOwn)
        return refused('delegation', `The role ${delegation.name} signs ${path}, which is not its own.`);
      const isTaken = earlier.some((role) => role.terminating && matchesAny(role, path));
      if (!isTaken && !resolved.has(path)) resolved.set(path, target);
    }
    earlier.push(delegation);
  }
  return passed(resolved);
}

function matchesAny(delegation: Delegation, path: string): boolean {
  const segments = path.split('/');
  return delegation.patterns.some((pattern) => {
    const parts = pattern.split('/');
    return (
      parts.length === segments.length && parts.every((part, index) => matches(part, segments[index] ?? ''))
    );
  });
}

function matches(part: string, segment: string): boolean {
  const source = part
    .split('*')
    .map((literal) => literal.replace(/[.+]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`).test(segment);
}
