import type { RefusedFacts } from './refused-rows.ts';

/** A place that somebody tried to connect to, though no answer gave it to him. Times are RFC 3339. */
export interface DirectRow {
  /** Empty for many that are not told apart; then there is no protocol. */
  readonly address: string;
  readonly protocol: string;
  /** 0 for none. */
  readonly port: number;
  /** False where another may have sent it. */
  readonly proven: boolean;
  /** The name that the address was granted with last, to anybody. */
  readonly granted_name?: string;
  readonly first: string;
  readonly last: string;
  /** Packets. */
  readonly count: number;
}

/** What the firewall refused. */
export interface DirectPart {
  /** Different places whose client is proven, and others; at least. */
  readonly proven: number;
  readonly unproven: number;
  readonly packets: number;
  readonly rows: readonly DirectRow[];
}

/** Rows of one report. */
const MOST_ROWS = 100;

/** Undefined where nothing was refused. */
export function directOf(facts: readonly RefusedFacts[]): DirectPart | undefined {
  return partOf(
    facts.map(({ name, proven, first, last, ...rest }) => ({
      ...rest,
      proven: proven === 1,
      ...(name === null ? {} : { granted_name: name }),
      first: new Date(first).toISOString(),
      last: new Date(last).toISOString(),
    })),
  );
}

/** What several servers say, as one. */
export function mergeDirect(parts: readonly (DirectPart | undefined)[]): DirectPart | undefined {
  const rows = new Map<string, DirectRow>();
  for (const row of parts.flatMap((part) => part?.rows ?? [])) {
    const key = `${row.address} ${row.protocol} ${row.port} ${row.proven}`;
    const same = rows.get(key);
    rows.set(
      key,
      same === undefined ? row : { ...same, ...timesOf(same, row), count: same.count + row.count },
    );
  }
  const merged = partOf([...rows.values()]);
  const packets = parts.reduce((sum, part) => sum + (part?.packets ?? 0), 0);
  return merged === undefined ? undefined : { ...merged, packets };
}

function partOf(rows: readonly DirectRow[]): DirectPart | undefined {
  if (rows.length === 0) return undefined;
  return {
    proven: rows.filter(({ proven }) => proven).length,
    unproven: rows.filter(({ proven }) => !proven).length,
    packets: rows.reduce((sum, { count }) => sum + count, 0),
    rows: rows.slice(0, MOST_ROWS),
  };
}

function timesOf(one: DirectRow, other: DirectRow): Pick<DirectRow, 'first' | 'last'> {
  return {
    first: one.first < other.first ? one.first : other.first,
    last: one.last > other.last ? one.last : other.last,
  };
}
