/**
 * Which signer speaks for which file. A role may list only paths that were delegated to it, and where two roles could
 * speak for one path the first in order decides, as TUF has it.
 */
import { type Checked, type Refused, passed, refused } from './check.ts';
import { PathPatterns, PatternIndex } from './path-pattern.ts';
import type { Delegation, SignedTarget, SignedTargets } from './signed-content.ts';

/** `targets` delegates to `models`, and that to a role for each model; there is nothing to gain below that. */
export const delegationDepthMax = 2;

/** The part of a role that says what it lists and whom it delegates to. */
export type Listing = Pick<SignedTargets, 'targets' | 'delegations'>;

/**
 * All targets by path. `signedBy` gives what each role lists. The name of a role says what it may ever be given:
 * `models` and `models-*` model files, `deployments` and `deployments-*` what is live. So a key for publishing cannot
 * be made a key for deploying by one careless pattern, nor by a delegation of its own.
 */
export function resolveTargets(
  delegations: readonly Delegation[],
  signedBy: ReadonlyMap<string, Listing>,
): Checked<ReadonlyMap<string, SignedTarget>> {
  const resolved = new Map<string, SignedTarget>();
  const problem = resolveLevel(delegations, { signedBy, above: [], resolved });
  return problem ?? passed(resolved);
}

/** One delegation on the way down to a role, and what the roles before it at its level have taken. */
interface Step {
  readonly patterns: PathPatterns;
  readonly takenBefore: PatternIndex;
}

interface Walk {
  readonly signedBy: ReadonlyMap<string, Listing>;
  readonly above: readonly Step[];
  readonly resolved: Map<string, SignedTarget>;
}

function resolveLevel(delegations: readonly Delegation[], walk: Walk): Refused | undefined {
  const takenBefore = new PatternIndex();
  for (const delegation of delegations) {
    const step = { patterns: new PathPatterns(delegation.patterns), takenBefore };
    const problem = resolveRole(delegation.name, { ...walk, above: [...walk.above, step] });
    if (problem !== undefined) return problem;
    if (delegation.terminating) takenBefore.add(delegation.patterns);
  }
  return undefined;
}

function resolveRole(name: string, walk: Walk): Refused | undefined {
  const { signedBy, above, resolved } = walk;
  const listing = signedBy.get(name);
  if (listing === undefined) return undefined;
  const folder = familyOf(name);
  for (const [path, target] of listing.targets) {
    const segments = path.split('/');
    const isOwn = segments[0] === folder && above.every(({ patterns }) => patterns.matches(segments));
    if (!isOwn) return refused('delegation', `The role ${name} signs ${path}, which is not its own.`);
    const isTaken = above.some(({ takenBefore }) => takenBefore.matches(segments));
    if (!isTaken && !resolved.has(path)) resolved.set(path, target);
  }
  return resolveLevel(listing.delegations, walk);
}

/** `models` for `models` and `models-iris`: the folder of targets that a role may speak for. */
export function familyOf(role: string): string {
  return role.split('-', 1)[0] ?? '';
}
