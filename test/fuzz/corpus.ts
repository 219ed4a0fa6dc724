/** What mutations start from: every vector, and valid messages of the kinds that clients and upstreams send. */
import { questionOctets, recordOctets } from '../server/message.ts';
import { labelled, longName, message, opt, option, pointer, question, record, wire } from '../wire/build.ts';
import { vectors } from '../wire/vectors.ts';

export interface Corpus {
  /** What clients send. */
  readonly queries: readonly Buffer[];
  /** What upstreams send. */
  readonly replies: readonly Buffer[];
  readonly all: readonly Buffer[];
}

/** Names under `up.example` are approved by the policies of the drivers, others are not. */
const NAMES = [
  'www.example',
  'a.up.example',
  'deep.er.up.example',
  'probe.example',
  'denied.test',
  'localhost',
  'redirected.example',
  '.',
];

export function corpus(): Corpus {
  const files = vectors().map(({ octets }) => octets);
  const isResponse = (octets: Buffer): boolean => octets.length > 2 && (octets[2]! & 0x80) !== 0;
  const queries = [...files, ...validQueries(), ...validQueries(), ...validQueries()];
  const replies = [...files.filter(isResponse), ...validReplies(), ...validReplies()];
  return { queries, replies, all: [...files, ...validQueries(), ...validReplies()] };
}

function validQueries(): Buffer[] {
  const cookie = option(10, Buffer.from('0011223344556677', 'hex'));
  const ecs = option(8, Buffer.from('00011800c00002', 'hex'));
  const keepalive = option(11);
  const padding = option(12, Buffer.alloc(64));
  const opts = [
    [],
    [opt()],
    [opt({ dnssecOk: true, size: 4096 })],
    [opt({ size: 512, options: Buffer.concat([cookie, ecs, keepalive, padding]) })],
    [opt({ options: keepalive })],
  ];
  return [
    ...NAMES.flatMap((name) =>
      opts.map((additional) => message({ questions: [questionOctets(name, 'A')], additional })),
    ),
    ...['AAAA', 'HTTPS', 'TXT', 'MX', 'ANY', 'DS', 'AXFR', 'TYPE65535'].map((type) =>
      message({
        flags: 0x0110,
        questions: [questionOctets('a.up.example', type)],
        additional: [opt({ dnssecOk: true })],
      }),
    ),
    message({ questions: [question(longName(255))], additional: [opt()] }),
    message({
      questions: [
        question(
          labelled(Buffer.from('a.b'), Buffer.from([0, 255]), Buffer.from('up'), Buffer.from('example')),
        ),
      ],
    }),
    message({
      questions: [question(wire('x'.repeat(63)))],
      additional: [opt({ options: option(15, Buffer.from('000f', 'hex')) })],
    }),
    message({
      flags: 0x2000,
      questions: [questionOctets('up.example', 'SOA')],
      answers: [recordOctets('up.example 60 SOA a.example. b.example. 1 2 3 4 5')],
    }),
  ];
}

/** Replies about `NAME`; a driver writes the name that was asked in its place. */
export const NAME = 'name.up.example.';

function validReplies(): Buffer[] {
  return replyShapes(NAME).map((shape) =>
    message({ flags: 0x8180, questions: [questionOctets(NAME, 'A')], ...shape }),
  );
}

/** Good replies to `name` A: every kind of record that is read, written or dropped, compressed and not. */
export function replyShapes(name: string): Parameters<typeof message>[0][] {
  const records = (...texts: string[]): Buffer[] => texts.map(recordOctets);
  return [
    {
      answers: [record({ ttl: 60 }), record({ ttl: 30, rdata: Buffer.from([198, 51, 100, 2]) })],
      additional: [opt()],
    },
    {
      answers: records(
        `${name} 60 CNAME c.${name}`,
        `c.${name} 60 A 198.51.100.1`,
        `c.${name} 60 RRSIG A 3 example.`,
      ),
      authority: records('example. 60 NS ns.example.'),
      additional: [
        ...records('ns.example. 60 A 198.51.100.9', 'ns.example. 60 AAAA 2001:db8::9'),
        opt({ dnssecOk: true }),
      ],
    },
    {
      // Each link is owned by the RDATA of the one before it.
      answers: [
        record({ type: 5, rdata: Buffer.concat([Buffer.from([1, 0x63]), pointer(12)]) }),
        record({
          owner: pointer(12 + 4 + wire(name.slice(0, -1)).length + 12),
          rdata: Buffer.from([198, 51, 100, 3]),
        }),
      ],
    },
    {
      flags: 0x8183,
      authority: [
        ...records(
          'example. 60 SOA a.example. b.example. 1 2 3 4 60',
          'example. 60 RRSIG SOA 1 example.',
          'a.example. 60 NSEC z.example.',
          'a.example. 60 RRSIG NSEC 2 example.',
        ),
        record({
          owner: 'abcdefgh.example',
          type: 50,
          rdata: Buffer.from('01000000000014'.padEnd(60, '5a'), 'hex'),
        }),
      ],
    },
    { authority: records('example. 60 SOA a.example. b.example. 1 2 3 4 60') },
    {
      answers: [
        ...records(
          'up.example. 60 DNAME down.example.',
          `${name} 60 MX 10 mail.example.`,
          `${name} 60 SRV 1 2 443 srv.example.`,
          `${name} 60 TXT text`,
          `${name} 60 HTTPS 1 svc.example. 192.0.2.7`,
          `${name} 60 A 10.0.0.1`,
          `${name} 60 NS ns.example.`,
          `${name} 60 PTR ptr.example.`,
        ),
        record({ type: 35, rdata: Buffer.concat([Buffer.from('00010002015301450152', 'hex'), pointer(12)]) }),
        record({ type: 65_280, rdata: Buffer.alloc(40, 0xc0) }),
        record({ type: 24, rdata: Buffer.concat([Buffer.alloc(18, 1), pointer(12), Buffer.alloc(8, 9)]) }),
      ],
    },
    // Larger than a datagram without EDNS, and than any.
    {
      answers: Array.from({ length: 40 }, (_, i) =>
        record({ ttl: i, rdata: Buffer.from([198, 51, 100, i]) }),
      ),
    },
    {
      answers: [
        record({ type: 5, rdata: wire('big.example') }),
        record({ owner: 'big.example', rdata: Buffer.from([198, 51, 100, 9]) }),
        ...Array.from({ length: 90 }, (_, i) =>
          record({ owner: 'big.example', rdata: Buffer.from([198, 51, 101, i]) }),
        ),
      ],
    },
    { flags: 0x8380 },
    { flags: 0x8182 },
    { flags: 0x8185, additional: [opt({ options: option(15, Buffer.from('0016', 'hex')) })] },
  ];
}
