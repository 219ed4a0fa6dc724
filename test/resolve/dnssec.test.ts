import t from 'tap';
import { FLAG } from '../../src/wire/header.ts';
import { House, type QueryOptions } from './house.ts';
import { policy, rule } from './policy.ts';
import { soa } from './records.ts';

/**
 * "RRSIGs of what is kept stay; AD is cleared on whatever we changed, and set only where the upstream is verified
 * and the client sent AD or DO (RFC 6840 §5.8)."
 */

const POLICY = policy({ alice: { allow: ['www.site.example', '*.star.example'] } });

t.test('RRSIGs of what is kept stay; those of other types and owners go', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const script = {
    answer: [
      'www.site.example 60 CNAME b.net',
      'www.site.example 60 RRSIG CNAME 3 site.example',
      'www.site.example 60 RRSIG TXT 3 site.example',
      'b.net 60 A 192.0.2.1',
      'b.net 60 RRSIG A 2 net',
      'b.net 60 RRSIG A 2 net',
      'evil.net 60 RRSIG A 2 net',
    ],
  };
  t.same((await house.ask('www.site.example', 'A', { do: true }, script)).answer, [
    'www.site.example 60 CNAME b.net',
    'www.site.example 60 RRSIG CNAME',
    'b.net 60 A 192.0.2.1',
    'b.net 60 RRSIG A',
    'b.net 60 RRSIG A',
  ]);
  t.same((await house.query('www.site.example')).answer.length, 2);
});

t.test('an RRSIG has the TTL of its RRset (RFC 4034 §3)', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['www.site.example 40 A 192.0.2.1', 'www.site.example 300 RRSIG A 3 example'];
  await house.ask('www.site.example', 'A', { do: true }, { answer });
  house.pass(10);
  t.same((await house.query('www.site.example', 'A', { do: true })).answer, [
    'www.site.example 30 A 192.0.2.1',
    'www.site.example 30 RRSIG A',
  ]);
});

const SIGNED_SOA = [soa('star.example'), 'star.example 60 RRSIG SOA 2 star.example'];

t.test('proofs for negative answers: NSEC or NSEC3 with their RRSIGs', async (t) => {
  for (const rcode of [0, 3]) {
    const house = new House(t.testdir.bind(t), POLICY);
    const authority = [
      ...SIGNED_SOA,
      'a.star.example 60 NSEC c.star.example',
      'a.star.example 60 RRSIG NSEC 3 star.example',
      'abcd.star.example 60 NSEC3 x',
      'abcd.star.example 60 RRSIG NSEC3 3 star.example',
      'star.example 60 NS ns.star.example',
      'star.example 60 RRSIG NS 2 star.example',
    ];
    const reply = await house.ask('b.star.example', 'A', { do: true }, { rcode, authority });
    t.equal(reply.rcode, rcode);
    t.same(
      reply.authority.map((text) => text.split(' ').slice(0, 3).join(' ')),
      [
        'star.example 60 SOA',
        'star.example 60 RRSIG',
        'a.star.example 60 NSEC',
        'a.star.example 60 RRSIG',
        'abcd.star.example 60 NSEC3',
        'abcd.star.example 60 RRSIG',
      ],
    );
  }
});

t.test('proofs for wildcard-expanded answers: RRSIG says fewer labels than the owner has', async (t) => {
  const proof = ['a.star.example 60 NSEC c.star.example', 'a.star.example 60 RRSIG NSEC 3 star.example'];
  const answer = ['b.star.example 60 A 192.0.2.1'];
  for (const [labels, kept] of [
    [2, proof.length],
    [3, 0],
  ] as const) {
    const house = new House(t.testdir.bind(t), POLICY);
    const script = {
      answer: [...answer, `b.star.example 60 RRSIG A ${labels} star.example`],
      authority: [...proof, 'star.example 60 NS ns.star.example'],
    };
    const reply = await house.ask('b.star.example', 'A', { do: true }, script);
    t.equal(reply.answer.length, 2);
    t.equal(reply.authority.length, kept, `${labels} labels`);
    t.same((await house.query('b.star.example')).authority, []);
  }
});

t.test('…also for a link of the chain, and only of the zone that signed it', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const script = {
    answer: [
      'b.star.example 60 CNAME c.net',
      'b.star.example 60 RRSIG CNAME 2 star.example',
      'c.net 60 A 192.0.2.1',
    ],
    authority: ['a.star.example 60 NSEC c.star.example', 'b.net 60 NSEC d.net', 'evil 60 NSEC x.evil'],
  };
  const reply = await house.ask('b.star.example', 'A', { do: true }, script);
  t.same(reply.authority, ['a.star.example 60 NSEC c.star.example']);
});

t.test(
  'AD is set only where the upstream is verified and the client sent AD or DO (RFC 6840 §5.8)',
  async (t) => {
    const answer = ['www.site.example 60 A 192.0.2.1'];
    for (const verified of [true, false]) {
      for (const flags of [FLAG.AD, 0]) {
        for (const options of [
          {},
          { ad: true },
          { do: true },
          { cd: true },
          { ad: true, edns: false },
        ] as QueryOptions[]) {
          const house = new House(t.testdir.bind(t), POLICY);
          const reply = await house.ask('www.site.example', 'A', options, { answer, verified, flags });
          const wanted = verified && flags !== 0 && (options.ad === true || options.do === true);
          t.equal((reply.flags & FLAG.AD) !== 0, wanted, JSON.stringify({ verified, flags, ...options }));
          const hit = await house.query('www.site.example', 'A', options);
          t.equal(hit.flags, reply.flags, 'on a hit too');
        }
      }
    }
  },
);

t.test('AD is cleared on whatever we changed', async (t) => {
  const verified = { verified: true, flags: FLAG.AD };
  const soft = policy(
    {
      alice: {
        allow: [
          'p.example',
          'c.p.example',
          're.example',
          'www.site.example',
          rule('mx.example', 'types: [MX]'),
        ],
      },
    },
    { redirects: ['{ name: re.example, to: mirror.example }'] },
  );
  const house = new House(t.testdir.bind(t), soft);
  const softened = await house.ask(
    'p.example',
    'A',
    { do: true },
    { ...verified, rcode: 3, authority: [soa('example')] },
  );
  t.same([softened.rcode, softened.flags & FLAG.AD], [0, 0], 'NXDOMAIN turned into no data');
  const redirected = await house.ask(
    're.example',
    'A',
    { do: true },
    { ...verified, answer: ['mirror.example 60 A 192.0.2.1'] },
  );
  t.same([redirected.answer.length, redirected.flags & FLAG.AD], [2, 0], 'a redirect');
  const withheld = await house.ask(
    'www.site.example',
    'A',
    { do: true },
    { ...verified, answer: ['www.site.example 60 A 10.0.0.1'] },
  );
  t.same([withheld.answer.length, withheld.flags & FLAG.AD], [0, 0], 'an emptied RRset');
  const dropped = await house.ask(
    'mx.example',
    'MX',
    { do: true },
    { ...verified, answer: ['mx.example 60 MX 1 evil.example'] },
  );
  t.same([dropped.answer.length, dropped.flags & FLAG.AD], [0, 0], 'a dropped target');
  t.equal((await house.query('evil.example', 'A', { do: true })).flags & FLAG.AD, 0, 'a denial');
  const signed = { ...verified, answer: ['c.p.example 60 A 192.0.2.1'] };
  t.ok((await house.ask('c.p.example', 'A', { do: true }, signed)).flags & FLAG.AD);
  house.pass(61);
  const stale = await house.ask('c.p.example', 'A', { do: true }, { failure: 'silent' });
  t.same([stale.answer.length, stale.flags & FLAG.AD], [1, 0], 'stale data: its signatures may have ended');
});

t.test('a softened NXDOMAIN comes without the proofs of what it says no more', async (t) => {
  const text = policy({ alice: { allow: ['p.example', 'c.p.example'] } });
  const house = new House(t.testdir.bind(t), text);
  const authority = [soa('example'), 'example 60 RRSIG SOA 1 example', 'o.example 60 NSEC q.example'];
  const reply = await house.ask('p.example', 'A', { do: true }, { rcode: 3, authority });
  t.same([reply.rcode, reply.authority], [0, ['example 60 SOA minimum 60']]);
});

t.test('DNSSEC types are data where they were asked for by type', async (t) => {
  const text = policy({ alice: { allow: [rule('www.example', 'types: [RRSIG, NSEC, DS, DNSKEY]')] } });
  const house = new House(t.testdir.bind(t), text);
  for (const answer of ['www.example 60 RRSIG A 2 example', 'www.example 60 NSEC x.example']) {
    const type = answer.split(' ')[2]!;
    const reply = await house.ask('www.example', type, {}, { answer: [answer] });
    t.equal(reply.answer.length, 1, type);
  }
});
