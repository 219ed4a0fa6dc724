/** Arithmetic, tables and words of the benches. */

/** The value below which a share `q` (0 to 1) of ascending values lies; NaN of none. */
export function quantile(ascending: ArrayLike<number>, q: number): number {
  if (ascending.length === 0) return Number.NaN;
  return ascending[Math.min(ascending.length - 1, Math.floor(q * ascending.length))]!;
}

/** The middle of some values; NaN of none. */
export function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** A figure that was measured several times. */
export interface Spread {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sum = values.reduce((total, value) => total + value, 0);
  return { mean: sum / values.length, least: Math.min(...values), most: Math.max(...values) };
}

/** Ratios of one series to another, round by round: what disturbed a round disturbed both. */
export function ratios(series: readonly number[], to: readonly number[]): Spread {
  const rounds = Math.min(series.length, to.length);
  return spreadOf(Array.from({ length: rounds }, (_, i) => series[i]! / to[i]!));
}

/** `1.05 (0.98 to 1.11)`. */
export function spreadText({ mean, least, most }: Spread, digits: number): string {
  return `${mean.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`;
}

/** The 95 % interval of a share of which `some` of `all` were seen, by Wilson's score. */
export function wilson(some: number, all: number): [low: number, high: number] {
  if (all === 0) return [0, 1];
  const z = 1.96;
  const share = some / all;
  const middle = (share + (z * z) / (2 * all)) / (1 + (z * z) / all);
  const reach =
    (z * Math.sqrt((share * (1 - share)) / all + (z * z) / (4 * all * all))) / (1 + (z * z) / all);
  return [Math.max(0, middle - reach), Math.min(1, middle + reach)];
}

/** Lines of a table: the first column flush left, the others flush right; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  const lines = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  lines.splice(1, 0, '-'.repeat(Math.max(...lines.map(({ length }) => length))));
  return lines.map((line) => `  ${line.trimEnd()}\n`).join('');
}

/** Whether a figure is within its bound, in words. */
export function judged(value: number, most: number): string {
  return `${value <= most ? 'within' : 'MORE THAN'} ${most}`;
}

export function print(text: string): void {
  process.stdout.write(text);
}
