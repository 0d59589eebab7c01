/** Bars with the range over the rounds as SVG text: the middle as the bar, the lowest and the highest as a whisker. Pure. */
import { colours, escapeMarkup, niceTicks, tickName } from '../../cli/bench/report/plot.ts';
import type { Spread } from './spread.ts';

export interface Bar {
  readonly name: string;
  /** Bars of the same group have the same colour. */
  readonly group: string;
  readonly spread: Spread;
}

const width = 860;
const left = 330;
const right = 90;
const rowHeight = 24;
const top = 34;

export function rangeBars(title: string, bars: readonly Bar[]): string {
  const high = Math.max(1e-9, ...bars.map(({ spread }) => spread.max));
  const end = niceTicks(high).at(-1) ?? high;
  const xAt = (value: number): number =>
    Math.round((left + ((width - left - right) * value) / end) * 10) / 10;
  const height = top + bars.length * rowHeight + 28;
  const groups = [...new Set(bars.map(({ group }) => group))];
  const grid = niceTicks(high).map(
    (tick) =>
      `<line x1="${xAt(tick)}" x2="${xAt(tick)}" y1="${top - 6}" y2="${height - 24}" stroke="#e5e7eb"/>` +
      `<text x="${xAt(tick)}" y="${height - 8}" text-anchor="middle">${tickName(tick)}</text>`,
  );
  const rows = bars.map(({ name, group, spread }, index) => {
    const y = top + index * rowHeight;
    const middle = y + rowHeight / 2 - 2;
    const colour = colours[groups.indexOf(group) % colours.length] ?? 'black';
    return (
      `<text x="${left - 8}" y="${middle + 4}" text-anchor="end">${escapeMarkup(name)}</text>` +
      `<rect x="${left}" y="${y}" width="${Math.max(1, xAt(spread.median) - left)}" height="${rowHeight - 6}" fill="${colour}" fill-opacity="0.75"/>` +
      `<line x1="${xAt(spread.min)}" x2="${xAt(spread.max)}" y1="${middle}" y2="${middle}" stroke="#111827" stroke-width="2"/>` +
      `<text x="${xAt(spread.max) + 6}" y="${middle + 4}">${tickName(spread.median)}</text>`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="system-ui, sans-serif" font-size="12" fill="#1f2937">` +
    `<text x="0" y="18" font-weight="600" font-size="14">${escapeMarkup(title)}</text>${grid.join('')}${rows.join('')}</svg>`
  );
}
