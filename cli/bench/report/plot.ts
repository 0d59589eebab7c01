/** Line plots as SVG text, for reports that must open without a network. Pure. */

export interface PlotSeries {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly PlotSeries[];
  /** Places on the x axis that have a name; default round numbers. */
  readonly xTicks?: readonly { readonly x: number; readonly name: string }[];
}

export const plotSize = { width: 720, height: 320 } as const;
export const colours: readonly string[] = [
  '#2563eb',
  '#dc2626',
  '#059669',
  '#d97706',
  '#7c3aed',
  '#0891b2',
  '#be185d',
  '#4b5563',
];
const margin = { left: 76, right: 150, top: 34, bottom: 48 };
const style = 'font-family="system-ui, sans-serif" font-size="12" fill="#1f2937"';

/** An `<svg>` element, `at` pixels down where it stands inside another one. */
export function linePlot(plot: Plot, at = 0): string {
  const points = plot.series.flatMap((one) => one.points);
  const xs = points.map(({ x }) => x);
  const [xLow, xHigh] = [Math.min(...xs), Math.max(...xs)];
  const yHigh = niceTicks(Math.max(1e-9, ...points.map(({ y }) => y))).at(-1) ?? 1;
  const width = plotSize.width - margin.left - margin.right;
  const height = plotSize.height - margin.top - margin.bottom;
  const xAt = (x: number): number =>
    margin.left + (xHigh > xLow ? ((x - xLow) / (xHigh - xLow)) * width : width / 2);
  const yAt = (y: number): number => margin.top + height * (1 - y / yHigh);
  const xTicks = plot.xTicks ?? tickPlaces(xLow, xHigh);
  const bottom = margin.top + height;
  const parts = [
    text({ x: margin.left, y: 20, words: plot.title, more: 'font-weight="600" font-size="14"' }),
    text({
      x: margin.left + width / 2,
      y: plotSize.height - 10,
      words: plot.xLabel,
      more: 'text-anchor="middle"',
    }),
    text({
      x: 0,
      y: 0,
      words: plot.yLabel,
      more: `text-anchor="middle" transform="translate(16 ${margin.top + height / 2}) rotate(-90)"`,
    }),
    ...niceTicks(yHigh).flatMap((y) => [
      `<line x1="${margin.left}" x2="${margin.left + width}" y1="${px(yAt(y))}" y2="${px(yAt(y))}" stroke="#e5e7eb"/>`,
      text({ x: margin.left - 8, y: yAt(y) + 4, words: tickName(y), more: 'text-anchor="end"' }),
    ]),
    ...xTicks.map(({ x, name }) =>
      text({ x: xAt(x), y: bottom + 18, words: name, more: 'text-anchor="middle"' }),
    ),
    `<line x1="${margin.left}" x2="${margin.left + width}" y1="${bottom}" y2="${bottom}" stroke="#6b7280"/>`,
    ...plot.series.map((series, index) => drawSeries(series, index, { xAt, yAt })),
  ];
  const size = `width="${plotSize.width}" height="${plotSize.height}" viewBox="0 0 ${plotSize.width} ${plotSize.height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" y="${at}" ${size} ${style}>${parts.join('')}</svg>`;
}

/** Plots one below the other as one picture. */
export function stackedPlots(plots: readonly Plot[]): string {
  const height = plotSize.height * plots.length;
  const inner = plots.map((plot, index) => linePlot(plot, index * plotSize.height)).join('\n');
  const size = `width="${plotSize.width}" height="${height}" viewBox="0 0 ${plotSize.width} ${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="white"/>\n${inner}\n</svg>\n`;
}

function drawSeries(
  { name, points }: PlotSeries,
  index: number,
  { xAt, yAt }: { readonly xAt: (x: number) => number; readonly yAt: (y: number) => number },
): string {
  const colour = colours[index % colours.length] ?? 'black';
  const path = points.map(({ x, y }) => `${px(xAt(x))},${px(yAt(y))}`).join(' ');
  const dots = points.map(
    ({ x, y }) => `<circle cx="${px(xAt(x))}" cy="${px(yAt(y))}" r="3" fill="${colour}"/>`,
  );
  const [keyX, keyY] = [plotSize.width - margin.right + 16, margin.top + 12 + index * 18];
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...dots,
    `<rect x="${keyX}" y="${keyY - 9}" width="10" height="10" fill="${colour}"/>`,
    text({ x: keyX + 16, y: keyY, words: name, more: '' }),
  ].join('');
}

function text({
  x,
  y,
  words,
  more,
}: {
  readonly x: number;
  readonly y: number;
  readonly words: string;
  readonly more: string;
}): string {
  return `<text x="${px(x)}" y="${px(y)}" ${more}>${escapeMarkup(words)}</text>`;
}

/** Text as HTML and SVG take it, also inside attributes. */
export function escapeMarkup(words: string): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return words.replace(/[&<>"]/g, (sign) => names[sign] ?? sign);
}

/** From 0 in steps of 1, 2 or 5 times a power of ten, about five of them; the last one is not below `high`. */
export function niceTicks(high: number): readonly number[] {
  const rough = high / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  return Array.from({ length: Math.ceil(high / step - 1e-9) + 1 }, (_, index) => index * step);
}

function tickPlaces(low: number, high: number): readonly { readonly x: number; readonly name: string }[] {
  if (low === high) return [{ x: low, name: tickName(low) }];
  return niceTicks(high)
    .filter((x) => x >= low)
    .map((x) => ({ x: Math.min(high, x), name: tickName(Math.min(high, x)) }));
}

export function tickName(value: number): string {
  return Number(value.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}

/** Tenths of a pixel are more than anybody sees. */
function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
