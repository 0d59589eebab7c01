/** The limits of the control API: how large, how many, how long. Every one has a name, so that a refusal can say which. */

export interface ControlLimits {
  /** A JSON body, bytes. */
  readonly jsonBytesMax: number;
  /** A JSON body that carries an artifact as base64, bytes. Larger artifacts are sent as they are. */
  readonly base64BodyBytesMax: number;
  /** An artifact that is sent as it is or taken from the artifacts folder, bytes. */
  readonly artifactBytesMax: number;
  /** Artifacts being received or read at once. */
  readonly uploadsMax: number;
  /** Changes that wait while one is made. */
  readonly changesQueuedMax: number;
  /** How long a change waits for another publisher of the store, milliseconds. */
  readonly lockWaitMs: number;
  /** Requests without a valid token from one address, at once and within `failureWindowMs`. */
  readonly failuresMax: number;
  /** Milliseconds. */
  readonly failureWindowMs: number;
  /** How long a whole request may take to arrive, milliseconds. */
  readonly receiveTimeoutMs: number;
  readonly connectionsMax: number;
  /** Events that one answer of the history has at most. */
  readonly historyEventsMax: number;
}

export const controlLimits: ControlLimits = {
  jsonBytesMax: 256 * 1024,
  base64BodyBytesMax: 24 * 1024 * 1024,
  artifactBytesMax: 128 * 1024 * 1024,
  uploadsMax: 2,
  changesQueuedMax: 8,
  lockWaitMs: 10_000,
  failuresMax: 10,
  failureWindowMs: 60_000,
  receiveTimeoutMs: 300_000,
  connectionsMax: 64,
  historyEventsMax: 1000,
};
