/** A second reading of queries and messages, by the RFCs and with no code of `src/`: slow, and it copies as it likes. */

export interface PlainRecord {
  readonly section: number;
  /** Labels in lower case. */
  readonly owner: string;
  readonly type: number;
  readonly class: number;
  readonly start: number;
  readonly end: number;
}

export interface PlainMessage {
  readonly question: { readonly name: string; readonly type: number; readonly class: number };
  readonly records: readonly PlainRecord[];
}

/** What a server needs to know of a query. */
export interface PlainQuery {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly edns: boolean;
  readonly version: number;
  readonly udpSize: number;
  readonly dnssecOk: boolean;
  /** It brought a cookie. */
  readonly cookie: boolean;
}

class Malformed extends Error {}

/** A name as JSON of its labels, and the offset behind it. Pointers go backward, past the header, and are 127 at most. */
function readName(
  octets: Buffer,
  start: number,
  pointers: boolean,
): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let size = 1;
  let end = -1;
  let at = start;
  let before = start;
  for (let hops = 0; ; ) {
    const length = octet(octets, at);
    if (length === 0) break;
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | octet(octets, at + 1);
      if (!pointers || target >= before || target < 12 || ++hops > 127) throw new Malformed();
      if (end < 0) end = at + 2;
      before = target;
      at = target;
      continue;
    }
    if (length > 63 || at + 1 + length > octets.length) throw new Malformed();
    size += 1 + length;
    if (size > 255) throw new Malformed();
    labels.push(
      octets.toString('latin1', at + 1, at + 1 + length).replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
    );
    at += 1 + length;
  }
  return { name: JSON.stringify(labels), end: end < 0 ? at + 1 : end };
}

function octet(octets: Buffer, at: number): number {
  const value = octets[at];
  if (value === undefined) throw new Malformed();
  return value;
}

function uint16(octets: Buffer, at: number): number {
  return (octet(octets, at) << 8) | octet(octets, at + 1);
}

/** Null where it is malformed. */
function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

/** What an upstream sends: one question, records that all lie inside, nothing behind them. RDATA is not looked at. */
export function readPlainMessage(octets: Buffer): PlainMessage | null {
  return orNull(() => {
    if (octets.length < 12 || uint16(octets, 4) !== 1) throw new Malformed();
    const asked = readName(octets, 12, true);
    const question = {
      name: asked.name,
      type: uint16(octets, asked.end),
      class: uint16(octets, asked.end + 2),
    };
    let at = asked.end + 4;
    const records: PlainRecord[] = [];
    for (const section of [1, 2, 3]) {
      for (let left = uint16(octets, 4 + 2 * section); left > 0; left--) {
        const owner = readName(octets, at, true);
        const fixed = owner.end;
        const start = fixed + 10;
        const end = start + uint16(octets, fixed + 8);
        if (end > octets.length) throw new Malformed();
        const type = uint16(octets, fixed);
        records.push({ section, owner: owner.name, type, class: uint16(octets, fixed + 2), start, end });
        at = end;
      }
    }
    if (at !== octets.length) throw new Malformed();
    return { question, records };
  });
}

/** Names and fixed octets in RDATA (RFC 1035 §3.3, RFC 2782, RFC 3596, RFC 6672); types that are not here are opaque. */
const RDATA: ReadonlyMap<number, readonly (number | 'name')[]> = new Map([
  [1, [4]],
  [2, ['name']],
  [5, ['name']],
  [6, ['name', 'name', 20]],
  [12, ['name']],
  [15, [2, 'name']],
  [28, [16]],
  [33, [6, 'name']],
  [39, ['name']],
]);

/** Whether RDATA is what its type says, to the last octet; null for a type that is not known here. */
export function isPlainRdata(octets: Buffer, { type, start, end }: PlainRecord): boolean | null {
  const fields = RDATA.get(type);
  if (fields === undefined) return null;
  const after = orNull(() =>
    fields.reduce<number>(
      (at, field) => (field === 'name' ? readName(octets, at, true).end : at + field),
      start,
    ),
  );
  return after === end;
}

/** The end of a question that can be read, else 12: what a server's reply repeats. */
export function questionEnd(octets: Buffer): number {
  const end = orNull(() => {
    if (uint16(octets, 4) !== 1) throw new Malformed();
    const after = readName(octets, 12, false).end + 4;
    octet(octets, after - 1);
    return after;
  });
  return end ?? 12;
}

const NO_NAME = readName(Buffer.alloc(1), 0, false).name;

/** What a client sends, or null for FORMERR: one question without pointers, no records but additional ones, one OPT at most. */
export function readPlainQuery(octets: Buffer): PlainQuery | null {
  return orNull(() => {
    const asks = uint16(octets, 4);
    if (asks > 1) throw new Malformed();
    // RFC 7873 §5.4: without a question a cookie is asked for, and nothing else.
    const { name, end } = asks === 0 ? { name: NO_NAME, end: 8 } : readName(octets, 12, false);
    const type = asks === 0 ? 0 : uint16(octets, end);
    let query: PlainQuery = {
      name,
      type,
      class: asks === 0 ? 0 : uint16(octets, end + 2),
      edns: false,
      version: 0,
      udpSize: 512,
      dnssecOk: false,
      cookie: false,
    };
    // IXFR brings a SOA in the authority section (RFC 1995 §3).
    const authority = uint16(octets, 8);
    if (uint16(octets, 6) !== 0 || (authority !== 0 && type !== 251)) throw new Malformed();
    let at = end + 4;
    for (let left = authority + uint16(octets, 10); left > 0; left--) {
      const owner = skipOwner(octets, at);
      const length = uint16(octets, owner + 8);
      const next = owner + 10 + length;
      if (next > octets.length) throw new Malformed();
      const of = uint16(octets, owner + 2);
      const kind = uint16(octets, owner);
      // TSIG is of class ANY; SIG and TKEY of their own; OPT has none; the others are of the question's (RFC 1035 §4.1.2).
      const fits =
        kind === 250
          ? of === 255
          : [24, 41, 249].includes(kind) || asks === 0 || query.class === 255 || of === query.class;
      if (!fits) throw new Malformed();
      if (kind === 41) query = withOpt(octets, query, owner, next, owner === at + 1 && octets[at] === 0);
      at = next;
    }
    if (at !== octets.length) throw new Malformed();
    if (asks === 0 && !query.cookie) throw new Malformed();
    return query;
  });
}

/** RFC 6891 §6.1.1: one OPT, its owner the root; §6.1.3: the options of another version are not read. */
function withOpt(octets: Buffer, query: PlainQuery, fixed: number, end: number, atRoot: boolean): PlainQuery {
  if (query.edns || !atRoot) throw new Malformed();
  const version = octet(octets, fixed + 5);
  let cookie = false;
  for (let at = fixed + 10; version === 0 && at < end; ) {
    const size = at + 4 > end ? end : uint16(octets, at + 2);
    if (at + 4 + size > end) throw new Malformed();
    // RFC 7873 §5.2.2: a client cookie, and perhaps a server cookie of 8 to 32 octets.
    if (uint16(octets, at) === 10) {
      if (size !== 8 && (size < 16 || size > 40)) throw new Malformed();
      cookie = true;
    }
    at += 4 + size;
  }
  const udpSize = Math.max(512, uint16(octets, fixed + 2));
  return {
    ...query,
    edns: true,
    version,
    udpSize,
    dnssecOk: (octet(octets, fixed + 6) & 0x80) !== 0,
    cookie,
  };
}

/** An owner that is passed over: where a pointer leads is not followed, but it must lead back. */
function skipOwner(octets: Buffer, start: number): number {
  for (let at = start; ; ) {
    const length = octet(octets, at);
    if (length === 0) return at + 1;
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | octet(octets, at + 1);
      if (target >= start || target < 12) throw new Malformed();
      return at + 2;
    }
    if (length > 63 || at + 1 + length > octets.length || at + 1 + length - start > 254)
      throw new Malformed();
    at += 1 + length;
  }
}
