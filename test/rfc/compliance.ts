/**
 * What checkers of DNS and EDNS compliance send (RFC 8906 §8 and more of its kind), as a table: header bits, opcodes, types,
 * classes, EDNS versions, flags, sizes and options, and what each must bring, whatever name it is asked about. COOKIE has
 * tests of its own.
 */
import { labelled, opt, option, record, u16, u32, wire } from '../wire/build.ts';

/** One kind of query; what is left out is that of a plain query: RD, QUERY, SOA, IN, no OPT. */
export interface Kind {
  readonly says: string;
  /** The header's second word, opcode included. */
  readonly flags?: number;
  readonly type?: number;
  readonly class?: number;
  /** Without a question, or with these octets in its place, under this count. */
  readonly question?: { readonly octets: Buffer; readonly count: number };
  readonly opt?: OptKind;
  /** Octets behind the question, with the counts of answer, authority and additional records, OPT not counted. */
  readonly records?: { readonly octets: Buffer; readonly counts: readonly [number, number, number] };
  readonly trailing?: Buffer;
  /** The RCODE that the message alone decides; without it the policy has its say. */
  readonly rcode?: number;
  /** The reply has no OPT although one was sent: it stands behind what could not be read. */
  readonly unread?: boolean;
  /** No reply at all. */
  readonly dropped?: boolean;
}

export interface OptKind {
  readonly size?: number;
  readonly version?: number;
  /** The 16 bits of flags, DO the first of them. */
  readonly flags?: number;
  readonly extended?: number;
  readonly options?: Buffer;
}

/** An OPT record as `kind` has it. */
export function optRecord({ size = 1232, version = 0, flags = 0, extended = 0, options }: OptKind): Buffer {
  const ttl = u32(((extended << 24) | (version << 16) | flags) >>> 0);
  const rdata = options ?? Buffer.alloc(0);
  return Buffer.concat([wire(''), u16(41, size), ttl, u16(rdata.length), rdata]);
}

const FORMERR = 1;
const NOTIMP = 4;
const REFUSED = 5;
const BADVERS = 16;

const NOTHING = Buffer.alloc(0);
const HEADER_ALONE = { octets: NOTHING, count: 0 };
const A_RECORD = record({ owner: 'a.example' });

const options = {
  unknown: option(100),
  nsid: option(3),
  ecs: option(8, Buffer.from('00010000', 'hex')),
  ecs4: option(8, Buffer.from('00011800c00002', 'hex')),
  ecs6: option(8, Buffer.from('0002380020010db8000000', 'hex')),
  expire: option(9),
  padding: option(12, Buffer.alloc(64)),
  keyTag: option(14, Buffer.from('4f66', 'hex')),
  chain: option(13, wire('example')),
  dau: option(5, Buffer.from([8, 13, 15])),
  ede: option(15, Buffer.from('000f', 'hex')),
  reportChannel: option(18, wire('agent.example')),
  zoneVersion: option(19),
  local: option(65_001, Buffer.from('c0ffee', 'hex')),
} as const;

const all = Buffer.concat(Object.values(options));

/** What the policy decides about: every one of these must bring the policy's answer. */
const HEADER_BITS: Kind[] = [
  { says: 'dns: RFC 8906 §8.1.1', flags: 0x0000 },
  { says: 'rd: RFC 8906 §8.1.3.4', flags: 0x0100 },
  { says: 'aa', flags: 0x0400 },
  { says: 'tc', flags: 0x0200 },
  { says: 'ra', flags: 0x0080 },
  { says: 'zflag: RFC 8906 §8.1.3.3', flags: 0x0040 },
  { says: 'ad: RFC 8906 §8.1.3.2', flags: 0x0020 },
  { says: 'cd: RFC 8906 §8.1.3.1', flags: 0x0010 },
  { says: 'every bit but QR', flags: 0x07f0 },
  { says: 'an RCODE in a query', flags: 0x010f },
];

const TYPES: Kind[] = [
  { says: 'type 666: RFC 8906 §8.1.2', type: 666 },
  { says: 'type 65280, private use', type: 65_280 },
  { says: 'type 65535', type: 65_535 },
  { says: 'type 0', type: 0 },
  { says: 'type 41: OPT as a question', type: 41 },
  { says: 'type 250: TSIG as a question', type: 250 },
  { says: 'type 249: TKEY as a question', type: 249 },
  { says: 'type 128, of the range of meta types', type: 128 },
  { says: 'MAILB', type: 253 },
  { says: 'MAILA', type: 254 },
  { says: 'AXFR', type: 252, rcode: REFUSED },
  { says: 'IXFR without its SOA', type: 251, rcode: REFUSED },
  {
    says: 'IXFR, RFC 1995 §3',
    type: 251,
    records: { octets: record({ owner: 'a.example', type: 6, rdata: Buffer.alloc(22) }), counts: [0, 1, 0] },
    rcode: REFUSED,
  },
  { says: 'class CHAOS', class: 3, rcode: REFUSED },
  { says: 'class HESIOD', class: 4, rcode: REFUSED },
  { says: 'class NONE', class: 254, rcode: REFUSED },
  { says: 'class ANY', class: 255, rcode: REFUSED },
  { says: 'class 0', class: 0, rcode: REFUSED },
];

const OPCODES: Kind[] = Array.from({ length: 15 }, (_, i) => i + 1).flatMap((opcode): Kind[] => {
  const rcode = opcode === 4 || opcode === 5 ? REFUSED : NOTIMP;
  const flags = opcode << 11;
  return [
    { says: `opcode ${opcode}, header alone: RFC 8906 §8.1.4`, flags, question: HEADER_ALONE, rcode },
    { says: `opcode ${opcode}, every flag`, flags: flags | 0x07f0, question: HEADER_ALONE, rcode },
    { says: `opcode ${opcode} with a question`, flags: flags | 0x0100, rcode },
    { says: `opcode ${opcode} with OPT`, flags, opt: {}, rcode },
  ];
});

const EDNS: Kind[] = [
  { says: 'edns: RFC 8906 §8.2.1', opt: {} },
  ...[0, 511, 512, 513, 1231, 1233, 4096, 65_535].map(
    (size): Kind => ({ says: `edns@${size}: RFC 6891 §6.2.3 to §6.2.5`, opt: { size } }),
  ),
  { says: 'ednsopt: RFC 8906 §8.2.3', opt: { options: options.unknown } },
  { says: 'ednsflags: RFC 8906 §8.2.4', opt: { flags: 0x0080 } },
  { says: 'every flag but DO', opt: { flags: 0x7fff } },
  { says: 'do: RFC 8906 §8.2.8', opt: { flags: 0x8000 } },
  { says: 'docd', flags: 0x0110, opt: { flags: 0x8000 } },
  { says: 'dig11: AD and RD', flags: 0x0120, opt: {} },
  { says: 'the extended RCODE of a query', opt: { extended: 0xff } },
  ...Object.entries(options).map(
    ([name, octets]): Kind => ({
      says: `edns${name}`,
      opt: { options: octets },
    }),
  ),
  { says: 'optlist: RFC 8906 §8.2.10, and more', opt: { options: all } },
  { says: 'optlist, twice each', opt: { options: Buffer.concat([all, all]) } },
  { says: 'an option without data, RFC 6891 §6.1.2', opt: { options: option(65_002) } },
  {
    says: 'OPT behind another record: RFC 6891 §6.1.1',
    opt: {},
    records: { octets: A_RECORD, counts: [0, 0, 1] },
  },
  {
    says: 'OPT in front of another record',
    records: { octets: Buffer.concat([opt(), A_RECORD]), counts: [0, 0, 2] },
  },
];

const VERSIONS: Kind[] = [1, 2, 100, 255].flatMap((version): Kind[] => [
  { says: `edns${version}: RFC 8906 §8.2.2`, opt: { version }, rcode: BADVERS },
  { says: `edns${version}do: §8.2.9`, opt: { version, flags: 0x8000 }, rcode: BADVERS },
  { says: `edns${version}flags: §8.2.5`, opt: { version, flags: 0x7fff }, rcode: BADVERS },
  { says: `edns${version}opt: §8.2.6`, opt: { version, options: all }, rcode: BADVERS },
  // What another version has in RDATA is not known.
  {
    says: `edns${version}, RDATA of another kind`,
    opt: { version, options: Buffer.alloc(3, 0xff) },
    rcode: BADVERS,
  },
  { says: `edns${version}, every header bit`, flags: 0x07f0, opt: { version }, rcode: BADVERS },
]);

const tsig = record({
  owner: 'key.example',
  type: 250,
  class: 255,
  ttl: 0,
  rdata: Buffer.concat([wire('hmac-sha256'), Buffer.alloc(6), u16(300, 32), Buffer.alloc(32), u16(0, 0, 0)]),
});
const sig0 = record({
  owner: wire(''),
  type: 24,
  class: 255,
  ttl: 0,
  rdata: Buffer.concat([Buffer.alloc(18), wire('key.example'), Buffer.alloc(64)]),
});

/** Records that a query need not have, and that a server passes over (RFC 5625 §4.1). */
const RECORDS: Kind[] = [
  { says: 'an additional record', records: { octets: A_RECORD, counts: [0, 0, 1] } },
  { says: 'TSIG with a key of nobody: answered unsigned', records: { octets: tsig, counts: [0, 0, 1] } },
  { says: 'TSIG behind OPT', records: { octets: Buffer.concat([opt(), tsig]), counts: [0, 0, 2] } },
  { says: 'SIG(0)', records: { octets: sig0, counts: [0, 0, 1] } },
];

const twice = Buffer.concat([wire('a.example'), u16(1, 1), wire('b.example'), u16(28, 1)]);

const MALFORMED: Kind[] = [
  { says: 'QDCOUNT 0, header alone: RFC 9619 §4', question: HEADER_ALONE, rcode: FORMERR },
  {
    says: 'QDCOUNT 0 with a question',
    question: { octets: twice.subarray(0, 15), count: 0 },
    rcode: FORMERR,
  },
  { says: 'QDCOUNT 2: RFC 9619 §4', question: { octets: twice, count: 2 }, rcode: FORMERR },
  {
    says: 'QDCOUNT 2 with OPT',
    question: { octets: twice, count: 2 },
    opt: {},
    unread: true,
    rcode: FORMERR,
  },
  { says: 'QDCOUNT 65535', question: { octets: twice, count: 65_535 }, rcode: FORMERR },
  {
    says: 'a question without type and class',
    question: { octets: wire('a.example'), count: 1 },
    rcode: FORMERR,
  },
  {
    says: 'a label of 64 octets',
    question: {
      octets: Buffer.concat([Buffer.from([64]), Buffer.alloc(64, 'a'), wire(''), u16(1, 1)]),
      count: 1,
    },
    rcode: FORMERR,
  },
  {
    says: 'a name of 256 octets',
    question: {
      octets: Buffer.concat([
        labelled(...[63, 63, 63, 62].map((size) => Buffer.alloc(size, 'a'))),
        u16(1, 1),
      ]),
      count: 1,
    },
    rcode: FORMERR,
  },
  { says: 'a pointer for a name', question: { octets: u16(0xc00c, 1, 1), count: 1 }, rcode: FORMERR },
  { says: 'an answer record in a query', records: { octets: A_RECORD, counts: [1, 0, 0] }, rcode: FORMERR },
  {
    says: 'an authority record in a query',
    records: { octets: A_RECORD, counts: [0, 1, 0] },
    rcode: FORMERR,
  },
  { says: 'OPT in the answer section', records: { octets: opt(), counts: [1, 0, 0] }, rcode: FORMERR },
  { says: 'OPT in the authority section', records: { octets: opt(), counts: [0, 1, 0] }, rcode: FORMERR },
  {
    says: 'two OPTs: RFC 6891 §6.1.1',
    opt: {},
    records: { octets: opt(), counts: [0, 0, 1] },
    rcode: FORMERR,
  },
  {
    says: 'OPT with an owner: RFC 6891 §6.1.2',
    records: { octets: opt({ owner: wire('a') }), counts: [0, 0, 1] },
    rcode: FORMERR,
  },
  {
    says: 'an option that ends behind RDATA',
    opt: { options: Buffer.from('fde9000401', 'hex') },
    rcode: FORMERR,
  },
  { says: 'half of an option', opt: { options: Buffer.from('fde9', 'hex') }, rcode: FORMERR },
  { says: 'trailing octets', trailing: Buffer.from([0]), rcode: FORMERR },
  { says: 'trailing octets behind OPT', opt: {}, trailing: Buffer.from([0]), rcode: FORMERR },
  { says: 'ARCOUNT 1 and no record', records: { octets: NOTHING, counts: [0, 0, 1] }, rcode: FORMERR },
];

const DROPPED: Kind[] = [
  { says: 'QR=1: RFC 5358 §4', flags: 0x8100, dropped: true },
  { says: 'QR=1, header alone', flags: 0x8180, question: HEADER_ALONE, dropped: true },
  { says: 'QR=1 with opcode 15', flags: 0xf800, dropped: true },
  { says: 'QR=1 and OPT version 1', flags: 0x8000, opt: { version: 1 }, dropped: true },
];

export const KINDS: readonly Kind[] = [
  ...HEADER_BITS,
  ...TYPES,
  ...OPCODES,
  ...EDNS,
  ...VERSIONS,
  ...RECORDS,
  ...MALFORMED,
  ...DROPPED,
];
