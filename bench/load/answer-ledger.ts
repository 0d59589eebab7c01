/**
 * Keeps account of requests that carry numbers of their own: which are asked, how each was answered, what was never answered
 * and what nobody asked for. Pure.
 *
 * Invariant: each number leaves the open ones once; whatever comes for it after that counts as wrong.
 */

/** So many things that went wrong are kept in words; all are counted. */
const problemsKept = 20;

export class AnswerLedger {
  /** Error codes that a request may end with. */
  readonly #declared: ReadonlySet<string>;
  readonly #open = new Set<number>();
  readonly #byCode = new Map<string, number>();
  readonly #problems: string[] = [];
  #asked = 0;
  #answered = 0;
  #wrong = 0;

  constructor(declared: Iterable<string>) {
    this.#declared = new Set(declared);
  }

  get asked(): number {
    return this.#asked;
  }

  /** With their own number. */
  get answered(): number {
    return this.#answered;
  }

  /** Not answered so far. */
  get open(): number {
    return this.#open.size;
  }

  /** Answers that were not for whom they came to, came again, or said what they may not. */
  get wrong(): number {
    return this.#wrong;
  }

  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Requests that ended with each of the declared codes. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#byCode;
  }

  /** The number of the next request. */
  ask(): number {
    this.#asked += 1;
    this.#open.add(this.#asked);
    return this.#asked;
  }

  /** `said` is the number in the answer; what is no number is no answer to anybody. */
  answer(number: number, said: number): void {
    if (!this.#close(number, `an answer that says ${said}`)) return;
    if (said === number) this.#answered += 1;
    else this.#complain(`request ${number} was answered with ${said}`);
  }

  refuse(number: number, code: string): void {
    if (!this.#close(number, `the error ${code}`)) return;
    if (this.#declared.has(code)) this.#byCode.set(code, (this.#byCode.get(code) ?? 0) + 1);
    else this.#complain(`request ${number} ended with ${code}`);
  }

  /** Something came, or happened, that belongs to no request. */
  surprise(what: string): void {
    this.#complain(what);
  }

  #close(number: number, what: string): boolean {
    if (this.#open.delete(number)) return true;
    this.#complain(`request ${number} is not under way, and got ${what}`);
    return false;
  }

  #complain(what: string): void {
    this.#wrong += 1;
    if (this.#problems.length < problemsKept) this.#problems.push(what);
  }
}
