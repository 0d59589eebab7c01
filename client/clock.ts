/** Time as the client uses it, so that tests can turn it by hand. */

export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  nowMs(): number;
  /** Runs `action` once after `delayMs`. Returns what calls it off. */
  after(delayMs: number, action: () => void): () => void;
}

/** What setTimeout takes; a longer wait is cut to 24 days. */
const timerMsMax = 0x7fff_ffff;

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after: (delayMs, action) => {
    const timer = setTimeout(action, Math.min(Math.max(delayMs, 0), timerMsMax));
    return () => {
      clearTimeout(timer);
    };
  },
};
