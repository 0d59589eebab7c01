/**
 * Names in a path arrive percent-encoded (RFC 3986 section 2.1). One that does not decode stays as it is: no model and no
 * version has a percent sign in its name, so it names nothing, and the answer says what was asked for.
 */
import type { HttpRequest } from 'uWebSockets.js';

/** The decoded parameter, or undefined when the route has no such parameter. */
export function pathParameter(req: HttpRequest, index: number): string | undefined {
  // The library gives undefined for a parameter that the route does not have; its types do not say so.
  const raw = req.getParameter(index) as string | undefined;
  if (raw === undefined || !raw.includes('%')) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}
