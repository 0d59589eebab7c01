/**
 * Reads fields out of a value of unknown shape and remembers the first thing that was wrong, so that a parser is a
 * list of fields and one question at the end. It never throws and never looks a key up through a prototype.
 * After a problem the values it hands out are placeholders: look at `problem` before using any of them.
 */

export type Parsed<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly message: string };

export interface TextRule {
  readonly lengthMax: number;
  readonly pattern?: RegExp;
}

export interface IntegerRule {
  readonly min: number;
  readonly max: number;
}

export class FieldReader {
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #where: string;
  readonly #nested: FieldReader[] = [];
  #problem: string | undefined;

  /** `where` names the value in messages, as in `deployments of the manifest`. */
  constructor(value: unknown, where: string) {
    this.#where = where;
    const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.#fields = new Map(isRecord ? Object.entries(value) : []);
    if (!isRecord) this.reject('is not an object');
  }

  /** The first problem of this value or of one read with `record`; undefined when everything was as it should be. */
  get problem(): string | undefined {
    return this.#problem ?? this.#nested.find((reader) => reader.problem !== undefined)?.problem;
  }

  /** The value when nothing was wrong, the first problem otherwise. */
  finish<Value>(value: Value): Parsed<Value> {
    const { problem } = this;
    return problem === undefined ? { ok: true, value } : { ok: false, message: problem };
  }

  reject(what: string): void {
    this.#problem ??= `${this.#where} ${what}`;
  }

  has(field: string): boolean {
    return this.#fields.has(field);
  }

  isNull(field: string): boolean {
    return this.#fields.get(field) === null;
  }

  text(field: string, rule: TextRule): string {
    const value = this.#fields.get(field);
    if (typeof value !== 'string') return this.#refuse(field, 'is not a string', '');
    if (value.length > rule.lengthMax) {
      return this.#refuse(field, `is longer than ${rule.lengthMax} characters`, '');
    }
    if (rule.pattern !== undefined && !rule.pattern.test(value)) {
      return this.#refuse(field, `does not match ${rule.pattern.source}`, '');
    }
    return value;
  }

  integer(field: string, rule: IntegerRule): number {
    const value = this.#fields.get(field);
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      return this.#refuse(field, 'is not an integer', rule.min);
    }
    if (value < rule.min || value > rule.max) {
      return this.#refuse(field, `is not between ${rule.min} and ${rule.max}`, rule.min);
    }
    return value;
  }

  boolean(field: string): boolean {
    const value = this.#fields.get(field);
    return typeof value === 'boolean' ? value : this.#refuse(field, 'is not true or false', false);
  }

  oneOf<const Choice extends string>(field: string, choices: readonly [Choice, ...Choice[]]): Choice {
    const value = this.#fields.get(field);
    const found = choices.find((choice) => choice === value);
    return found ?? this.#refuse(field, `is not one of ${choices.join(', ')}`, choices[0]);
  }

  list(field: string, countMax: number): readonly unknown[] {
    const value: unknown = this.#fields.get(field);
    if (!Array.isArray(value)) return this.#refuse(field, 'is not a list', []);
    if (value.length > countMax) return this.#refuse(field, `has more than ${countMax} entries`, []);
    return value;
  }

  texts(field: string, rule: TextRule & { readonly countMax: number }): readonly string[] {
    const values = this.list(field, rule.countMax);
    const texts = values.filter((value) => typeof value === 'string');
    const fits = texts.every(
      (text) => text.length <= rule.lengthMax && (rule.pattern === undefined || rule.pattern.test(text)),
    );
    if (texts.length !== values.length || !fits)
      return this.#refuse(field, 'holds an entry that does not fit', []);
    return texts;
  }

  /** A reader for a nested object; its problem is this one's problem too. */
  record(field: string): FieldReader {
    return this.nest(this.#fields.get(field), `${field} of ${this.#where}`);
  }

  /** A reader for a value that came out of `list` or `entries`. */
  nest(value: unknown, where: string): FieldReader {
    const reader = new FieldReader(value, where);
    this.#nested.push(reader);
    return reader;
  }

  /** All fields of this value, for objects that are used as tables. */
  entries(rule: {
    readonly countMax: number;
    readonly key: TextRule;
  }): readonly (readonly [string, unknown])[] {
    if (this.#fields.size > rule.countMax) return this.#refuseAll(`has more than ${rule.countMax} entries`);
    for (const key of this.#fields.keys()) {
      const fits = key.length <= rule.key.lengthMax && (rule.key.pattern?.test(key) ?? true);
      if (!fits)
        return this.#refuseAll(`has an entry with an illegal name: ${JSON.stringify(key.slice(0, 80))}`);
    }
    return [...this.#fields];
  }

  #refuseAll(what: string): readonly (readonly [string, unknown])[] {
    this.reject(what);
    return [];
  }

  #refuse<Value>(field: string, what: string, placeholder: Value): Value {
    this.reject(`has a field ${field} that ${this.#fields.has(field) ? what : 'is missing'}`);
    return placeholder;
  }
}
