import t from 'tap';
import { soa } from '../resolve/records.ts';
import { octets, type Row, runRows } from './case.ts';

/** RFC 2308, RFC 6604, RFC 6672, RFC 8020, RFC 8482, RFC 9460: what an answer says, from what upstreams say. */

const SOA = soa('example.org', 60, 60);
const SOA_GIVEN = ['example.org 60 SOA minimum 60'];
const NS = 'example.org 60 NS ns.example.org';
const GLUE = 'ns.example.org 60 A 203.0.113.5';
const LINK = 'www.example.org 60 CNAME gone.example.net';
const NOTHING = { answer: [], authority: [], additional: [] };

const ROWS: Row[] = [
  {
    says: 'RFC 2308 §2.1 NXDOMAIN type 1: SOA and NS, with glue: the SOA is kept',
    ask: 'www.example.org A',
    upstream: { rcode: 3, authority: [SOA, NS], additional: [GLUE] },
    has: { ...NOTHING, rcode: 3, authority: SOA_GIVEN },
  },
  {
    says: 'RFC 2308 §2.1 NXDOMAIN type 2: SOA alone',
    ask: 'www.example.org A',
    upstream: { rcode: 3, authority: [SOA] },
    has: { ...NOTHING, rcode: 3, authority: SOA_GIVEN },
  },
  {
    says: 'RFC 2308 §2.1 NXDOMAIN type 3: nothing; it is given, and not kept (§5)',
    ask: 'www.example.org A',
    upstream: { rcode: 3 },
    has: { ...NOTHING, rcode: 3 },
  },
  {
    says: 'RFC 2308 §2.1 NXDOMAIN type 4: NS without SOA: NXDOMAIN, the NS is dropped',
    ask: 'www.example.org A',
    upstream: { rcode: 3, authority: [NS], additional: [GLUE] },
    has: { ...NOTHING, rcode: 3 },
  },
  {
    says: 'RFC 2308 §2.1 NXDOMAIN at the end of a CNAME: the link, the code, the SOA of the end',
    ask: 'www.example.org A',
    upstream: { rcode: 3, answer: [LINK], authority: [soa('example.net')] },
    has: { rcode: 3, answer: [LINK], authority: ['example.net 60 SOA minimum 60'] },
  },
  {
    says: 'RFC 2308 §2.2 NODATA type 1: SOA and NS',
    ask: 'www.example.org A',
    upstream: { authority: [SOA, NS], additional: [GLUE] },
    has: { ...NOTHING, rcode: 0, authority: SOA_GIVEN },
  },
  {
    says: 'RFC 2308 §2.2 NODATA type 2: SOA alone',
    ask: 'www.example.org A',
    upstream: { authority: [SOA] },
    has: { ...NOTHING, rcode: 0, authority: SOA_GIVEN },
  },
  {
    says: 'RFC 2308 §2.2 NODATA type 3: nothing',
    ask: 'www.example.org A',
    upstream: {},
    has: { ...NOTHING, rcode: 0 },
  },
  {
    says: 'RFC 2308 §2.2: NS without SOA is a referral, and no answer: SERVFAIL',
    ask: 'www.example.org A',
    upstream: { authority: [NS], additional: [GLUE] },
    has: { ...NOTHING, rcode: 2 },
  },
  {
    says: 'RFC 2308 §3: the TTL of the SOA is the least of its own and MINIMUM',
    ask: 'www.example.org A',
    upstream: { rcode: 3, authority: [soa('example.org', 20, 60)] },
    has: { authority: ['example.org 20 SOA minimum 60'] },
  },
  {
    says: 'RFC 2308 §3: a SOA that was asked for is data: MINIMUM does not bound it',
    ask: 'example.org SOA',
    upstream: { answer: [soa('example.org', 200, 60)] },
    has: { answer: ['example.org 200 SOA minimum 60'], authority: [] },
  },
  {
    says: 'RFC 2308 §6: negative answers of ours have a SOA in the authority section',
    ask: 'ent.test A',
    options: { edns: false },
    reply: octets(
      '1234 8580 0001 0000 0001 0000 | <ent.test> 0001 0001 | c00c 0006 0001 0000001e 0016 00 00 00000001 00000e10 00000258 00015180 0000001e',
    ),
  },
  {
    says: 'RFC 6604 §3: the code is of the last name of the chain: no data',
    ask: 'www.example.org A',
    upstream: { answer: [LINK], authority: [soa('example.net')] },
    has: { rcode: 0, answer: [LINK], authority: ['example.net 60 SOA minimum 60'] },
  },
  {
    says: 'RFC 6672 §3.1: DNAME, and the CNAME that it makes with the DNAME’s TTL',
    ask: 'a.dn.example.org A',
    upstream: { answer: ['dn.example.org 40 DNAME far.net', 'a.far.net 60 A 192.0.2.1'] },
    has: {
      answer: [
        'dn.example.org 40 DNAME far.net',
        'a.dn.example.org 40 CNAME a.far.net',
        'a.far.net 60 A 192.0.2.1',
      ],
    },
  },
  {
    says: 'RFC 6672 §2.2: labels in front of the owner are kept, however many',
    ask: 'x.y.a.dn.example.org A',
    upstream: { answer: ['dn.example.org 40 DNAME .', 'x.y.a 60 A 192.0.2.1'] },
    has: {
      answer: ['dn.example.org 40 DNAME .', 'x.y.a.dn.example.org 40 CNAME x.y.a', 'x.y.a 60 A 192.0.2.1'],
    },
  },
  {
    says: 'RFC 6672 §2.3: a DNAME redirects what is below it, not its owner',
    ask: 'dn.example.org A',
    upstream: { answer: ['dn.example.org 40 DNAME far.net'], authority: [SOA] },
    has: { rcode: 0, answer: [], authority: SOA_GIVEN },
  },
  {
    says: 'RFC 6672 §2.2: a name that becomes too long has no answer',
    ask: `${'x'.repeat(63)}.${'y'.repeat(63)}.dn.example.org A`,
    upstream: { answer: [`dn.example.org 40 DNAME ${'z'.repeat(63)}.${'z'.repeat(63)}.net`] },
    has: { ...NOTHING, rcode: 2 },
  },
  {
    says: 'RFC 8020 §2: a name with something below it is never NXDOMAIN: no data',
    ask: 'ent.test A',
    has: { ...NOTHING, rcode: 0, authority: ['ent.test 30 SOA minimum 30'] },
  },
  {
    says: 'RFC 8020 §2: not for any type, and not above',
    ask: 'test NS',
    has: { rcode: 0, authority: ['test 30 SOA minimum 30'] },
  },
  {
    says: 'RFC 8482 §4.2: ANY is answered with HINFO: CPU "RFC8482", OS empty',
    ask: 'www.example.org ANY',
    options: { edns: false },
    reply: octets(
      '1234 8580 0001 0001 0000 0000 | <www.example.org> 00ff 0001 | c00c 000d 0001 0000012c 0009 07 "RFC8482" 00',
    ),
  },
  {
    says: 'RFC 8482 §4.4: over TCP as well',
    ask: 'www.example.org ANY',
    options: { transport: 'tcp' },
    has: { answer: ['www.example.org 300 HINFO |RFC8482|'] },
  },
  {
    says: 'RFC 9460 §2.5: a TargetName of `.` is the owner itself, or none',
    ask: 'www.example.org HTTPS',
    upstream: { answer: ['www.example.org 60 HTTPS 1 . alpn=h2'] },
    has: { rcode: 0, answer: ['www.example.org 60 HTTPS 0001000001000302' + '6832'] },
  },
  {
    says: 'RFC 9460 §2.4.2: AliasMode to a name that is not approved leads nowhere: dropped',
    ask: 'www.example.org HTTPS',
    upstream: { answer: ['www.example.org 60 HTTPS 0 cdn.far.net'] },
    has: { rcode: 0, answer: [], authority: ['www.example.org 30 SOA minimum 30'] },
  },
  {
    says: 'RFC 9460 §2.4.3: ServiceMode with an approved TargetName is given',
    ask: 'www.example.org HTTPS',
    upstream: { answer: ['www.example.org 60 HTTPS 1 cdn.example.org'] },
    has: { rcode: 0, authority: [] },
  },
  {
    says: 'RFC 9460 §7.3: hints are addresses: a private one is withheld',
    ask: 'www.example.org HTTPS',
    upstream: { answer: ['www.example.org 60 HTTPS 1 . ipv4hint=192.168.0.1'] },
    has: { rcode: 0, answer: [] },
  },
  {
    says: 'RFC 2782, RFC 7505: a target of `.` is no service, and no name to approve',
    ask: 'www.example.org SRV',
    upstream: { answer: ['www.example.org 60 SRV 0 0 0 .'] },
    has: { answer: ['www.example.org 60 SRV 0 0 0 .'] },
  },
];

await runRows(t, ROWS);
