/** Freeze: signed content says until when it may be believed. Times are text in one format, so no clock is needed. */
import { type Checked, passed, refused } from './check.ts';

/** `now` as `YYYY-MM-DDThh:mm:ssZ`; a role that expires in this very second is expired. */
export function checkExpiry(
  now: string,
  roles: ReadonlyMap<string, { readonly expires: string }>,
): Checked<string> {
  for (const [role, { expires }] of roles) {
    if (expires <= now) {
      return refused(
        'expiry',
        `${role} expired at ${expires} and it is ${now}. Sign it anew with tidegate refresh --all where the keys are, or set the clock.`,
      );
    }
  }
  return passed(now);
}
