/** What the routing of a rollout may know of the caller of a request, besides the name of the model. */

export interface Caller {
  /** From the first source that has one; undefined, never empty, where none has. */
  readonly key?: string | undefined;
  /**
   * Headers that rules of the rollout name. Undefined where nobody looked at the head of the request, because no rollout was
   * on when it came; then nothing is known of its key either.
   */
  readonly headers?: HeaderValues | undefined;
  /** Drawn by chance for a request without a key, where those are to share the buckets of all others. */
  readonly drawnKey?: string | undefined;
}

/** '' for a header that was not sent, undefined for one that nobody looked for while the request was there. */
export interface HeaderValues {
  get(header: string): string | undefined;
}
