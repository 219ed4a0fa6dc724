import t from 'tap';
import { House } from './house.ts';
import { policy, rule } from './policy.ts';
import { type Script, soa } from './records.ts';

/** Cleaning: "only the CNAME/DNAME chain that starts at the question, its final RRset". */

const POLICY = policy({
  alice: { allow: ['www.example', 'a.dn.example', rule('types.example', 'types: [A, CNAME, DNAME, TXT]')] },
});

/** One question, one script: what the client gets. */
async function given(
  dir: (c: Record<string, string>) => string,
  script: Script,
  name = 'www.example',
  type = 'A',
) {
  const house = new House(dir, POLICY);
  const reply = await house.ask(name, type, { transport: 'tcp', do: script.flags !== undefined }, script);
  return { reply, house };
}

function chainOf(links: number, end = true): string[] {
  const names = ['www.example', ...Array.from({ length: links }, (_, i) => `c${i + 1}.example`)];
  const records = names.slice(1).map((name, i) => `${names[i]} 60 CNAME ${name}`);
  return end ? [...records, `${names.at(-1)} 60 A 192.0.2.1`] : records;
}

t.test('a chain comes whole and in order, however the upstream ordered it', async (t) => {
  const records = [
    'www.example 60 CNAME b.example',
    'b.example 50 CNAME c.net',
    'c.net 40 A 192.0.2.1',
    'c.net 40 A 192.0.2.2',
  ];
  for (const answer of [records, records.toReversed()]) {
    const { reply } = await given(t.testdir.bind(t), { answer });
    t.same(reply.answer.toSorted(), records.toSorted());
    t.same(reply.answer.slice(0, 2), records.slice(0, 2));
  }
});

t.test('a chain of 16 links is taken, one of 17 is unusable', async (t) => {
  t.equal((await given(t.testdir.bind(t), { answer: chainOf(16) })).reply.answer.length, 17);
  const { reply, house } = await given(t.testdir.bind(t), { answer: chainOf(17) });
  t.equal(reply.rcode, 2);
  t.same(reply.answer, []);
  t.equal(reply.ede[0]?.code, 22);
  t.same(
    [...house.store.values()].map(({ hasAnswer }) => hasAnswer),
    [false],
  );
});

t.test('a chain that loops is unusable: never NXDOMAIN', async (t) => {
  const loops: Record<string, string[]> = {
    'a CNAME to itself': ['www.example 60 CNAME www.example'],
    'in another case': ['www.example 60 CNAME WWW.EXAMPLE'],
    'of two': ['www.example 60 CNAME b.example', 'b.example 60 CNAME www.example'],
    'behind the first link': [
      'www.example 60 CNAME b.example',
      'b.example 60 CNAME c.example',
      'c.example 60 CNAME b.example',
    ],
    'a DNAME that grows': ['example 60 DNAME x.example'],
  };
  for (const [which, answer] of Object.entries(loops)) {
    for (const rcode of [0, 3]) {
      const { reply } = await given(t.testdir.bind(t), { answer, rcode });
      t.same([reply.rcode, reply.answer], [2, []], which);
    }
  }
});

t.test('of two CNAMEs the first is followed, and the other is not given', async (t) => {
  const answer = [
    'www.example 60 CNAME one.example',
    'www.example 60 CNAME two.example',
    'two.example 60 A 192.0.2.2',
    'one.example 60 A 192.0.2.1',
  ];
  const { reply } = await given(t.testdir.bind(t), { answer });
  t.same(reply.answer, ['www.example 60 CNAME one.example', 'one.example 60 A 192.0.2.1']);
});

t.test('data at the question wins over a CNAME beside it', async (t) => {
  const answer = ['www.example 60 CNAME b.example', 'www.example 60 A 192.0.2.1', 'b.example 60 A 192.0.2.2'];
  const { reply } = await given(t.testdir.bind(t), { answer });
  t.same(reply.answer, ['www.example 60 A 192.0.2.1']);
});

t.test('a CNAME that was asked for is data and is not followed', async (t) => {
  const answer = ['www.example 60 CNAME b.example', 'b.example 60 CNAME c.example'];
  const { reply } = await given(t.testdir.bind(t), { answer }, 'www.example', 'CNAME');
  t.same(reply.answer, ['www.example 60 CNAME b.example']);
});

t.test('a chain without data at its end: its SOA and no more', async (t) => {
  const chain = chainOf(2, false);
  const script = { answer: chain, authority: [soa('example'), 'example 60 NS ns.example'] };
  const { reply } = await given(t.testdir.bind(t), script);
  t.same([reply.rcode, reply.answer, reply.authority], [0, chain, ['example 60 SOA minimum 60']]);
  const nx = await given(t.testdir.bind(t), { ...script, rcode: 3 });
  t.same([nx.reply.rcode, nx.reply.answer], [3, chain], 'RFC 6604: the code of the last name');
});

t.test('a chain without data and without a SOA is kept for five seconds at most (RFC 2308 §5)', async (t) => {
  const { house, reply } = await given(t.testdir.bind(t), { answer: ['www.example 86400 CNAME b.example'] });
  t.same(reply.answer, ['www.example 300 CNAME b.example']);
  t.same(house.questions, ['www.example A', 'b.example A'], 'its end has been asked for');
  house.pass(5);
  void house.query('www.example');
  t.equal(house.asked.length, 3);
});

t.test('the end of a chain is where the chain leads, not where the data is', async (t) => {
  const answer = ['www.example 60 CNAME b.example', 'elsewhere.example 60 A 192.0.2.66'];
  const { reply } = await given(t.testdir.bind(t), { answer });
  t.same(reply.answer, ['www.example 60 CNAME b.example']);
});

t.test('DNAME (RFC 6672): the record, and the CNAME that it makes', async (t) => {
  const made = 'a.dn.example 60 CNAME a.target.net';
  const rest = ['dn.example 60 DNAME target.net', 'a.target.net 60 A 192.0.2.1'];
  const wanted = [rest[0], made, rest[1]];
  const written = await given(t.testdir.bind(t), { answer: [rest[0]!, made, rest[1]!] }, 'a.dn.example');
  t.same(written.reply.answer, wanted, 'as the server wrote it');
  const left = await given(t.testdir.bind(t), { answer: rest }, 'a.dn.example');
  t.same(left.reply.answer, wanted, 'where the server left it out');
  const lied = await given(
    t.testdir.bind(t),
    { answer: [...rest, 'a.dn.example 60 CNAME evil.net', 'evil.net 60 A 203.0.113.66'] },
    'a.dn.example',
  );
  t.same(lied.reply.answer, wanted, 'the DNAME decides, not a CNAME beside it');
});

t.test(
  'where a CNAME was asked for, the one that a DNAME makes is the answer, and the DNAME its proof',
  async (t) => {
    const wanted = ['dn.example 60 DNAME target.net', 'a.dn.example 60 CNAME a.target.net'];
    const rest = ['a.target.net 60 CNAME b.target.net', 'b.target.net 60 A 192.0.2.1'];
    for (const answer of [wanted, wanted.slice(0, 1), [...wanted, ...rest], [...rest, ...wanted]]) {
      const { reply, house } = await given(t.testdir.bind(t), { answer }, 'a.dn.example', 'CNAME');
      t.same([reply.rcode, reply.answer], [0, wanted]);
      void house.query('a.dn.example', 'CNAME');
      t.equal(house.asked.length, 1, 'it is kept');
    }
    const signed = ['dn.example 60 RRSIG DNAME 2 example', ...wanted];
    const { reply } = await given(t.testdir.bind(t), { answer: signed, flags: 0 }, 'a.dn.example', 'CNAME');
    t.same(reply.answer, [wanted[0], 'dn.example 60 RRSIG DNAME', wanted[1]]);
    const broken = await given(t.testdir.bind(t), { answer: wanted, rcode: 3 }, 'a.dn.example', 'CNAME');
    t.equal(broken.reply.rcode, 2, 'NXDOMAIN with data is unusable');
  },
);

t.test('a DNAME at the question itself is no link (RFC 6672 §2.3)', async (t) => {
  const { reply } = await given(t.testdir.bind(t), {
    answer: ['www.example 60 DNAME target.net', 'target.net 60 A 192.0.2.1'],
    authority: [soa('example')],
  });
  t.same([reply.answer, reply.authority], [[], ['example 60 SOA minimum 60']]);
});

t.test('a DNAME that was asked for is data', async (t) => {
  const answer = ['types.example 60 DNAME target.net'];
  const { reply } = await given(t.testdir.bind(t), { answer }, 'types.example', 'DNAME');
  t.same(reply.answer, answer);
});

t.test('a DNAME that the chain passes twice is given once', async (t) => {
  const answer = [
    'dn.example 60 DNAME target.net',
    'a.target.net 60 CNAME b.dn.example',
    'b.target.net 60 A 192.0.2.1',
  ];
  const { reply } = await given(t.testdir.bind(t), { answer }, 'a.dn.example');
  t.same(reply.answer, [
    'dn.example 60 DNAME target.net',
    'a.dn.example 60 CNAME a.target.net',
    'a.target.net 60 CNAME b.dn.example',
    'b.dn.example 60 CNAME b.target.net',
    'b.target.net 60 A 192.0.2.1',
  ]);
});

t.test('a DNAME whose name would be too long is unusable (RFC 6672 §2.2)', async (t) => {
  const long = `${'y'.repeat(63)}.${'y'.repeat(63)}.${'y'.repeat(63)}.${'y'.repeat(60)}`;
  const { reply } = await given(
    t.testdir.bind(t),
    { answer: [`dn.example 60 DNAME ${long}`] },
    'a.dn.example',
  );
  t.equal(reply.rcode, 2);
});

t.test('a cached answer never teaches another name', async (t) => {
  const both = policy({ alice: { allow: ['www.example', 'b.example', 'extra.example'] } });
  const house = new House(t.testdir.bind(t), both);
  const script = {
    answer: ['www.example 60 CNAME b.example', 'b.example 60 A 192.0.2.1', 'extra.example 60 A 203.0.113.66'],
    additional: ['extra.example 60 A 203.0.113.66'],
    authority: ['example 60 NS ns.example', 'extra.example 60 A 203.0.113.66'],
  };
  const reply = await house.ask('www.example', 'A', {}, script);
  t.same(reply.answer, script.answer.slice(0, 2));
  t.equal(house.store.size, 1);
  for (const name of ['b.example', 'extra.example']) {
    const own = await house.ask(name, 'A', {}, { answer: [`${name} 60 A 192.0.2.9`] });
    t.same(own.answer, [`${name} 60 A 192.0.2.9`], 'its own question, its own answer');
  }
  t.same(house.questions, ['www.example A', 'b.example A', 'extra.example A']);
});

t.test(
  'the targets of an approved name’s chain are covered by its approval, for that answer alone',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    const answer = ['www.example 60 CNAME cdn.net', 'cdn.net 60 A 192.0.2.1'];
    t.same((await house.ask('www.example', 'A', {}, { answer })).answer, answer);
    t.equal((await house.query('cdn.net')).rcode, 3);
    t.equal((await house.query('cdn.net', 'AAAA', { do: true })).rcode, 3);
  },
);
