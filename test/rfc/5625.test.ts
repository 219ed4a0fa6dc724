import t from 'tap';
import { soa } from '../resolve/records.ts';
import { octets, type Row, runRows } from './case.ts';

/**
 * RFC 5625, what a DNS proxy must do, as it applies to one that asks questions of its own: §4.5's TSIG cannot pass through
 * such a one, and §5 is of DHCP. §6.1 (fresh IDs, ports and case) is `test/upstream/`, §6.2 `7766.test.ts`.
 */

const A = { answer: ['www.example.org 60 A 192.0.2.1'] };
const QUESTION = '<www.example.org> 0001 0001';
const ANSWERED = `${QUESTION} | c00c 0001 0001 0000003c 0004 c0000201`;
const OPT = '00 0029 04d0 00 00 0000 0000';
const TSIG_RDATA = `<hmac-sha256> 000000000000 012c 0020 ${'00'.repeat(32)} 1234 0000 0000`;

const FLAGS: readonly (readonly [string, string, string])[] = [
  ['AA', '0500', '8180'],
  ['TC', '0300', '8180'],
  ['RA', '0180', '8180'],
  ['Z', '0140', '8180'],
  ['AD', '0120', '8180'],
  ['CD', '0110', '8190'],
  ['all of them, and an RCODE', '07ff', '8190'],
];

const ROWS: Row[] = [
  ...FLAGS.map(
    ([what, flags, given]): Row => ({
      says: `§4.1 unexpected flags: ${what}: the question goes on, the answer comes back`,
      ask: octets(`1234 ${flags} 0001 0000 0000 0000 | ${QUESTION}`),
      upstream: A,
      reply: octets(`1234 ${given} 0001 0001 0000 0000 | ${ANSWERED}`),
    }),
  ),
  {
    says: '§4.1 unexpected data: a record that a query has no use for',
    ask: octets(`1234 0100 0001 0000 0000 0001 | ${QUESTION} | 01 61 00 ff00 0001 00000000 0003 010203`),
    upstream: A,
    reply: octets(`1234 8180 0001 0001 0000 0000 | ${ANSWERED}`),
  },
  {
    says: '§4.1 unexpected flags of a reply: Z and AD, where nothing is verified',
    ask: octets(`1234 0100 0001 0000 0000 0000 | ${QUESTION}`),
    upstream: { octets: octets(`0000 81e0 0001 0001 0000 0000 | ${ANSWERED}`) },
    reply: octets(`1234 8180 0001 0001 0000 0000 | ${ANSWERED}`),
  },
  {
    says: '§4.2 compression: pointers in owners and RDATA of a reply, each to the one before',
    ask: octets('1234 0100 0001 0000 0000 0000 | <www.example.org> 0001 0001'),
    upstream: {
      octets: octets(
        '0000 8180 0001 0003 0000 0000 | <www.example.org> 0001 0001 | c00c 0005 0001 0000003c 0004 01 "a" c00c | c02d 0005 0001 0000003c 0004 01 "b" c02d | c03d 0001 0001 0000003c 0004 c0000201',
      ),
    },
    reply: octets(
      '1234 8180 0001 0003 0000 0000 | <www.example.org> 0001 0001 | c00c 0005 0001 0000003c 0004 01 "a" c00c | c02d 0005 0001 0000003c 0004 01 "b" c02d | c03d 0001 0001 0000003c 0004 c0000201',
    ),
  },
  {
    says: '§4.2 compression: a reply that is not compressed',
    ask: octets(`1234 0100 0001 0000 0000 0000 | ${QUESTION}`),
    upstream: {
      octets: octets(
        `0000 8180 0001 0001 0000 0000 | ${QUESTION} | <www.example.org> 0001 0001 0000003c 0004 c0000201`,
      ),
    },
    reply: octets(`1234 8180 0001 0001 0000 0000 | ${ANSWERED}`),
  },
  {
    says: '§4.2 compression: pointers in a ring are no reply',
    ask: octets(`1234 0100 0001 0000 0000 0000 | ${QUESTION}`),
    upstream: {
      octets: octets(`0000 8180 0001 0001 0000 0000 | ${QUESTION} | c023 0001 0001 0000003c 0004 c0000201`),
    },
    reply: octets(`1234 8182 0001 0000 0000 0000 | ${QUESTION}`),
  },
  {
    says: '§4.3 unknown types: RDATA comes back octet by octet, what looks like a pointer too',
    ask: octets('1234 0100 0001 0000 0000 0000 | <www.example.org> 03e8 0001'),
    upstream: {
      octets: octets(
        '0000 8180 0001 0002 0000 0000 | <www.example.org> 03e8 0001 | c00c 03e8 0001 0000003c 0004 c00c01ff | c00c 03e8 0001 0000003c 0000',
      ),
    },
    reply: octets(
      '1234 8180 0001 0002 0000 0000 | <www.example.org> 03e8 0001 | c00c 03e8 0001 0000003c 0004 c00c01ff | c00c 03e8 0001 0000003c 0000',
    ),
  },
  {
    says: '§4.3 unknown types without data',
    ask: 'www.example.org TYPE1000',
    options: { edns: false },
    upstream: { authority: [soa('example.org', 60, 60)] },
    has: { rcode: 0, answer: [], authority: ['example.org 60 SOA minimum 60'] },
  },
  {
    says: '§4.4: what fits 512 octets to the last one is given whole',
    ask: octets('1234 0100 0001 0000 0000 0000 | <www.example.org> 0010 0001'),
    upstream: {
      answer: [`www.example.org 60 TXT ${'x'.repeat(255)}`, `www.example.org 60 TXT ${'y'.repeat(198)}`],
    },
    // 12 + 21 + (12 + 256) + (12 + 199)
    reply: octets(
      `1234 8180 0001 0002 0000 0000 | <www.example.org> 0010 0001 | c00c 0010 0001 0000003c 0100 ff "${'x'.repeat(255)}" | c00c 0010 0001 0000003c 00c7 c6 "${'y'.repeat(198)}"`,
    ),
  },
  {
    says: '§4.4: one octet more, and TC says so (§4.4.1: the client comes over TCP)',
    ask: octets('1234 0100 0001 0000 0000 0000 | <www.example.org> 0010 0001'),
    upstream: {
      answer: [`www.example.org 60 TXT ${'x'.repeat(255)}`, `www.example.org 60 TXT ${'y'.repeat(199)}`],
    },
    reply: octets('1234 8380 0001 0000 0000 0000 | <www.example.org> 0010 0001'),
  },
  {
    says: '§4.4.1 TCP: the same whole',
    ask: 'www.example.org TXT',
    options: { edns: false, transport: 'tcp' },
    upstream: {
      answer: Array.from({ length: 220 }, (_, i) => `www.example.org 60 TXT ${`${i}`.padEnd(255, 'z')}`),
    },
    has: { flags: 0x8180 },
  },
  {
    says: '§4.4.2 EDNS: a larger size is used',
    ask: octets(`1234 0100 0001 0000 0000 0001 | <www.example.org> 0010 0001 | ${OPT}`),
    upstream: {
      answer: Array.from({ length: 4 }, (_, i) => `www.example.org 60 TXT ${`${i}`.repeat(255)}`),
    },
    has: { flags: 0x8180, udpSize: 1232 },
  },
  {
    says: '§4.4.2 EDNS: options of the client are not the upstream’s, and are not echoed',
    ask: octets(
      `1234 0100 0001 0000 0000 0001 | ${QUESTION} | 00 0029 04d0 00 00 0000 000c | 0008 0008 0001 2000 c0000201`,
    ),
    upstream: A,
    reply: octets(`1234 8180 0001 0001 0000 0001 | ${ANSWERED} | ${OPT}`),
  },
  {
    says: '§4.5 TSIG: a query signed with a key of nobody here is answered, unsigned',
    ask: octets(
      `1234 0100 0001 0000 0000 0001 | ${QUESTION} | <key.example> 00fa 00ff 00000000 003d ${TSIG_RDATA}`,
    ),
    upstream: A,
    reply: octets(`1234 8180 0001 0001 0000 0000 | ${ANSWERED}`),
  },
];

await runRows(t, ROWS);
