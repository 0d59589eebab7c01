/**
 * Callers who meet one version of a canary whatever their bucket says, signed with it: those who try the candidate first,
 * and those who must never meet it. They are named by what a header says or by their key; what a request carries is the
 * gateway's business.
 * Invariant: cohorts of a deployment name somebody, and nobody twice.
 */
import type { FieldReader } from './field-reader.ts';

/** Named by what a header says. */
export interface HeaderRule {
  /** In lower case. */
  readonly header: string;
  /** The whole of what the header says, case included; how it begins, for a rule of prefixes. */
  readonly value: string;
  readonly isPrefix: boolean;
}

export interface Cohort {
  readonly headers: readonly HeaderRule[];
  /** Routing keys, as requests carry them. */
  readonly keys: readonly string[];
}

/** By the version they meet. Who is in both meets the stable one. */
export interface Cohorts {
  readonly candidate: Cohort;
  readonly stable: Cohort;
}

/** Of one cohort; each request of the model is compared with all of them. */
export const headerRulesMax = 32;
/** Of one cohort; they are found by hash, but the manifest carries each of them to every node. */
export const cohortKeysMax = 1000;
export const cohortKeyLengthMax = 200;
export const cohortValueLengthMax = 200;

const headerName = /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
/** What a header can say: printable ASCII without blanks around it. */
const headerValue = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
/** The end of a prefix may be a blank inside the value. */
const headerPrefix = /^[\x21-\x7e][\x20-\x7e]*$/;
/** No control characters and no half of a character, which could not be signed or shown. */
const keyText = /^[^\p{Cc}\p{Cs}]+$/u;

/** Whoever reads the store reads its manifest, so that a rule would give these away. */
const secretHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'x-force-token',
]);

export function isSecretHeader(header: string): boolean {
  return secretHeaders.has(header);
}

/** Whether they name nobody. */
export function isEmptyCohorts({ candidate, stable }: Cohorts): boolean {
  return isEmpty(candidate) && isEmpty(stable);
}

/** Why these cannot be the cohorts of a canary; undefined when they can. */
export function cohortsProblem({ candidate, stable }: Cohorts): string | undefined {
  const seen = new Set<string>();
  for (const cohort of [candidate, stable]) {
    const problem = cohortProblem(cohort);
    if (problem !== undefined) return problem;
    for (const rule of ruleTexts(cohort)) {
      if (seen.has(rule)) return `There are two rules ${rule}; one is enough, and it cannot lead both ways.`;
      seen.add(rule);
    }
  }
  return undefined;
}

/** Problems go to the reader. */
export function readCohorts(reader: FieldReader): Cohorts {
  const cohorts = { candidate: readCohort(reader, 'candidate'), stable: readCohort(reader, 'stable') };
  if (!reader.has('candidate') && !reader.has('stable')) reader.reject('names nobody');
  const problem = cohortsProblem(cohorts);
  if (problem !== undefined) reader.reject(`cannot be: ${problem}`);
  return cohorts;
}

/** `readCohorts` of it gives the same cohorts back; a cohort of nobody is left out. */
export function cohortsJson({ candidate, stable }: Cohorts): Readonly<Record<string, unknown>> {
  return {
    ...(!isEmpty(candidate) && { candidate: cohortJson(candidate) }),
    ...(!isEmpty(stable) && { stable: cohortJson(stable) }),
  };
}

/** As on the command line: `header:x-tenant=beta-*`, `key:ada`. */
export function ruleTexts({ headers, keys }: Cohort): readonly string[] {
  return [
    ...headers.map(({ header, value, isPrefix }) => `header:${header}=${value}${isPrefix ? '*' : ''}`),
    ...keys.map((key) => `key:${key}`),
  ];
}

function cohortProblem({ headers, keys }: Cohort): string | undefined {
  if (headers.length > headerRulesMax) return `A cohort has at most ${headerRulesMax} rules about headers.`;
  if (keys.length > cohortKeysMax) return `A cohort has at most ${cohortKeysMax} keys.`;
  for (const { header, value, isPrefix } of headers) {
    if (!headerName.test(header)) return 'A header is named in lower case, with at most 100 characters.';
    if (isSecretHeader(header)) {
      return `The header ${header} holds secrets, and everybody who reads the store would read this rule.`;
    }
    if (value.length > cohortValueLengthMax || !(isPrefix ? headerPrefix : headerValue).test(value)) {
      return `What a header says is 1 to ${cohortValueLengthMax} printable ASCII characters without blanks around them.`;
    }
  }
  const areKeys = keys.every((key) => key.length <= cohortKeyLengthMax && keyText.test(key));
  return areKeys ? undefined : `A key has 1 to ${cohortKeyLengthMax} characters, none of them a control.`;
}

function readCohort(reader: FieldReader, field: 'candidate' | 'stable'): Cohort {
  if (!reader.has(field)) return nobody;
  const cohort = reader.record(field);
  if (!cohort.has('headers') && !cohort.has('keys')) cohort.reject('names nobody');
  return {
    headers: listed(cohort, 'headers', headerRulesMax).map((value) =>
      readHeaderRule(reader.nest(value, `a header rule for ${field}`)),
    ),
    keys: cohort.has('keys') ? keysOf(cohort) : [],
  };
}

const nobody: Cohort = { headers: [], keys: [] };

function readHeaderRule(rule: FieldReader): HeaderRule {
  const isPrefix = rule.has('prefix');
  if (isPrefix && rule.has('value')) rule.reject('has both a value and a prefix');
  return {
    header: rule.text('name', { lengthMax: 100 }),
    value: rule.text(isPrefix ? 'prefix' : 'value', { lengthMax: cohortValueLengthMax }),
    isPrefix,
  };
}

function keysOf(cohort: FieldReader): readonly string[] {
  listed(cohort, 'keys', cohortKeysMax);
  return cohort.texts('keys', { lengthMax: cohortKeyLengthMax, pattern: keyText, countMax: cohortKeysMax });
}

/** A list that is there for nothing is a second way to write the same deployment. */
function listed(cohort: FieldReader, field: string, countMax: number): readonly unknown[] {
  if (!cohort.has(field)) return [];
  const values = cohort.list(field, countMax);
  if (values.length === 0) cohort.reject(`has no ${field} in its list of them`);
  return values;
}

function cohortJson({ headers, keys }: Cohort): Readonly<Record<string, unknown>> {
  return {
    ...(headers.length > 0 && {
      headers: headers.map(({ header: name, value, isPrefix }) =>
        isPrefix ? { name, prefix: value } : { name, value },
      ),
    }),
    ...(keys.length > 0 && { keys }),
  };
}

function isEmpty({ headers, keys }: Cohort): boolean {
  return headers.length === 0 && keys.length === 0;
}
