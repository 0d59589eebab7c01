/**
 * Quantities as people write them, parsed into whole numbers of the smallest unit, because signed content has no
 * fractions. Undefined stands for text that is none; the caller says which field it was in.
 */

const kibi = 1024;
const letters = ['k', 'm', 'g', 't'] as const;

const bytesOf: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ...letters.flatMap((letter, index): readonly (readonly [string, number])[] => {
    const [decimal, binary] = [1000 ** (index + 1), kibi ** (index + 1)];
    return [
      [letter, decimal],
      [`${letter}b`, decimal],
      [`${letter}i`, binary],
      [`${letter}ib`, binary],
    ];
  }),
]);

/** `512Mi`, `1.5GB` or plain bytes; in bytes, at least one. */
export function parseSizeBytes(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?([a-zA-Z]*)$/.exec(text) ?? [];
  const factor = bytesOf.get(unit.toLowerCase());
  if (number === undefined || factor === undefined) return undefined;
  return positive(Math.round(Number(number) * factor));
}

/** `0.5`, `2` or `1500m`; in thousandths of a core, at least one. */
export function parseCoresMillis(text: string): number | undefined {
  if (/^\d+m$/.test(text)) return positive(Number(text.slice(0, -1)));
  return /^\d+(\.\d{1,3})?$/.test(text) ? positive(Math.round(Number(text) * 1000)) : undefined;
}

/** `5`, `5%` or `0.25`; a percentage in hundredths of a percent, 0 to 10000. */
export function parseShareBps(text: string): number | undefined {
  const [, number] = /^(\d+(?:\.\d{1,2})?) ?%?$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  const bps = Math.round(Number(number) * 100);
  return bps <= 10_000 ? bps : undefined;
}

function positive(value: number): number | undefined {
  return Number.isSafeInteger(value) && value >= 1 ? value : undefined;
}
