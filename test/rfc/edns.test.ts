import t from 'tap';
import { octets, type Row, runRows } from './case.ts';

/** RFC 6891, RFC 3225, RFC 7828, RFC 8914: what OPT says. OPT: 00 | 0029 | size | rcode version flags | length | options. */

const A = { answer: ['www.example.org 60 A 192.0.2.1'] };
const ANSWERED =
  '1234 8180 0001 0001 0000 0001 | <www.example.org> 0001 0001 | c00c 0001 0001 0000003c 0004 c0000201';
const ASKED = '1234 0100 0001 0000 0000 0001 | <www.example.org> 0001 0001';
const DENIED =
  '<evil.net> 0001 0001 | 00 0006 0001 0000001e 0016 00 00 00000001 00000e10 00000258 00015180 0000001e';

const ROWS: Row[] = [
  {
    says: 'RFC 6891 §6.1.1: OPT in the reply where the query had one, its size ours (§6.2.5), no options',
    ask: octets(`${ASKED} | 00 0029 1000 00 00 0000 0000`),
    upstream: A,
    reply: octets(`${ANSWERED} | 00 0029 04d0 00 00 0000 0000`),
  },
  {
    says: 'RFC 6891 §6.1.1: none where it had none',
    ask: 'www.example.org A',
    options: { edns: false },
    upstream: A,
    has: { edns: false, rcode: 0 },
  },
  {
    says: 'RFC 6891 §6.1.1: two OPTs are FORMERR',
    ask: octets(
      '1234 0100 0001 0000 0000 0002 | <www.example.org> 0001 0001 | 00 0029 04d0 00000000 0000 | 00 0029 04d0 00000000 0000',
    ),
    has: { rcode: 1, answer: [] },
  },
  {
    says: 'RFC 6891 §6.1.2: an OPT whose owner is not the root is FORMERR',
    ask: octets(`${ASKED} | 01 61 00 0029 04d0 00000000 0000`),
    has: { rcode: 1, answer: [] },
  },
  {
    says: 'RFC 6891 §6.1.1: it may stand anywhere in the additional section',
    ask: octets(
      '1234 0100 0001 0000 0000 0002 | <www.example.org> 0001 0001 | c00c 0001 0001 00000000 0004 01020304 | 00 0029 04d0 00000000 0000',
    ),
    upstream: A,
    reply: octets(`${ANSWERED} | 00 0029 04d0 00000000 0000`),
  },
  {
    says: 'RFC 6891 §6.1.2: options that are not known are ignored, and not echoed',
    ask: octets(`${ASKED} | 00 0029 04d0 00000000 000e | fde9 0004 01020304 | 0064 0002 0000`),
    upstream: A,
    reply: octets(`${ANSWERED} | 00 0029 04d0 00000000 0000`),
  },
  {
    says: 'RFC 6891 §6.1.2: an option that does not fit is FORMERR',
    ask: octets(`${ASKED} | 00 0029 04d0 00000000 0005 | fde9 0004 01`),
    has: { rcode: 1 },
  },
  {
    says: 'RFC 6891 §6.1.3: a version that is not known is BADVERS (16), with the version that is',
    ask: octets(`${ASKED} | 00 0029 04d0 00 01 0000 0000`),
    reply: octets(
      '1234 8180 0001 0000 0000 0001 | <www.example.org> 0001 0001 | 00 0029 04d0 01 00 0000 0000',
    ),
  },
  {
    says: 'RFC 6891 §6.1.3: the extended RCODE of a query means nothing',
    ask: octets(`${ASKED} | 00 0029 04d0 ff 00 0000 0000`),
    upstream: A,
    reply: octets(`${ANSWERED} | 00 0029 04d0 00000000 0000`),
  },
  {
    says: 'RFC 6891 §6.1.4: flags of OPT that are not known are ignored, and 0 in the reply',
    ask: octets(`${ASKED} | 00 0029 04d0 00 00 7fff 0000`),
    upstream: A,
    reply: octets(`${ANSWERED} | 00 0029 04d0 00000000 0000`),
  },
  ...([0, 1, 511, 512] as const).map(
    (udpSize): Row => ({
      says: `RFC 6891 §6.2.3: a size of ${udpSize} is 512`,
      ask: 'www.example.org A',
      options: { udpSize },
      upstream: { answer: Array.from({ length: 28 }, (_, i) => `www.example.org 60 A 203.0.113.${i}`) },
      // 12 + 21 + 28 * 16 + 11 = 492
      has: { rcode: 0, flags: 0x8180 },
    }),
  ),
  {
    says: 'RFC 6891 §6.2.3: 513 octets do not fit 512',
    ask: 'www.example.org A',
    options: { udpSize: 512 },
    upstream: { answer: Array.from({ length: 30 }, (_, i) => `www.example.org 60 A 203.0.113.${i}`) },
    reply: octets('1234 8380 0001 0000 0000 0001 | <www.example.org> 0001 0001 | 00 0029 04d0 00000000 0000'),
  },
  {
    says: 'RFC 6891 §6.2.4: a larger size is used, up to ours',
    ask: 'www.example.org A',
    options: { udpSize: 1232 },
    upstream: { answer: Array.from({ length: 74 }, (_, i) => `www.example.org 60 A 203.0.113.${i}`) },
    has: { flags: 0x8180, udpSize: 1232 },
  },
  {
    says: 'RFC 6891 §6.2.5: and no more, whatever the client takes',
    ask: 'www.example.org A',
    options: { udpSize: 65_535 },
    upstream: { answer: Array.from({ length: 75 }, (_, i) => `www.example.org 60 A 203.0.113.${i}`) },
    has: { flags: 0x8380, answer: [], udpSize: 1232 },
  },
  {
    says: 'RFC 6891 §7: FORMERR carries OPT where one could be read',
    ask: octets(`${ASKED} | 00 0029 04d0 00000000 0000 | ff`),
    reply: octets('1234 8181 0001 0000 0000 0001 | <www.example.org> 0001 0001 | 00 0029 04d0 00000000 0000'),
  },
  {
    says: 'RFC 3225 §3: DO comes back as it was sent',
    ask: octets(`${ASKED} | 00 0029 04d0 00 00 8000 0000`),
    upstream: A,
    reply: octets(`${ANSWERED} | 00 0029 04d0 00 00 8000 0000`),
  },
  {
    says: 'RFC 3225 §3: DO comes back in refusals as well',
    ask: octets(`${ASKED} | 00 0029 04d0 00 01 8000 0000`),
    reply: octets(
      '1234 8180 0001 0000 0000 0001 | <www.example.org> 0001 0001 | 00 0029 04d0 01 00 8000 0000',
    ),
  },
  {
    says: 'RFC 3225 §3: without DO no security records, though the upstream sent them',
    ask: 'www.example.org A',
    options: { edns: false },
    upstream: { answer: [...A.answer, 'www.example.org 60 RRSIG A 3 example.org'] },
    has: { answer: A.answer },
  },
  {
    says: 'RFC 7828 §3.3.2: on TCP the idle time, in units of 100 ms, where the client asked',
    ask: octets(`${ASKED} | 00 0029 04d0 00000000 0004 | 000b 0000`),
    options: { transport: 'tcp' },
    upstream: A,
    reply: octets(`${ANSWERED} | 00 0029 04d0 00000000 0006 | 000b 0002 0064`),
  },
  {
    says: 'RFC 7828 §3.3.2: not where it did not',
    ask: octets(`${ASKED} | 00 0029 04d0 00000000 0000`),
    options: { transport: 'tcp' },
    upstream: A,
    reply: octets(`${ANSWERED} | 00 0029 04d0 00000000 0000`),
  },
  {
    says: 'RFC 7828 §3.2.1: on UDP it is ignored',
    ask: octets(`${ASKED} | 00 0029 04d0 00000000 0004 | 000b 0000`),
    upstream: A,
    reply: octets(`${ANSWERED} | 00 0029 04d0 00000000 0000`),
  },
  {
    says: 'RFC 7766 §8: a message over TCP has no other bound than its length’s 16 bits',
    ask: 'www.example.org A',
    options: { transport: 'tcp', udpSize: 512 },
    upstream: { answer: Array.from({ length: 200 }, (_, i) => `www.example.org 60 A 203.0.113.${i}`) },
    has: { flags: 0x8180, udpSize: 1232 },
  },
  {
    says: 'RFC 8914 §2: EDE is option 15: INFO-CODE 15 (§4.16), then EXTRA-TEXT in UTF-8 without a final NUL',
    ask: octets('1234 0100 0001 0000 0000 0001 | <evil.net> 0001 0001 | 00 0029 04d0 00000000 0000'),
    options: { transport: 'tcp' },
    reply: octets(
      `1234 8583 0001 0000 0001 0001 | ${DENIED} | 00 0029 04d0 00000000 002a | 000f 0026 000f "alice: name not approved; ask team-a"`,
    ),
  },
  {
    says: 'RFC 8914 §2: EXTRA-TEXT; an unknown client is told what is seen of it',
    ask: octets('1234 0100 0001 0000 0000 0001 | <evil.net> 0001 0001 | 00 0029 04d0 00000000 0000'),
    options: { from: '198.51.100.1' },
    reply: octets(
      `1234 8583 0001 0000 0001 0001 | ${DENIED} | 00 0029 04d0 00000000 0029 | 000f 0025 000f "namegate sees you as 198.51.100.1; "`,
    ),
  },
  {
    says: 'RFC 8914 §2: only where the query had OPT',
    ask: octets('1234 0100 0001 0000 0000 0000 | <evil.net> 0001 0001'),
    reply: octets(`1234 8583 0001 0000 0001 0000 | ${DENIED}`),
  },
  {
    says: 'RFC 8914 §4.23: code 22 where no server answered',
    ask: octets(`${ASKED} | 00 0029 04d0 00000000 0000`),
    upstream: { failure: 'silent' },
    reply: octets(
      '1234 8182 0001 0000 0000 0001 | <www.example.org> 0001 0001 | 00 0029 04d0 00000000 0020 | 000f 001c 0016 "no server answered in time"',
    ),
  },
  {
    says: 'RFC 8914 §4.24: code 23 where the network failed',
    ask: octets(`${ASKED} | 00 0029 04d0 00000000 0000`),
    upstream: { failure: 'network' },
    reply: octets(
      '1234 8182 0001 0000 0000 0001 | <www.example.org> 0001 0001 | 00 0029 04d0 00000000 0020 | 000f 001c 0017 "no server could be reached"',
    ),
  },
];

await runRows(t, ROWS);
