import { crc32 } from 'node:zlib';

/** What the octets of a journal hold. */
export interface JournalContent {
  /** Sound records, in the order written. */
  readonly records: readonly object[];
  /** What is not as it was written. */
  readonly damaged: readonly Damage[];
  /** The last line was cut off while it was written: nobody was told that it is durable. */
  readonly torn: boolean;
  /** Octets up to the end of the last sound line. */
  readonly goodLength: number;
  /** Checksum of the last sound record: the next line names it. */
  readonly chain: string;
}

/** A place of a journal that is not as it was written. */
export interface Damage {
  /** From 1. */
  readonly line: number;
  /** Octets. */
  readonly length: number;
  /**
   * `changed`: the line cannot be read. `missing`: lines in front of it are gone. `line-end`: its end was changed, and the
   * record is sound.
   */
  readonly what: 'changed' | 'missing' | 'line-end';
  /** How many sound records stand in front of it. */
  readonly behind: number;
  /** What can be read of a changed line, for names in it; at most 4,096 octets. */
  readonly text: string;
}

/** What a line names that has none in front of it. */
export const NO_CHAIN = '';

const MAX_SHOWN = 4_096;
/** Octets in front of a line's JSON, at most: nine digits, two checksums, three blanks. */
const MAX_HEAD = 9 + 8 + 8 + 3;

/**
 * One record a line: its length in octets, its CRC-32, the CRC-32 of the record in front of it, and JSON, with a blank between.
 * The chain tells a line that is gone, which no checksum of its own can. The first line names none.
 */
export function encodeLine(
  record: object,
  chain: string = NO_CHAIN,
): { readonly octets: Buffer; readonly chain: string } {
  const text = JSON.stringify(record);
  const octets = Buffer.allocUnsafe(MAX_HEAD + Buffer.byteLength(text) + 1);
  const end = MAX_HEAD + octets.write(text, MAX_HEAD, 'utf8');
  const own = checksum(octets.subarray(MAX_HEAD, end), chain);
  const head = `${end - MAX_HEAD} ${own} ${chain === NO_CHAIN ? '' : `${chain} `}`;
  const start = MAX_HEAD - head.length;
  octets.write(head, start, 'latin1');
  octets[end] = 0x0a;
  return { octets: octets.subarray(start, end + 1), chain: own };
}

/** Reads every line that is sound, whatever stands between. JSON holds no line end, so that each line starts anew. */
export function decodeLines(octets: Buffer): JournalContent {
  const records: object[] = [];
  const damaged: Damage[] = [];
  let goodLength = 0;
  let chain = NO_CHAIN;
  let torn = false;
  let chained = true;
  let line = 0;
  // Behind a line that cannot be read the chain says nothing of it.
  let afterChanged = false;
  for (let start = 0; start < octets.length; ) {
    const newline = octets.indexOf(0x0a, start);
    const end = newline < 0 ? octets.length : newline;
    const whole = octets.subarray(start, end);
    const tell = (what: Damage['what'], text = ''): void =>
      void damaged.push({ line, length: whole.length, what, behind: records.length, text });
    line++;
    start = end + 1;
    const returned = whole.at(-1) === 0x0d;
    const found = decodeLine(returned ? whole.subarray(0, -1) : whole);
    if (found === null) {
      torn = newline < 0 && isBeginning(whole);
      if (!torn) tell('changed', whole.subarray(0, MAX_SHOWN).toString('latin1'));
      afterChanged = true;
      continue;
    }
    // Files of the first version have no chain.
    if (records.length === 0) chained = found.before !== NO_CHAIN || isChained(found.record);
    const expected = chained ? chain : NO_CHAIN;
    if (found.before !== expected && !afterChanged) tell('missing');
    if (returned) tell('line-end');
    afterChanged = false;
    records.push(found.record);
    chain = found.own;
    goodLength = Math.min(end + 1, octets.length);
  }
  return { records, damaged, torn, goodLength, chain };
}

/** Whether a file that begins with this record has chained lines: from version 2 on. */
function isChained(record: object): boolean {
  return ((record as { readonly journal?: number }).journal ?? 1) >= 2;
}

interface Decoded {
  readonly record: object;
  readonly own: string;
  readonly before: string;
}

function decodeLine(line: Buffer): Decoded | null {
  const head = /^(\d{1,9}) ([0-9a-f]{8}) (?:([0-9a-f]{8}) )?/.exec(line.subarray(0, 29).toString('latin1'));
  if (head === null) return null;
  const json = line.subarray(head[0].length);
  const [, length, own, before = NO_CHAIN] = head;
  if (json.length !== Number(length) || checksum(json, before) !== own) return null;
  try {
    const record: unknown = JSON.parse(json.toString('utf8'));
    return typeof record === 'object' && record !== null ? { record, own: own!, before } : null;
  } catch {
    return null;
  }
}

/** Whether these octets are how a line begins, and not all of it: what a crash leaves of one. */
function isBeginning(line: Buffer): boolean {
  const text = line.subarray(0, 30).toString('latin1');
  if (/^\d{1,9}(?: [0-9a-f]{0,8})?$/.test(text) || /^\d{1,9} [0-9a-f]{8} [0-9a-f]{0,8}$/.test(text))
    return true;
  const head = /^(\d{1,9}) [0-9a-f]{8} (?:[0-9a-f]{8} )?/.exec(text);
  if (head === null) return false;
  const rest = line.length - head[0].length;
  return rest === 0 || (rest < Number(head[1]) && line[head[0].length] === 0x7b && !line.includes(0));
}

function checksum(octets: Buffer, chain: string): string {
  return crc32(octets, chain === NO_CHAIN ? 0 : crc32(chain))
    .toString(16)
    .padStart(8, '0');
}
