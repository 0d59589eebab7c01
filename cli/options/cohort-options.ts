/** Options of `deploy` that name who meets which version of a canary whatever the hash says. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Cohort, Cohorts } from '../../registry-store/main.ts';
import { cohortsProblem } from '../../registry-store/manifest/cohorts.ts';

export interface CohortOptions {
  readonly cohort?: Cohort;
  readonly never?: Cohort;
  /** False for `--no-cohorts`. */
  readonly cohorts: boolean;
}

const nobody: Cohort = { headers: [], keys: [] };

export function addCohortOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--cohort <rule>',
        'who meets the new version of a canary: header:<name>=<value>, header:<name>=<prefix>* or key:<key>; may be repeated',
      ).argParser(collectRule),
    )
    .addOption(
      new Option('--never <rule>', 'who must not meet it, written alike; may be repeated').argParser(
        collectRule,
      ),
    )
    .option('--no-cohorts', 'drop the rules of a canary that goes on, which stay otherwise');
}

/** Undefined leaves them as they are. */
export function cohortsOf({ cohort, never, cohorts }: CohortOptions): Cohorts | undefined {
  const given = cohort !== undefined || never !== undefined;
  if (!cohorts && given) throw new InvalidArgumentError('--no-cohorts goes without --cohort and --never.');
  if (cohorts && !given) return undefined;
  return { candidate: cohort ?? nobody, stable: never ?? nobody };
}

function collectRule(text: string, before: Cohort = nobody): Cohort {
  const { headers, keys } = ruleOf(text);
  const cohort = { headers: [...before.headers, ...headers], keys: [...before.keys, ...keys] };
  const problem = cohortsProblem({ candidate: cohort, stable: nobody });
  if (problem !== undefined) throw new InvalidArgumentError(problem);
  return cohort;
}

function ruleOf(text: string): Cohort {
  const [, key] = /^key:(.+)$/su.exec(text) ?? [];
  if (key !== undefined) return { headers: [], keys: [key] };
  const [, name, value, star] = /^header:([^=]+)=(.+?)(\*?)$/.exec(text) ?? [];
  // A star alone is a prefix of nothing: it would be every caller who sends the header, or a slip.
  if (name !== undefined && value !== undefined && value !== '*') {
    const rule = { header: name.toLowerCase(), value, isPrefix: star === '*' };
    return { headers: [rule], keys: [] };
  }
  throw new InvalidArgumentError(
    `${text} is no rule. Write header:x-tenant=acme, header:x-tenant=beta-* or key:ada.`,
  );
}
