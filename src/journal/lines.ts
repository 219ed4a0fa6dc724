import { crc32 } from 'node:zlib';

/** What the octets of a journal hold. */
export interface JournalContent {
  /** Sound records, in the order written. */
  readonly records: readonly object[];
  /** Lines that are not what was written, with sound ones behind them. */
  readonly damaged: readonly DamagedLine[];
  /** The end was cut off while it was written. */
  readonly torn: boolean;
  /** Octets up to the end of the last sound line. */
  readonly goodLength: number;
}

export interface DamagedLine {
  /** From 1. */
  readonly line: number;
  /** Octets. */
  readonly length: number;
}

/** One record a line: its length in octets, its CRC-32 in hexadecimal digits, and JSON, with a blank between. */
export function encodeLine(record: object): Buffer {
  const json = Buffer.from(JSON.stringify(record));
  return Buffer.concat([Buffer.from(`${json.length} ${checksum(json)} `), json, NEWLINE]);
}

const NEWLINE = Buffer.from('\n');

/** Reads every line that is sound, whatever stands between. JSON holds no line end, so that each line starts anew. */
export function decodeLines(octets: Buffer): JournalContent {
  const records: object[] = [];
  const damaged: DamagedLine[] = [];
  let bad: DamagedLine[] = [];
  let goodLength = 0;
  let line = 0;
  for (let start = 0; start < octets.length; ) {
    const newline = octets.indexOf(0x0a, start);
    const end = newline < 0 ? octets.length : newline;
    line++;
    const record = newline < 0 ? null : decodeLine(octets.subarray(start, end));
    if (record === null) bad.push({ line, length: end - start });
    else {
      records.push(record);
      damaged.push(...bad);
      bad = [];
      goodLength = end + 1;
    }
    start = end + 1;
  }
  // What is behind the last sound line was being written: a crash may leave any of its blocks out.
  return { records, damaged, torn: bad.length > 0, goodLength };
}

function decodeLine(line: Buffer): object | null {
  const head = /^(\d{1,9}) ([0-9a-f]{8}) /.exec(line.subarray(0, 20).toString('latin1'));
  if (head === null) return null;
  const json = line.subarray(head[0].length);
  if (json.length !== Number(head[1]) || checksum(json) !== head[2]) return null;
  try {
    const record: unknown = JSON.parse(json.toString('utf8'));
    return typeof record === 'object' && record !== null ? record : null;
  } catch {
    return null;
  }
}

function checksum(octets: Buffer): string {
  return crc32(octets).toString(16).padStart(8, '0');
}
