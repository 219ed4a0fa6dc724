import { escapeText, type Terminal } from './terminal.ts';

/** Columns for people: as wide as they need to be, the heading dim, nothing in them that could move the cursor. */
export function tableLines(
  terminal: Terminal,
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const clean = rows.map((row) => row.map(escapeText));
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...clean.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [terminal.paint('dim', line(heading)), ...clean.map(line)];
}

/** A moment without fractions of a second, as people want it. */
export function shortTime(iso: unknown): string {
  return String(iso).replace(/\.\d+Z$/, 'Z');
}
