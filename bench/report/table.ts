/** A plain text table: left-aligned names, right-aligned numbers. Pure. */

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** Columns are as wide as their widest cell, two blanks apart. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const cells = (line: readonly string[]): readonly string[] =>
    columns.map(({ align }, index) => {
      const text = line[index] ?? '';
      const width = widths[index] ?? 0;
      return align === 'left' ? text.padEnd(width) : text.padStart(width);
    });
  return lines.map((line) => cells(line).join('  ').trimEnd()).join('\n');
}
