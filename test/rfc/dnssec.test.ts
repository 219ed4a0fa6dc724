import t from 'tap';
import { FLAG } from '../../src/wire/header.ts';
import { House } from '../resolve/house.ts';
import { soa } from '../resolve/records.ts';
import { octets, POLICY, type Row, runRows } from './case.ts';

/** RFC 4035, RFC 6840, RFC 5155: a forwarder in front of a validator, or behind one. */

const A = 'www.example.org 60 A 192.0.2.1';
const SIGNED = { answer: [A, 'www.example.org 60 RRSIG A 3 example.org'], flags: FLAG.AD, verified: true };
const BOTH = [A, 'www.example.org 60 RRSIG A'];
const NSEC = ['example.org 60 NSEC zzz.example.org', 'example.org 60 RRSIG NSEC 2 example.org'];

const ROWS: Row[] = [
  {
    says: 'RFC 4035 §3.1.6: AD of a query is not copied; it is set where data is authentic and the client can read it',
    ask: octets('1234 0120 0001 0000 0000 0000 | <www.example.org> 0001 0001'),
    upstream: SIGNED,
    reply: octets(
      '1234 81a0 0001 0001 0000 0000 | <www.example.org> 0001 0001 | c00c 0001 0001 0000003c 0004 c0000201',
    ),
  },
  {
    says: 'RFC 4035 §3.1.6: CD is copied',
    ask: octets('1234 0110 0001 0000 0000 0000 | <rec.test> 0001 0001'),
    reply: octets(
      '1234 8590 0001 0001 0000 0000 | <rec.test> 0001 0001 | c00c 0001 0001 0000003c 0004 c0000235',
    ),
  },
  {
    says: 'RFC 4035 §3.2.1: with DO the security records come along',
    ask: 'www.example.org A',
    options: { do: true },
    upstream: SIGNED,
    has: { answer: BOTH, flags: 0x81a0, dnssecOk: true },
  },
  {
    says: 'RFC 4035 §3.2.1: without DO they do not',
    ask: 'www.example.org A',
    upstream: SIGNED,
    has: { answer: [A], flags: 0x8180, dnssecOk: false },
  },
  {
    says: 'RFC 4035 §3.2.1: unless they were asked for',
    ask: 'www.example.org RRSIG',
    upstream: { answer: ['www.example.org 60 RRSIG A 3 example.org'] },
    has: { answer: ['www.example.org 60 RRSIG A'] },
  },
  {
    says: 'RFC 4035 §3.2.2: CD comes back in every reply, and AD is not our own claim',
    ask: 'www.example.org A',
    options: { cd: true, do: true },
    upstream: { ...SIGNED, flags: FLAG.CD },
    has: { answer: BOTH, flags: 0x8190 },
  },
  {
    says: 'RFC 4035 §3.2.2: CD in a denial',
    ask: 'evil.net A',
    options: { cd: true },
    has: { rcode: 3, flags: 0x8593 },
  },
  {
    says: 'RFC 4035 §3.1.3: NSEC and its RRSIG for what is not there, for clients with DO',
    ask: 'none.example.org A',
    options: { do: true },
    upstream: {
      rcode: 3,
      authority: [soa('example.org'), 'example.org 60 RRSIG SOA 2 example.org', ...NSEC],
    },
    has: {
      rcode: 3,
      authority: [
        'example.org 60 SOA minimum 60',
        'example.org 60 RRSIG SOA',
        'example.org 60 NSEC zzz.example.org',
        'example.org 60 RRSIG NSEC',
      ],
    },
  },
  {
    says: 'RFC 4035 §3.1.3.3: a wildcard’s answer keeps the proof that nothing is closer',
    ask: 'w.example.org A',
    options: { do: true },
    upstream: {
      answer: ['w.example.org 60 A 192.0.2.1', 'w.example.org 60 RRSIG A 2 example.org'],
      authority: NSEC,
    },
    has: {
      answer: ['w.example.org 60 A 192.0.2.1', 'w.example.org 60 RRSIG A'],
      authority: ['example.org 60 NSEC zzz.example.org', 'example.org 60 RRSIG NSEC'],
    },
  },
  {
    says: 'RFC 6840 §5.7: a client says with AD that it can read AD, without DO',
    ask: 'www.example.org A',
    options: { ad: true },
    upstream: SIGNED,
    has: { answer: [A], flags: 0x81a0, dnssecOk: false },
  },
  {
    says: 'RFC 6840 §5.8: neither AD nor DO: AD is not set',
    ask: 'www.example.org A',
    options: { edns: false },
    upstream: SIGNED,
    has: { answer: [A], flags: 0x8180 },
  },
  {
    says: 'RFC 6840 §5.8: the AD of a server that proved nothing is nobody’s',
    ask: 'www.example.org A',
    options: { do: true },
    upstream: { ...SIGNED, verified: false },
    has: { answer: BOTH, flags: 0x8180 },
  },
];

await runRows(t, ROWS);

t.test('RFC 4035 §3.2.2: CD goes upstream, and its answers are kept apart', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('example.org', 'A', { cd: true }, { answer: ['example.org 60 A 192.0.2.1'] });
  await house.ask('example.org', 'A', {}, { answer: ['example.org 60 A 192.0.2.1'] });
  await house.ask('example.org', 'DNSKEY', { cd: true, do: true }, {});
  t.same(house.questions, ['example.org A CD', 'example.org A', 'example.org DNSKEY']);
});

t.test('under a wildcard CD goes upstream only for what was refused without it', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example.org', 'A', { cd: true }, SIGNED);
  const again = await house.ask('www.example.org', 'A', { cd: true, do: true });
  t.same(house.questions, ['www.example.org A'], 'one answer serves both');
  t.equal(again.rcode, 0);
  const bogus = house.query('bogus.example.org', 'A', { cd: true, do: true });
  house.settleAll({ rcode: 2 });
  t.equal(
    house.questions.at(-1),
    'bogus.example.org A CD',
    'what may have failed a check is asked unchecked',
  );
  house.settleAll({ answer: ['bogus.example.org 60 A 192.0.2.9'] });
  t.match(await bogus, { rcode: 0 });
  const silent = house.query('silent.example.org', 'A', { cd: true, do: true });
  house.settleAll({ failure: 'silent' });
  t.equal((await silent).rcode, 2);
  t.equal(house.questions.at(-1), 'silent.example.org A', 'what nobody answered is not');
});
