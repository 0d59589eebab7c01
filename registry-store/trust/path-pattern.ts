/**
 * Path patterns of delegations as TUF has them: `*` stands for any characters within one segment, and a path has as
 * many segments as its pattern. Compiled once, because a store has a pattern for each model and a path for each
 * version.
 */

export class PathPatterns {
  readonly #patterns: readonly (readonly RegExp[])[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => pattern.split('/').map(compile));
  }

  matches(segments: readonly string[]): boolean {
    return this.#patterns.some(
      (parts) =>
        parts.length === segments.length && parts.every((part, index) => part.test(segments[index] ?? '')),
    );
  }
}

/**
 * Many patterns of which any may match. They are sorted by their second segment, the name of the model, when that is
 * literal: a path is tried against the few patterns that could match it and not against one for each model.
 */
export class PatternIndex {
  readonly #byName = new Map<string, PathPatterns[]>();
  readonly #others: PathPatterns[] = [];

  add(patterns: readonly string[]): void {
    for (const pattern of patterns) {
      const name = pattern.split('/')[1] ?? '*';
      const compiled = new PathPatterns([pattern]);
      if (name.includes('*')) this.#others.push(compiled);
      else if (this.#byName.get(name)?.push(compiled) === undefined) this.#byName.set(name, [compiled]);
    }
  }

  matches(segments: readonly string[]): boolean {
    const candidates = [...(this.#byName.get(segments[1] ?? '') ?? []), ...this.#others];
    return candidates.some((pattern) => pattern.matches(segments));
  }
}

function compile(part: string): RegExp {
  const source = part
    .split('*')
    .map((literal) => literal.replace(/[.+]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`);
}
