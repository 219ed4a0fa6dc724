import t from 'tap';
import { type Row, runRows } from './case.ts';

/** RFC 6303, RFC 6761, RFC 9462: names that mean the same everywhere. */

const LOCALHOST_SOA = ['localhost 30 SOA minimum 30'];

const ROWS: Row[] = [
  {
    says: 'RFC 6761 §6.3 item 3: localhost A is 127.0.0.1',
    ask: 'localhost A',
    has: { rcode: 0, flags: 0x8580, answer: ['localhost 300 A 127.0.0.1'] },
  },
  {
    says: 'RFC 6761 §6.3 item 3: localhost AAAA is ::1',
    ask: 'localhost AAAA',
    has: { rcode: 0, answer: ['localhost 300 AAAA ::1'] },
  },
  {
    says: 'RFC 6761 §6.3: names below it are it',
    ask: 'db.LOCALHOST A',
    has: { rcode: 0, answer: ['db.localhost 300 A 127.0.0.1'] },
  },
  {
    says: 'RFC 6761 §6.3: other types have no data, and are not forwarded',
    ask: 'localhost MX',
    has: { rcode: 0, answer: [], authority: LOCALHOST_SOA },
  },
  {
    says: 'RFC 6761 §6.3: for clients that nobody knows as well',
    ask: 'localhost A',
    options: { from: '198.51.100.1' },
    has: { rcode: 0, answer: ['localhost 300 A 127.0.0.1'] },
  },
  { says: 'RFC 6761 §6.4: `invalid` does not exist', ask: 'foo.invalid A', has: { rcode: 3 } },
  {
    says: 'RFC 6761 §6.1: 10.in-addr.arpa is not forwarded',
    ask: '1.0.0.10.in-addr.arpa PTR',
    has: { rcode: 3 },
  },
  { says: 'RFC 6761 §6.1: 16.172.in-addr.arpa', ask: '1.0.16.172.in-addr.arpa PTR', has: { rcode: 3 } },
  { says: 'RFC 6761 §6.1: 168.192.in-addr.arpa', ask: '1.0.168.192.in-addr.arpa PTR', has: { rcode: 3 } },
  { says: 'RFC 6303 §4.3: 127.in-addr.arpa', ask: '1.0.0.127.in-addr.arpa PTR', has: { rcode: 3 } },
  { says: 'RFC 6303 §4.4: local addresses of IPv6', ask: '1.0.0.d.f.ip6.arpa PTR', has: { rcode: 3 } },
  { says: 'RFC 7793: 64.100.in-addr.arpa', ask: '1.0.64.100.in-addr.arpa PTR', has: { rcode: 3 } },
  {
    says: 'RFC 9462 §6.4: resolver.arpa is answered here, and never forwarded',
    ask: '_dns.resolver.arpa SVCB',
    has: { rcode: 0, flags: 0x8580, answer: [], authority: ['resolver.arpa 30 SOA minimum 30'] },
  },
  {
    says: 'RFC 9462 §6.4: for any type and any name below',
    ask: 'x.resolver.arpa A',
    has: { rcode: 0, answer: [], authority: ['resolver.arpa 30 SOA minimum 30'] },
  },
  {
    says: 'RFC 9462 §6.4: resolver.arpa itself',
    ask: 'resolver.arpa SOA',
    options: { do: true },
    has: { rcode: 0, answer: [], authority: ['resolver.arpa 30 SOA minimum 30'] },
  },
  {
    says: 'RFC 4592 §4.2, RFC 5936 §2.2.1: a zone is transferred to nobody',
    ask: 'example.org AXFR',
    options: { transport: 'tcp' },
    has: { rcode: 5, answer: [] },
  },
  {
    says: 'RFC 1996 §3.1: NOTIFY is refused',
    ask: 'example.org SOA',
    options: { opcode: 4 },
    has: { rcode: 5 },
  },
  {
    says: 'RFC 2136 §3: UPDATE is refused',
    ask: 'example.org SOA',
    options: { opcode: 5 },
    has: { rcode: 5 },
  },
  {
    says: 'RFC 4892 §2.1: version.bind in CHAOS is refused',
    ask: 'version.bind TXT',
    options: { class: 3 },
    has: { rcode: 5 },
  },
];

await runRows(t, ROWS);
