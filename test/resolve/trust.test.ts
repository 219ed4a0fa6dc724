import t, { type Test } from 'tap';
import { House, type QueryOptions } from './house.ts';
import { policy, rule } from './policy.ts';
import { type Script, soa } from './records.ts';

/**
 * "DNSSEC passes through: with DO or CD, DS and DNSKEY of an approved name, of its ancestors and of the targets of
 * chains just given are forwarded." Of chains, only under a wildcard, which pays for it, or under approved names.
 */

const POLICY = policy(
  {
    alice: { allow: ['*.site.example', '*.star.example', 'local.example', 're.example'] },
    bob: { allow: ['*.site.example'] },
    carol: { allow: ['other.example'] },
  },
  {
    records: ['{ name: local.example, type: A, data: 192.0.2.1 }'],
    redirects: ['{ name: re.example, to: mirror.example }'],
  },
);
const BOB = { from: '127.0.0.2' };
const CAROL = { from: '127.0.0.3' };
const UNKNOWN = { from: '192.0.2.9' };

/** Whether a question goes out. */
async function isForwarded(
  house: House,
  name: string,
  type: string,
  options: QueryOptions,
): Promise<boolean> {
  const before = house.asked.length;
  await house.ask(name, type, options, { answer: [], authority: [soa('.', 1, 1)] });
  house.pass(2);
  return house.asked.length > before;
}

t.test('with DO or CD, DS and DNSKEY of an approved name and of its ancestors are forwarded', async (t) => {
  const approved = ['www.site.example', 'site.example', 'example', '.', 'a.star.example', 'star.example'];
  for (const type of ['DS', 'DNSKEY']) {
    for (const name of approved) {
      for (const options of [{ do: true }, { cd: true }, { do: true, cd: true }]) {
        const house = new House(t.testdir.bind(t), POLICY);
        t.ok(await isForwarded(house, name, type, options), `${name} ${type}`);
      }
      const house = new House(t.testdir.bind(t), POLICY);
      t.notOk(await isForwarded(house, name, type, {}), `${name} ${type} without DO or CD`);
      t.notOk(await isForwarded(house, name, type, { ad: true }), 'AD alone is none of the two');
    }
    for (const name of ['evil.example', 'sub.www.site.example', 'a.b.star.example', 'com']) {
      const house = new House(t.testdir.bind(t), POLICY);
      t.notOk(await isForwarded(house, name, type, { do: true, cd: true }), `${name} ${type}`);
    }
  }
});

t.test('other types of ancestors are not', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const type of ['A', 'NS', 'SOA', 'RRSIG', 'NSEC', 'NSEC3PARAM', 'CDS', 'CDNSKEY', 'TXT'])
    t.notOk(await isForwarded(house, 'site.example', type, { do: true, cd: true }), type);
});

t.test('what other identities have approved is theirs; `unknown` never', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const name of ['www.site.example', 'site.example'])
    t.notOk(await isForwarded(house, name, 'DS', { ...CAROL, do: true }), name);
  t.ok(await isForwarded(house, 'example', 'DS', { ...CAROL, do: true }));
  for (const name of ['www.site.example', 'example', '.', 'arpa', 'internal'])
    t.notOk(await isForwarded(house, name, 'DNSKEY', { ...UNKNOWN, do: true, cd: true }), name);
});

t.test('local data is local for every type: nothing is asked about its keys', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const name of [
    'local.example',
    're.example',
    'localhost',
    'resolver.arpa',
    '_why.namegate.internal',
  ]) {
    t.notOk(await isForwarded(house, name, 'DS', { do: true }), name);
    t.equal((await house.query(name, 'DS', { do: true })).rcode, 0);
  }
});

const CHAIN: Script = {
  answer: [
    'www.site.example 60 CNAME edge.cdn.net',
    'edge.cdn.net 60 CNAME pop.far.org',
    'pop.far.org 60 A 192.0.2.1',
  ],
};

async function chained(t: Test, options: QueryOptions): Promise<House> {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.site.example', 'A', options, CHAIN);
  return house;
}

t.test('…and of the targets of chains just given, with their ancestors', async (t) => {
  for (const options of [{ do: true }, { cd: true }]) {
    const house = await chained(t, options);
    for (const name of ['edge.cdn.net', 'cdn.net', 'net', 'pop.far.org', 'far.org', 'org']) {
      for (const type of ['DS', 'DNSKEY'])
        t.ok(await isForwarded(house, name, type, options), `${name} ${type}`);
      t.notOk(await isForwarded(house, name, 'A', options), `${name} A`);
      t.notOk(await isForwarded(house, name, 'DS', {}), `${name} without DO or CD`);
    }
    for (const name of ['x.cdn.net', 'far.net', 'com'])
      t.notOk(await isForwarded(house, name, 'DS', options), name);
  }
});

t.test('only where the chain was given with DO or CD', async (t) => {
  const house = await chained(t, {});
  t.notOk(await isForwarded(house, 'cdn.net', 'DS', { do: true }));
  await house.query('www.site.example', 'A', { do: true });
  t.ok(await isForwarded(house, 'cdn.net', 'DS', { do: true }), 'a hit gives it as well');
});

t.test('only for the identity that was given the chain', async (t) => {
  const house = await chained(t, { do: true });
  for (const who of [BOB, CAROL, UNKNOWN])
    t.notOk(await isForwarded(house, 'cdn.net', 'DS', { ...who, do: true }));
  await house.query('www.site.example', 'A', { ...BOB, do: true });
  t.ok(await isForwarded(house, 'cdn.net', 'DS', { ...BOB, do: true }));
});

t.test('just given: 300 s, and no longer than the rule or the policy that gave it', async (t) => {
  const house = await chained(t, { do: true });
  house.pass(299);
  t.ok(await isForwarded(house, 'cdn.net', 'DS', { do: true }));
  house.pass(1);
  t.notOk(await isForwarded(house, 'cdn.net', 'DS', { do: true }));

  const ending = policy({ alice: { allow: [rule('*.site.example', 'until: 2026-11-20T00:00:20Z')] } });
  const short = new House(t.testdir.bind(t), ending);
  await short.ask('www.site.example', 'A', { do: true }, CHAIN);
  t.ok(await isForwarded(short, 'cdn.net', 'DS', { do: true }));
  short.pass(20);
  t.notOk(await isForwarded(short, 'cdn.net', 'DS', { do: true }), 'the rule has ended');

  const reloaded = await chained(t, { do: true });
  reloaded.reload(POLICY);
  t.ok(await isForwarded(reloaded, 'cdn.net', 'DS', { do: true }), 'an equal view is the same view');
  reloaded.reload(policy({ alice: { allow: ['else.example'] } }));
  t.notOk(
    await isForwarded(reloaded, 'cdn.net', 'DS', { do: true }),
    'the name that led here is approved no more',
  );
});

t.test('a target under `arpa` (RFC 2317): its ancestors are validated too', async (t) => {
  const text = policy({ alice: { allow: [rule('*.2.0.192.in-addr.arpa', 'types: [PTR]')] } });
  const house = new House(t.testdir.bind(t), text);
  const answer = [
    '1.2.0.192.in-addr.arpa 60 CNAME 1.0-25.3.0.192.in-addr.arpa',
    '1.0-25.3.0.192.in-addr.arpa 60 PTR h.example',
  ];
  await house.ask('1.2.0.192.in-addr.arpa', 'PTR', { do: true }, { answer });
  for (const name of ['0-25.3.0.192.in-addr.arpa', '3.0.192.in-addr.arpa', 'arpa'])
    t.ok(await isForwarded(house, name, 'DS', { do: true }), name);
});

t.test('a chain that leads to a special name opens nothing there', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['www.site.example 60 CNAME x.localhost', 'x.localhost 60 A 192.0.2.1'];
  await house.ask('www.site.example', 'A', { do: true }, { answer });
  for (const name of ['x.localhost', 'localhost'])
    t.notOk(await isForwarded(house, name, 'DS', { do: true }), name);
});

t.test('a flood of chains grows nothing: the oldest targets go', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.site.example', 'A', { do: true }, { answer: ['www.site.example 1 CNAME first.net'] });
  house.pass(1);
  for (let i = 0; i < 320; i++) {
    const chain = Array.from({ length: 15 }, (_, link) => `n${i}-${link}.net`);
    const names = ['www.site.example', ...chain];
    const answer = chain.map((name, link) => `${names[link]} 1 CNAME ${name}`);
    await house.ask('www.site.example', 'A', { do: true }, { answer });
    house.pass(0.1);
    house.store.clear();
  }
  t.notOk(await isForwarded(house, 'first.net', 'DS', { do: true }));
  t.ok(await isForwarded(house, 'n319-14.net', 'DS', { do: true }));
});

t.test('no longer than the audit or the lease that gave it', async (t) => {
  const audit = ['mode: audit', 'audit_until: 2026-11-20T00:00:20Z'];
  const audited = new House(t.testdir.bind(t), policy({ alice: { allow: ['else.example'], more: audit } }));
  await audited.ask('www.site.example', 'A', { do: true }, CHAIN);
  t.ok(await isForwarded(audited, 'cdn.net', 'DS', { do: true }));
  audited.pass(20);
  t.notOk(await isForwarded(audited, 'cdn.net', 'DS', { do: true }), 'the audit is over');

  const leased = new House(t.testdir.bind(t), POLICY);
  const lease = {
    id: 'l',
    identity: 'alice',
    stage: null,
    job: null,
    known: true,
    certificate: null,
    sourceEnforced: false,
  };
  const addresses = [{ family: 4 as const, words: [0x7f00_0001], length: 32 }];
  leased.leases.open({ ...lease, addresses, endsAt: leased.now + 20_000, quarantine: 0 }, leased.now);
  await leased.ask('www.site.example', 'A', { do: true }, CHAIN);
  t.ok(await isForwarded(leased, 'cdn.net', 'DS', { do: true }));
  leased.pass(20);
  t.notOk(await isForwarded(leased, 'cdn.net', 'DS', { do: true }), 'the lease is over');
});

t.test('what a chain opened ends with the lease under which it was asked', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const lease = {
    id: 'le-1',
    identity: 'alice',
    stage: null,
    job: null,
    addresses: [{ family: 4 as const, words: [0x7f00_0001], length: 32 }],
    certificate: null,
    endsAt: house.now + 10_000,
    quarantine: 0,
    sourceEnforced: false,
    known: true,
  };
  // The same address is the same identity without its lease: its rules are the same, and its job is over.
  t.equal(house.leases.open(lease, house.now), null);
  await house.ask('www.site.example', 'A', { do: true }, CHAIN);
  t.ok(await isForwarded(house, 'edge.cdn.net', 'DS', { do: true }), 'while it lasts');
  house.pass(9);
  t.notOk(await isForwarded(house, 'pop.far.org', 'DS', { do: true }), 'when it is over');
});

t.test('what a chain opened for an audited identity ends with the audit', async (t) => {
  const audited = POLICY.replace(
    /( *)- name: carol\n/,
    '$1- name: carol\n$1  mode: audit\n$1  audit_until: 2026-11-20T00:00:10Z\n',
  );
  t.not(audited, POLICY);
  const house = new House(t.testdir.bind(t), audited);
  const script = { answer: ['evil.org 60 CNAME edge.cdn.net', 'edge.cdn.net 60 A 192.0.2.1'] };
  await house.ask('evil.org', 'A', { ...CAROL, do: true }, script);
  t.ok(await isForwarded(house, 'cdn.net', 'DS', { ...CAROL, do: true }), 'while it lasts');
  house.pass(9);
  t.notOk(await isForwarded(house, 'edge.cdn.net', 'DS', { ...CAROL, do: true }), 'when it is over');
});

t.test('a chain that leads to local data or a special name opens neither', async (t) => {
  for (const target of ['local.example', 'localhost', 'x.resolver.arpa', 're.example']) {
    const house = new House(t.testdir.bind(t), POLICY);
    const script = { answer: [`www.site.example 60 CNAME ${target}`, `${target} 60 A 192.0.2.9`] };
    await house.ask('www.site.example', 'A', { do: true }, script);
    t.notOk(await isForwarded(house, target, 'DS', { do: true }), `${target} DS`);
    t.notOk(await isForwarded(house, target, 'DNSKEY', { cd: true }), `${target} DNSKEY`);
  }
});
