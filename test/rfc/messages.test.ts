import t from 'tap';
import { octets, type Row, runRows } from './case.ts';

/** RFC 1035, RFC 2181, RFC 3597, RFC 9619: what a message is. ID FLAGS QD AN NS AR | question | records. */

const A = { answer: ['www.example.org 60 A 192.0.2.1'] };
const PLAIN = { edns: false } as const;

const ROWS: Row[] = [
  {
    says: 'RFC 1035 §4.1.1: ID and RD come back, QR and RA are set, AA and Z are not; §4.1.2: the question; §4.1.4: its name by pointer',
    ask: octets('beef 0100 0001 0000 0000 0000 | <www.example.org> 0001 0001'),
    upstream: A,
    reply: octets(
      'beef 8180 0001 0001 0000 0000 | <www.example.org> 0001 0001 | c00c 0001 0001 0000003c 0004 c0000201',
    ),
  },
  {
    says: 'RFC 1035 §4.1.1: RD 0 comes back as 0, and the answer is the same: a forwarder has nothing else to give',
    ask: octets('0000 0000 0001 0000 0000 0000 | <www.example.org> 0001 0001'),
    upstream: A,
    reply: octets(
      '0000 8080 0001 0001 0000 0000 | <www.example.org> 0001 0001 | c00c 0001 0001 0000003c 0004 c0000201',
    ),
  },
  {
    says: 'RFC 1035 §4.1.1: Z, AA, TC and RA of a query mean nothing and do not come back',
    ask: octets('0001 07c0 0001 0000 0000 0000 | <rec.test> 0001 0001'),
    reply: octets(
      '0001 8580 0001 0001 0000 0000 | <rec.test> 0001 0001 | c00c 0001 0001 0000003c 0004 c0000235',
    ),
  },
  {
    says: 'RFC 1035 §4.1.1: AA where the answer is our own',
    ask: 'rec.test A',
    options: PLAIN,
    reply: octets(
      '1234 8580 0001 0001 0000 0000 | <rec.test> 0001 0001 | c00c 0001 0001 0000003c 0004 c0000235',
    ),
  },
  {
    says: 'RFC 1035 §4.1.1: RCODE 3 is authoritative here',
    ask: 'evil.net A',
    options: PLAIN,
    reply: octets(
      '1234 8583 0001 0000 0001 0000 | <evil.net> 0001 0001 | 00 0006 0001 0000001e 0016 00 00 00000001 00000e10 00000258 00015180 0000001e',
    ),
  },
  {
    says: 'RFC 1035 §4.1.1: RCODE 4 for a kind of query that is not known; the opcode comes back',
    ask: octets('1234 1000 0001 0000 0000 0000 | <www.example.org> 0001 0001'),
    reply: octets('1234 9004 0001 0000 0000 0000 | <www.example.org> 0001 0001'),
  },
  {
    says: 'RFC 1035 §4.1.1: RCODE 1 for a query that cannot be read',
    ask: octets('1234 0100 0001 0000 0000 0000 | 03 777777'),
    reply: octets('1234 8181 0000 0000 0000 0000'),
  },
  {
    says: 'RFC 1035 §7.3: a response is no query: it is dropped',
    ask: octets('1234 8100 0001 0000 0000 0000 | <www.example.org> 0001 0001'),
    reply: null,
  },
  {
    says: 'RFC 1035 §2.3.3: names compare without case, and come back as they were sent',
    ask: 'wWw.eXAMPLE.oRG A',
    options: PLAIN,
    upstream: A,
    reply: octets(
      '1234 8180 0001 0001 0000 0000 | <wWw.eXAMPLE.oRG> 0001 0001 | c00c 0001 0001 0000003c 0004 c0000201',
    ),
  },
  {
    says: 'RFC 1035 §2.3.4: a label of 63 octets and a name of 255 are taken',
    ask: `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(49)}.example.org A`,
    upstream: { rcode: 3 },
    has: { rcode: 3, answer: [] },
  },
  {
    says: 'RFC 1035 §2.3.4: a label of 64 octets is no label',
    ask: octets(`1234 0100 0001 0000 0000 0000 | 40 ${'61'.repeat(64)} 00 0001 0001`),
    reply: octets('1234 8181 0000 0000 0000 0000'),
  },
  {
    says: 'RFC 1035 §2.3.4: a name of 256 octets is no name',
    ask: octets(
      `1234 0100 0001 0000 0000 0000 | ${`3f${'61'.repeat(63)}`.repeat(3)} 3e ${'61'.repeat(62)} 00 0001 0001`,
    ),
    reply: octets('1234 8181 0000 0000 0000 0000'),
  },
  {
    says: 'RFC 1035 §4.1.4: a pointer in a question has nothing to point to',
    ask: octets('1234 0100 0001 0000 0000 0000 | c00c 0001 0001'),
    reply: octets('1234 8181 0000 0000 0000 0000'),
  },
  {
    says: 'RFC 1035 §4.1.4: what is owned by names in the question is compressed into it',
    ask: 'www.example.org A',
    options: PLAIN,
    upstream: { answer: ['www.example.org 60 CNAME web.example.org', 'web.example.org 60 A 192.0.2.1'] },
    reply: octets(
      '1234 8180 0001 0002 0000 0000 | <www.example.org> 0001 0001 | c00c 0005 0001 0000003c 0006 03 "web" c010 | c02d 0001 0001 0000003c 0004 c0000201',
    ),
  },
  {
    says: 'RFC 2181 §5.2: an RRset has one TTL, the least',
    ask: 'www.example.org A',
    options: PLAIN,
    upstream: { answer: ['www.example.org 60 A 192.0.2.1', 'www.example.org 16 A 192.0.2.2'] },
    reply: octets(
      '1234 8180 0001 0002 0000 0000 | <www.example.org> 0001 0001 | c00c 0001 0001 00000010 0004 c0000201 | c00c 0001 0001 00000010 0004 c0000202',
    ),
  },
  {
    says: 'RFC 2181 §8: a TTL with its top bit set is 0 (RFC 8767 §4 would take it as large; 0 is the safe reading)',
    ask: 'www.example.org A',
    options: PLAIN,
    upstream: { answer: ['www.example.org 4294967295 A 192.0.2.1'] },
    reply: octets(
      '1234 8180 0001 0001 0000 0000 | <www.example.org> 0001 0001 | c00c 0001 0001 00000000 0004 c0000201',
    ),
  },
  {
    says: 'RFC 2181 §9: TC where the RRset does not fit, and no part of it (RFC 1035 §4.2.1: 512 octets)',
    ask: 'www.example.org A',
    options: PLAIN,
    upstream: { answer: Array.from({ length: 40 }, (_, i) => `www.example.org 60 A 203.0.113.${i}`) },
    reply: octets('1234 8380 0001 0000 0000 0000 | <www.example.org> 0001 0001'),
  },
  {
    says: 'RFC 2181 §11: any octets are a label; a dot in one is no end',
    ask: octets('1234 0100 0001 0000 0000 0000 | 04 00ff2e61 <example.org> 0001 0001'),
    upstream: { rcode: 3 },
    reply: octets('1234 8183 0001 0000 0000 0000 | 04 00ff2e61 <example.org> 0001 0001'),
  },
  {
    says: 'RFC 2181 §10.1: a CNAME stands alone: of two, one is followed',
    ask: 'www.example.org A',
    options: PLAIN,
    upstream: {
      answer: [
        'www.example.org 60 CNAME a.example.org',
        'www.example.org 60 CNAME b.example.org',
        'b.example.org 60 A 192.0.2.2',
        'a.example.org 60 A 192.0.2.1',
      ],
    },
    has: { rcode: 0, answer: ['www.example.org 60 CNAME a.example.org', 'a.example.org 60 A 192.0.2.1'] },
  },
  {
    says: 'RFC 3597 §3: a type that nobody knows is forwarded, octet by octet',
    ask: 'www.example.org TYPE65280',
    options: PLAIN,
    upstream: { answer: ['www.example.org 60 TYPE65280 \\# 6 c00c0102c00c'] },
    reply: octets(
      '1234 8180 0001 0001 0000 0000 | <www.example.org> ff00 0001 | c00c ff00 0001 0000003c 0006 c00c0102c00c',
    ),
  },
  {
    says: 'RFC 3597 §4: names in RDATA of old types are given uncompressed or expanded: MX',
    ask: 'example.org MX',
    options: PLAIN,
    upstream: {
      octets: octets(
        '0000 8180 0001 0001 0000 0000 | <example.org> 000f 0001 | c00c 000f 0001 0000003c 0006 000a 01 "m" c00c',
      ),
    },
    reply: octets(
      '1234 8180 0001 0001 0000 0000 | <example.org> 000f 0001 | c00c 000f 0001 0000003c 0011 000a 01 "m" <example.org>',
    ),
  },
  {
    says: 'RFC 3597 §4: and of SRV, which should not have been compressed',
    ask: 'example.org SRV',
    options: PLAIN,
    upstream: {
      octets: octets(
        '0000 8180 0001 0001 0000 0000 | <example.org> 0021 0001 | c00c 0021 0001 0000003c 0008 0001 0002 0050 c00c',
      ),
    },
    reply: octets(
      '1234 8180 0001 0001 0000 0000 | <example.org> 0021 0001 | c00c 0021 0001 0000003c 0013 0001 0002 0050 <example.org>',
    ),
  },
  {
    says: 'RFC 9619 §4: QDCOUNT 2 in a QUERY is FORMERR',
    ask: octets('1234 0100 0002 0000 0000 0000 | <www.example.org> 0001 0001 | <www.example.org> 001c 0001'),
    reply: octets('1234 8181 0000 0000 0000 0000'),
  },
  {
    says: 'RFC 9619: QDCOUNT 0 in a QUERY asks nothing: FORMERR',
    ask: octets('1234 0100 0000 0000 0000 0000'),
    reply: octets('1234 8181 0000 0000 0000 0000'),
  },
  {
    says: 'RFC 5358 §4: nobody’s client gets nothing resolved',
    ask: 'www.example.org A',
    options: { ...PLAIN, from: '198.51.100.1' },
    reply: octets(
      '1234 8583 0001 0000 0001 0000 | <www.example.org> 0001 0001 | 00 0006 0001 0000001e 0016 00 00 00000001 00000e10 00000258 00015180 0000001e',
    ),
  },
];

await runRows(t, ROWS);
