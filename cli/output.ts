/** Where a command writes: for people as lines, for programs as one JSON value. */

/** What only a person at a terminal can do or wants to see. */
export interface Terminal {
  /** Asks without showing what is typed. Rejects with `Interrupted` on Ctrl-C. */
  readonly askSecret: (question: string) => Promise<string>;
  /** Columns of standard error. */
  readonly width: () => number;
}

/** Standard output where it is a terminal that can be drawn on. */
export interface Screen {
  readonly columns: () => number;
  readonly rows: () => number;
  /** Not where the person asked for none, with NO_COLOR. */
  readonly hasColours: boolean;
}

export interface Output {
  readonly out: (text: string) => unknown;
  readonly err: (text: string) => unknown;
  /** Only when a person sits at both ends: keyboard and standard error. */
  readonly terminal?: Terminal;
  readonly screen?: Screen;
  /** Whether somebody still reads standard output, for commands that would go on for nobody. */
  readonly isRead?: () => boolean;
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
