import t from 'tap';
import { soa } from '../resolve/records.ts';
import { octets, type Row, runRows } from './case.ts';

/**
 * RFC 8906 §8, the tests that a server’s owner is to run, as they apply to one that forwards: the zone is the upstream’s, so
 * AA is not set, RA is, and what is asked is example.org with its SOA in the answer.
 */

const SOA = { answer: [soa('example.org', 300, 60)] };
const FOUND =
  '<example.org> 0006 0001 | c00c 0006 0001 0000012c 0036 02 "ns" <example.org> 04 "host" <example.org> 00000001 00000002 00000003 00000004 0000003c';
const OPT = '00 0029 04d0 00 00 0000 0000';
const OPT_DO = '00 0029 04d0 00 00 8000 0000';

function ask(flags: string, opt = ''): Buffer {
  return octets(`1234 ${flags} 0001 0000 0000 000${opt === '' ? 0 : 1} | <example.org> 0006 0001 | ${opt}`);
}

function found(flags: string, opt = ''): Buffer {
  return octets(`1234 ${flags} 0001 0001 0000 000${opt === '' ? 0 : 1} | ${FOUND} | ${opt}`);
}

function badVersion(opt = '00 0029 04d0 01 00 0000 0000'): Buffer {
  return octets(`1234 8180 0001 0000 0000 0001 | <example.org> 0006 0001 | ${opt}`);
}

const ROWS: Row[] = [
  {
    says: '8.1.1 the zone is there: +noedns +noad, NOERROR, the SOA, no OPT',
    ask: ask('0100'),
    upstream: SOA,
    reply: found('8180'),
  },
  {
    says: '8.1.2 unknown types: TYPE1000, NOERROR, no data, the SOA in the authority section',
    ask: octets('1234 0100 0001 0000 0000 0000 | <example.org> 03e8 0001'),
    upstream: { authority: [soa('example.org', 300, 60)] },
    has: { rcode: 0, answer: [], authority: ['example.org 60 SOA minimum 60'], edns: false },
  },
  {
    says: '8.1.2 unknown types at a name that approves none of them: NOERROR as well',
    ask: 'rec.test TYPE1000',
    options: { edns: false },
    has: { rcode: 0, answer: [], authority: ['rec.test 30 SOA minimum 30'] },
  },
  { says: '8.1.3.1 CD=1: CD comes back', ask: ask('0110'), upstream: SOA, reply: found('8190') },
  {
    says: '8.1.3.2 AD=1: AD is 0 where nothing was verified',
    ask: ask('0120'),
    upstream: SOA,
    reply: found('8180'),
  },
  { says: '8.1.3.3 the reserved bit: 0 in the reply', ask: ask('0140'), upstream: SOA, reply: found('8180') },
  {
    says: '8.1.3.4 recursive queries: RD comes back, RA is set',
    ask: ask('0100'),
    upstream: SOA,
    reply: found('8180'),
  },
  {
    says: '8.1.4 unknown opcodes: opcode 15, header alone: NOTIMP, the opcode comes back and no other flag',
    ask: octets('1234 7800 0000 0000 0000 0000'),
    reply: octets('1234 f804 0000 0000 0000 0000'),
  },
  {
    says: '8.1.4 unknown opcodes with a question',
    ask: octets('1234 7900 0001 0000 0000 0000 | <example.org> 0006 0001'),
    reply: octets('1234 f804 0001 0000 0000 0000 | <example.org> 0006 0001'),
  },
  { says: '8.1.5 TCP', ask: ask('0100'), options: { transport: 'tcp' }, upstream: SOA, reply: found('8180') },
  {
    says: '8.2.1 minimal EDNS: OPT, version 0',
    ask: ask('0100', OPT),
    upstream: SOA,
    reply: found('8180', OPT),
  },
  {
    says: '8.2.2 version negotiation: version 1: BADVERS, version 0, no SOA',
    ask: ask('0100', '00 0029 04d0 00 01 0000 0000'),
    reply: badVersion(),
  },
  {
    says: '8.2.3 unknown options: option 100: NOERROR, no option in the reply',
    ask: ask('0100', '00 0029 04d0 00 00 0000 0004 0064 0000'),
    upstream: SOA,
    reply: found('8180', OPT),
  },
  {
    says: '8.2.4 unknown flags: 0x40: NOERROR, 0 in the reply',
    ask: ask('0100', '00 0029 04d0 00 00 0040 0000'),
    upstream: SOA,
    reply: found('8180', OPT),
  },
  {
    says: '8.2.5 version 1 with an unknown flag: BADVERS, the flag 0',
    ask: ask('0100', '00 0029 04d0 00 01 0040 0000'),
    reply: badVersion(),
  },
  {
    says: '8.2.6 version 1 with an unknown option: BADVERS, no option',
    ask: ask('0100', '00 0029 04d0 00 01 0000 0004 0064 0000'),
    reply: badVersion(),
  },
  {
    says: '8.2.7 truncated responses: 512 octets, TC, OPT is there',
    ask: octets('1234 0100 0001 0000 0000 0001 | <example.org> 0010 0001 | 00 0029 0200 00 00 0000 0000'),
    upstream: { answer: Array.from({ length: 4 }, (_, i) => `example.org 60 TXT ${`${i}`.repeat(200)}`) },
    reply: octets(`1234 8380 0001 0000 0000 0001 | <example.org> 0010 0001 | ${OPT}`),
  },
  {
    says: '8.2.8 DO=1: DO comes back',
    ask: ask('0100', OPT_DO),
    upstream: SOA,
    reply: found('8180', OPT_DO),
  },
  {
    says: '8.2.9 version 1 with DO=1: BADVERS, DO comes back',
    ask: ask('0100', '00 0029 04d0 00 01 8000 0000'),
    reply: badVersion('00 0029 04d0 01 00 8000 0000'),
  },
  {
    says: '8.2.10 several known options: NSID, EXPIRE, ECS: NOERROR; what is not served is not answered (COOKIE is: test/resolve/cookies.test.ts)',
    ask: ask('0100', '00 0029 04d0 00 00 0000 0010 | 0003 0000 | 0009 0000 | 0008 0004 00010000'),
    upstream: SOA,
    reply: found('8180', OPT),
  },
];

await runRows(t, ROWS);
