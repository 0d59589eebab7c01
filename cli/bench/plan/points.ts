/** Values of an option that may be one number, a list or a range: `8`, `1,8,64`, `1:16`, `100:500:100`. Pure. */

export type Points =
  | { readonly kind: 'values'; readonly values: readonly number[] }
  | { readonly kind: 'range'; readonly from: number; readonly to: number };

/** Of one run; every one is measured. */
export const pointsMax = 100;

/**
 * Undefined for what is none of these. A range with a step is the list of its values; one without stays a range, of which
 * whoever asks makes what it needs.
 */
export function parsePoints(text: string): Points | undefined {
  const [from, to, step, ...more] = text.split(':').map((part) => part.trim());
  if (to === undefined) return valuesOf(text.split(',').map((part) => positive(part.trim())));
  const [low, high] = [positive(from ?? ''), positive(to)];
  if (low === undefined || high === undefined || low > high || more.length > 0) return undefined;
  if (step === undefined) return { kind: 'range', from: low, to: high };
  const stride = positive(step);
  if (stride === undefined) return undefined;
  const count = Math.floor((high - low) / stride + 1e-9) + 1;
  if (count > pointsMax) return undefined;
  return valuesOf(Array.from({ length: count }, (_, index) => low + index * stride));
}

/** A range in steps of one. Undefined when there are more values than one run measures. */
export function allPoints(points: Points): readonly number[] | undefined {
  if (points.kind === 'values') return points.values;
  const count = Math.floor(points.to - points.from) + 1;
  return count > pointsMax ? undefined : Array.from({ length: count }, (_, index) => points.from + index);
}

function valuesOf(values: readonly (number | undefined)[]): Points | undefined {
  const found = values.filter((value) => value !== undefined);
  if (found.length !== values.length || found.length === 0 || found.length > pointsMax) return undefined;
  return { kind: 'values', values: found };
}

function positive(text: string): number | undefined {
  const value = Number(text);
  return /^\d+(\.\d+)?$/.test(text) && value > 0 && value <= 10_000_000 ? value : undefined;
}
