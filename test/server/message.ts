import { message, question, record, wire } from '../wire/build.ts';

/** DNS messages as text and back, for clients and upstreams of the tests. Nothing here comes from the code under test. */

export const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  SVCB: 64,
  HTTPS: 65,
  TKEY: 249,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
};

const TYPE_TEXTS = new Map(Object.entries(TYPES).map(([text, type]) => [type, text]));

export const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

export function typeNumber(text: string): number {
  const type = TYPES[text] ?? Number(/^TYPE(\d+)$/.exec(text)?.[1]);
  if (Number.isNaN(type)) throw new Error(`no type ${text}`);
  return type;
}

export function typeText(type: number): string {
  return TYPE_TEXTS.get(type) ?? `TYPE${type}`;
}

export interface Rec {
  readonly owner: string;
  readonly type: string;
  readonly class: number;
  readonly ttl: number;
  /** As in `recordOctets`, or hexadecimal where the type is not known there. */
  readonly data: string;
  readonly rdata: Buffer;
}

export interface Ede {
  readonly code: number;
  readonly text: string;
}

export interface Opt {
  readonly size: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** Other bits of the flags; 0 in a sound message. */
  readonly rest: number;
  readonly options: readonly { readonly code: number; readonly data: Buffer }[];
  readonly ede: readonly Ede[];
}

export interface Message {
  readonly octets: Buffer;
  readonly id: number;
  readonly flags: number;
  readonly opcode: number;
  /** Extended by OPT. */
  readonly rcode: string;
  readonly question: { readonly name: string; readonly type: string; readonly class: number } | null;
  readonly answer: readonly Rec[];
  readonly authority: readonly Rec[];
  /** Without OPT. */
  readonly additional: readonly Rec[];
  readonly opt: Opt | null;
}

/** Reads a whole message; throws where it is not sound: octets left over, two OPTs, pointers that do not go back. */
export function readMessage(octets: Buffer): Message {
  const flags = octets.readUInt16BE(2);
  const questions = octets.readUInt16BE(4);
  if (questions > 1) throw new Error(`${questions} questions`);
  let at = 12;
  let asked: Message['question'] = null;
  if (questions === 1) {
    const name = readName(octets, at);
    asked = {
      name: name.text,
      type: typeText(octets.readUInt16BE(name.end)),
      class: octets.readUInt16BE(name.end + 2),
    };
    at = name.end + 4;
  }
  const sections: Rec[][] = [];
  for (const offset of [6, 8, 10]) {
    const section: Rec[] = [];
    for (let left = octets.readUInt16BE(offset); left > 0; left--) {
      const owner = readName(octets, at);
      const type = octets.readUInt16BE(owner.end);
      const start = owner.end + 10;
      const end = start + octets.readUInt16BE(owner.end + 8);
      if (end > octets.length) throw new Error('a record ends behind the message');
      section.push({
        owner: owner.text,
        type: typeText(type),
        class: octets.readUInt16BE(owner.end + 2),
        ttl: octets.readUInt32BE(owner.end + 4),
        data: dataText(octets, type, start, end),
        rdata: octets.subarray(start, end),
      });
      at = end;
    }
    sections.push(section);
  }
  if (at !== octets.length) throw new Error(`${octets.length - at} octets are left over`);
  const opts = sections[2]!.filter(({ type }) => type === 'OPT');
  if (opts.length > 1) throw new Error('two OPTs');
  const opt = opts[0] === undefined ? null : readOpt(opts[0]);
  const rcode = (flags & 15) | (opts[0] === undefined ? 0 : (opts[0].ttl >>> 24) << 4);
  return {
    octets,
    id: octets.readUInt16BE(0),
    flags,
    opcode: (flags >>> 11) & 15,
    rcode: RCODES[rcode] ?? `RCODE${rcode}`,
    question: asked,
    answer: sections[0]!,
    authority: sections[1]!,
    additional: sections[2]!.filter(({ type }) => type !== 'OPT'),
    opt,
  };
}

function readOpt({ owner, class: size, ttl, rdata }: Rec): Opt {
  if (owner !== '.') throw new Error(`OPT at ${owner}`);
  const options: { code: number; data: Buffer }[] = [];
  for (let at = 0; at < rdata.length; ) {
    const length = rdata.readUInt16BE(at + 2);
    if (at + 4 + length > rdata.length) throw new Error('an option ends behind OPT');
    options.push({ code: rdata.readUInt16BE(at), data: rdata.subarray(at + 4, at + 4 + length) });
    at += 4 + length;
  }
  return {
    size,
    version: (ttl >>> 16) & 0xff,
    dnssecOk: (ttl & 0x8000) !== 0,
    rest: ttl & 0x7fff,
    options,
    ede: options
      .filter(({ code }) => code === 15)
      .map(({ data }) => ({ code: data.readUInt16BE(0), text: data.toString('utf8', 2) })),
  };
}

/** A name as text, with the offset behind it; pointers must lead back. */
export function readName(octets: Buffer, start: number): { readonly text: string; readonly end: number } {
  let text = '';
  let end = -1;
  let total = 1;
  for (let at = start, limit = start; ; ) {
    const size = octets.readUInt8(at);
    if (size === 0) return { text: text === '' ? '.' : text, end: end < 0 ? at + 1 : end };
    if (size >= 0xc0) {
      const target = octets.readUInt16BE(at) & 0x3fff;
      if (target >= limit || target < 12) throw new Error(`a pointer at ${at} leads to ${target}`);
      if (end < 0) end = at + 2;
      at = target;
      limit = target;
      continue;
    }
    if (size > 63) throw new Error(`label type ${size >>> 6}`);
    if (at + 1 + size > octets.length) throw new Error('a label ends behind the message');
    total += 1 + size;
    if (total > 255) throw new Error('a name of more than 255 octets');
    for (const octet of octets.subarray(at + 1, at + 1 + size)) text += display(octet);
    text += '.';
    at += 1 + size;
  }
}

function display(octet: number): string {
  if (octet === 0x2e || octet === 0x5c) return `\\${String.fromCharCode(octet)}`;
  return octet > 0x20 && octet < 0x7f ? String.fromCharCode(octet) : `\\${String(octet).padStart(3, '0')}`;
}

function dataText(octets: Buffer, type: number, start: number, end: number): string {
  const rdata = octets.subarray(start, end);
  const name = (at: number): string => {
    const read = readName(octets, at);
    if (read.end !== end) throw new Error('a name in RDATA does not fill it');
    return read.text;
  };
  switch (typeText(type)) {
    case 'A':
      if (rdata.length !== 4) throw new Error('A of another size');
      return rdata.join('.');
    case 'AAAA':
      if (rdata.length !== 16) throw new Error('AAAA of another size');
      return Array.from({ length: 8 }, (_, i) => rdata.readUInt16BE(2 * i).toString(16)).join(':');
    case 'CNAME':
    case 'DNAME':
    case 'NS':
    case 'PTR':
      return name(start);
    case 'MX':
      return `${rdata.readUInt16BE(0)} ${name(start + 2)}`;
    case 'SRV':
      return `${[0, 2, 4].map((at) => rdata.readUInt16BE(at)).join(' ')} ${name(start + 6)}`;
    case 'SOA': {
      const first = readName(octets, start);
      const second = readName(octets, first.end);
      const numbers = [0, 4, 8, 12, 16].map((at) => octets.readUInt32BE(second.end + at));
      if (second.end + 20 !== end) throw new Error('SOA of another size');
      return `${first.text} ${second.text} ${numbers.join(' ')}`;
    }
    case 'TXT':
    case 'HINFO': {
      const strings: string[] = [];
      for (let at = start; at < end; at += 1 + octets[at]!) {
        if (at + 1 + octets[at]! > end) throw new Error('a string ends behind RDATA');
        strings.push(JSON.stringify(octets.toString('utf8', at + 1, at + 1 + octets[at]!)));
      }
      return strings.join(' ');
    }
    case 'RRSIG':
      return `${typeText(rdata.readUInt16BE(0))} ${rdata[3]} ${readName(octets, start + 18).text}`;
    default:
      return rdata.toString('hex');
  }
}

/** `owner ttl TYPE data` as octets, uncompressed. */
export function recordOctets(text: string): Buffer {
  const match = /^(\S+) (\d+) (\S+) ?(.*)$/.exec(text);
  if (match === null) throw new Error(`no record: ${text}`);
  const [, owner = '', ttl = '', type = '', data = ''] = match;
  return record({
    owner: wireName(owner),
    type: typeNumber(type),
    ttl: Number(ttl),
    rdata: dataOctets(type, data),
  });
}

/** A name as octets; `\DDD` and `\.` are read. */
export function wireName(text: string): Buffer {
  if (!text.includes('\\')) return wire(text.replace(/\.$/, ''));
  const labels: number[][] = [[]];
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '.') labels.push([]);
    else if (char !== '\\') labels.at(-1)!.push(char.charCodeAt(0));
    else if (/\d/.test(text[at + 1]!)) {
      labels.at(-1)!.push(Number(text.slice(at + 1, at + 4)));
      at += 3;
    } else labels.at(-1)!.push(text.charCodeAt(++at));
  }
  if (labels.at(-1)!.length > 0) labels.push([]);
  return Buffer.concat(labels.map((label) => Buffer.from([label.length, ...label])));
}

function dataOctets(type: string, text: string): Buffer {
  const parts = text.split(' ');
  const u16 = (value: string): number[] => [Number(value) >>> 8, Number(value) & 255];
  const u32 = (value: string): number[] => [...u16(String(Number(value) >>> 16)), ...u16(value)];
  switch (type) {
    case 'A':
      return Buffer.from(text.split('.').map(Number));
    case 'AAAA': {
      const [front = '', back] = text.split('::');
      const groups = (part: string | undefined): string[] => (part ? part.split(':') : []);
      const missing = 8 - groups(front).length - groups(back).length;
      const all = [...groups(front), ...Array<string>(missing).fill('0'), ...groups(back)];
      return Buffer.from(all.flatMap((group) => u16(String(Number.parseInt(group, 16)))));
    }
    case 'CNAME':
    case 'DNAME':
    case 'NS':
    case 'PTR':
      return wireName(text);
    case 'MX':
      return Buffer.concat([Buffer.from(u16(parts[0]!)), wireName(parts[1]!)]);
    case 'SRV':
      return Buffer.concat([Buffer.from(parts.slice(0, 3).flatMap(u16)), wireName(parts[3]!)]);
    case 'SVCB':
    case 'HTTPS': {
      // PRIORITY TARGET and at most one ipv4hint (RFC 9460 §7.3).
      const hint = parts[2] === undefined ? [] : [0, 4, 0, 4, ...parts[2].split('.').map(Number)];
      return Buffer.concat([Buffer.from(u16(parts[0]!)), wireName(parts[1]!), Buffer.from(hint)]);
    }
    case 'SOA':
      return Buffer.concat([
        wireName(parts[0]!),
        wireName(parts[1]!),
        Buffer.from(parts.slice(2).flatMap(u32)),
      ]);
    case 'TXT':
      return Buffer.from([text.length, ...Buffer.from(text)]);
    case 'RRSIG': {
      // COVERED LABELS SIGNER, the rest made up.
      const fixed = [
        ...u16(String(typeNumber(parts[0]!))),
        13,
        Number(parts[1]),
        ...Array<number>(14).fill(1),
      ];
      return Buffer.concat([Buffer.from(fixed), wireName(parts[2]!), Buffer.alloc(64, 7)]);
    }
    case 'NSEC':
      return Buffer.concat([wireName(text), Buffer.from([0, 1, 0x40])]);
    default:
      return Buffer.from(text, 'hex');
  }
}

export interface Reply {
  readonly rcode?: number;
  /** Besides QR, RD and RA. */
  readonly flags?: number;
  readonly answer?: readonly string[];
  readonly authority?: readonly string[];
  readonly additional?: readonly string[];
}

/** A reply of an upstream to `asked`, octets of a query: its ID and its question as they were sent. */
export function replyOctets(asked: Buffer, shape: Reply): Buffer {
  const { end } = readName(asked, 12);
  return message({
    id: asked.readUInt16BE(0),
    flags: 0x8180 | (shape.flags ?? 0) | (shape.rcode ?? 0),
    questions: [asked.subarray(12, end + 4)],
    answers: (shape.answer ?? []).map(recordOctets),
    authority: (shape.authority ?? []).map(recordOctets),
    additional: (shape.additional ?? []).map(recordOctets),
  });
}

/** A question section for `name` as written, its case kept. */
export function questionOctets(name: string, type: string): Buffer {
  return question(wireName(name), typeNumber(type));
}

/**
 * A reply on one line, every octet of it but the ID and how names are compressed: what the tables of verdicts hold. OPT
 * is told by what differs from a bare one of version 0 and 1,232 octets.
 */
export function describe(reply: Message): string {
  const { flags, rcode, question: asked, answer, authority, additional, opt, opcode } = reply;
  const bits = ['QR', 'AA', 'TC', 'RD', 'RA', 'Z', 'AD', 'CD'].filter(
    (_, i) => (flags & [0x8000, 0x400, 0x200, 0x100, 0x80, 0x40, 0x20, 0x10][i]!) !== 0,
  );
  const records = (list: readonly Rec[]): string =>
    list
      .map(
        ({ owner, type, class: cls, ttl, data }) =>
          `${owner} ${ttl}${cls === 1 ? '' : ` CLASS${cls}`} ${type} ${data}`,
      )
      .join(', ');
  const parts = [
    `${rcode} ${bits.join(' ')}${opcode === 0 ? '' : ` opcode ${opcode}`}`,
    asked === null ? '-' : `${asked.name} ${asked.type}${asked.class === 1 ? '' : ` CLASS${asked.class}`}`,
  ];
  if (answer.length > 0) parts.push(`answer ${records(answer)}`);
  if (authority.length > 0) parts.push(`authority ${records(authority)}`);
  if (additional.length > 0) parts.push(`additional ${records(additional)}`);
  if (opt !== null) parts.push(`opt${describeOpt(opt)}`);
  return parts.join(' | ');
}

function describeOpt({ size, version, dnssecOk, rest, options }: Opt): string {
  const parts = [
    ...(size === 1232 ? [] : [`size ${size}`]),
    ...(version === 0 ? [] : [`version ${version}`]),
    ...(dnssecOk ? ['DO'] : []),
    ...(rest === 0 ? [] : [`flags ${rest}`]),
    ...options.map(({ code, data }) =>
      code === 15
        ? `EDE ${data.readUInt16BE(0)} ${JSON.stringify(data.toString('utf8', 2))}`
        : `option ${code} ${data.toString('hex')}`,
    ),
  ];
  return parts.map((part) => ` ${part}`).join('');
}
