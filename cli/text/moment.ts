/** Moments as people read them. JSON keeps the full ISO text; these are for tables, always in UTC and to the minute. */

/** `2026-11-23 20:39` from ISO 8601 text in UTC. */
export function momentText(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

/** The same to the second, for what happens while somebody looks. */
export function secondText(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}

/** `45s`, `4m 12s`, `2h 5m`, `3d 4h`; the two largest units, whole. */
export function durationText(durationMs: number): string {
  const seconds = Math.ceil(durationMs / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days}d ${hours % 24}h`;
  if (hours > 0) return `${hours}h ${minutes % 60}m`;
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`;
}

const units = [
  ['year', 365 * 86_400_000],
  ['month', 30 * 86_400_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

/** `in 11 months`, `2 days ago`; the largest unit of which there are at least two. */
export function distanceText(iso: string, nowMs: number): string {
  const distanceMs = Date.parse(iso) - nowMs;
  const [unit, unitMs] = units.find(([, ms]) => Math.abs(distanceMs) >= 2 * ms) ?? ['minute', 60_000];
  // What was signed for five years a moment ago lasts five years, to people.
  const count = Math.floor(Math.abs(distanceMs) / unitMs + 0.02);
  const text = `${count} ${unit}${count === 1 ? '' : 's'}`;
  return distanceMs < 0 ? `${text} ago` : `in ${text}`;
}
