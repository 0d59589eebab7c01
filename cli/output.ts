/** Where a command writes: for people as lines, for programs as one JSON value. */

export interface Output {
  readonly out: (text: string) => unknown;
  readonly err: (text: string) => unknown;
}

export interface Answer {
  readonly json: unknown;
  readonly lines: readonly string[];
}

export function write(output: Output, answer: Answer, options: { readonly json?: true }): void {
  output.out(
    options.json ? `${JSON.stringify(answer.json, undefined, 2)}\n` : `${answer.lines.join('\n')}\n`,
  );
}

/** Rows in columns as wide as their widest cell, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
