import { cut, pad, shown, widthOf } from "./cell.ts";

export type Column<Row> = {
  readonly title: string;
  /** Cells are cut to this many columns of the terminal; the last column of a table takes what is left. */
  readonly maxWidth: number;
  readonly text: (row: Row) => string;
};

const gap = "  ";
const leastLastWidth = 16;

/** No cell shows more characters than this; a value can have 256 KiB. */
const cellMaxChars = 1000;

/**
 * Lays rows out as a table, a page of them at a time, so that a list of any length needs no more memory
 * than a page. Later pages keep the widths of earlier ones, or widen them.
 */
export function createTable<Row>(
  columns: readonly Column<Row>[],
  totalWidth: number,
): (rows: readonly Row[]) => string {
  const widths = columns.map((column) => column.title.length);
  let titled = false;
  const last = columns.length - 1;

  function line(cells: readonly string[]): string {
    const before = widths.slice(0, last).reduce((sum, width) => sum + width + gap.length, 0);
    const lastWidth = Math.max(leastLastWidth, totalWidth - before);
    const padded = cells.map((cell, i) => (i === last ? cut(cell, lastWidth) : pad(cell, widths[i] ?? 0)));
    return `${padded.join(gap).trimEnd()}\n`;
  }

  return (rows) => {
    const lines = rows.map((row) =>
      columns.map(({ text, maxWidth }) => cut(shown(text(row).slice(0, cellMaxChars)), maxWidth)),
    );
    for (const cells of lines) {
      for (const [i, cell] of cells.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(cell));
    }
    const title = titled ? "" : line(columns.map((column) => column.title));
    titled = true;
    return title + lines.map(line).join("");
  };
}
