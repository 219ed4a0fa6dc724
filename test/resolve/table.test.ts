import t, { type Test } from 'tap';
import { FLAG } from '../../src/wire/header.ts';
import { House, type QueryOptions } from './house.ts';
import { policy, rule } from './policy.ts';
import { soa } from './records.ts';
import type { Reply } from './reply.ts';

/** The table of answers: "the identity's tree consists of its approved names". */
const POLICY = policy(
  {
    alice: {
      allow: [
        'www.site.example',
        'n{0..9}.family.example',
        '*.star.example',
        '**.glob.example',
        rule('text.example', 'types: [TXT]'),
        'local.example',
        'deep.records.example',
      ],
    },
    bob: { allow: ['other.example'] },
  },
  {
    records: [
      '{ name: local.example, type: A, data: 192.0.2.53 }',
      '{ name: deep.records.example, type: AAAA, data: "2001:db8::53" }',
    ],
  },
);

const A = 'www.site.example 60 A 192.0.2.1';
const BOTH: QueryOptions[] = [{ transport: 'udp' }, { transport: 'tcp' }];

function negative(t: Test, reply: Reply, rcode: number, owner: string): void {
  t.equal(reply.rcode, rcode);
  t.ok(reply.flags & FLAG.AA, 'AA');
  t.same(reply.answer, []);
  t.same(reply.authority, [`${owner} 30 SOA minimum 30`]);
  t.same(reply.additional, []);
}

t.test('approved name, approved type: the upstream’s answer, cleaned', async (t) => {
  for (const options of BOTH) {
    const house = new House(t.testdir.bind(t), POLICY);
    const script = { answer: [A], additional: ['ns.evil.example 60 A 203.0.113.66'] };
    const reply = await house.ask('www.site.example', 'A', options, script);
    t.equal(reply.rcode, 0);
    t.same(reply.answer, [A]);
    t.same([...reply.authority, ...reply.additional, ...reply.ede], []);
    t.notOk(reply.flags & FLAG.AA);
    t.same(house.questions, ['www.site.example A']);
    t.same(house.exits, ['forwarded']);
  }
});

t.test('approved name, approved type: or the local record', async (t) => {
  for (const options of BOTH) {
    const house = new House(t.testdir.bind(t), POLICY);
    const reply = await house.query('local.example', 'A', options);
    t.same(reply.answer, ['local.example 60 A 192.0.2.53']);
    t.ok(reply.flags & FLAG.AA);
    t.same(house.asked, []);
  }
});

t.test('approved name, type not approved: NOERROR, no data; EDE 15', async (t) => {
  const cases: [string, string][] = [
    ['www.site.example', 'TXT'],
    ['n3.family.example', 'MX'],
    ['x.star.example', 'HTTPS'],
    ['a.b.glob.example', 'TXT'],
    ['text.example', 'A'],
    ['local.example', 'TXT'],
  ];
  for (const options of BOTH) {
    for (const [name, type] of cases) {
      const house = new House(t.testdir.bind(t), POLICY);
      const reply = await house.query(name, type, options);
      negative(t, reply, 0, name);
      t.same(reply.ede, [{ code: 15, text: 'alice: type not approved; ask net-team' }], `${name} ${type}`);
      t.same(house.asked, [], 'nothing goes out');
    }
  }
});

t.test(
  'the root, or any name with an approved or local name written out under it: NOERROR, no data',
  async (t) => {
    const nonTerminals: [string, string][] = [
      ['.', 'the root'],
      ['example', 'above everything'],
      ['site.example', 'under it an exact name'],
      ['family.example', 'the base of a family'],
      ['star.example', 'the base of a `*.`'],
      ['glob.example', 'the base of a `**.`'],
      ['records.example', 'under it a name with a record'],
    ];
    for (const options of BOTH) {
      for (const [name, why] of nonTerminals) {
        for (const type of ['A', 'NS', 'SOA', 'TXT']) {
          const house = new House(t.testdir.bind(t), POLICY);
          const reply = await house.query(name, type, options);
          negative(t, reply, 0, name);
          t.same(reply.ede, [], why);
          t.same(house.asked, []);
        }
      }
    }
  },
);

t.test('a non-terminal exists for the identity that has something below it, and for no other', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  negative(t, await house.query('site.example', 'A', { from: '127.0.0.1' }), 0, 'site.example');
  negative(t, await house.query('site.example', 'A', { from: '127.0.0.2' }), 3, 'example');
  negative(t, await house.query('site.example', 'A', { from: '127.0.0.3' }), 3, '.');
});

t.test('this also turns an upstream’s NXDOMAIN for such a name into no data', async (t) => {
  const both = policy({
    alice: { allow: ['parent.example', 'child.parent.example', '**.glob.example', 'x.y.glob.example'] },
  });
  const script = { rcode: 3, authority: [soa('example')] };
  const house = new House(t.testdir.bind(t), both);
  const soft = await house.ask('parent.example', 'A', {}, script);
  t.equal(soft.rcode, 0);
  t.same(soft.authority, ['example 60 SOA minimum 60']);
  t.equal((await house.query('parent.example')).rcode, 0, 'from the cache too');
  t.equal((await house.ask('y.glob.example', 'A', {}, script)).rcode, 0, 'approved by a wildcard');
  t.equal((await house.ask('child.parent.example', 'A', {}, script)).rcode, 3, 'nothing below this one');
});

t.test('any other name: NXDOMAIN; EDE 15 Blocked', async (t) => {
  const denied: [string, string][] = [
    ['evil.example', 'example'],
    ['xwww.site.example', 'site.example'],
    ['wwww.site.example', 'site.example'],
    ['sub.www.site.example', 'www.site.example'],
    ['evilsite.example', 'example'],
    ['n10.family.example', 'family.example'],
    ['n03.family.example', 'family.example'],
    ['n.family.example', 'family.example'],
    ['x.n3.family.example', 'n3.family.example'],
    ['a.b.star.example', 'b.star.example'],
    ['xstar.example', 'example'],
    ['xglob.example', 'example'],
    ['other.example', 'example'],
    ['com', '.'],
    ['x.local.example', 'local.example'],
  ];
  for (const options of BOTH) {
    for (const [name, owner] of denied) {
      const house = new House(t.testdir.bind(t), POLICY);
      const reply = await house.query(name, 'A', options);
      negative(t, reply, 3, owner);
      const [ede] = reply.ede;
      t.equal(ede?.code, 15);
      // On UDP the text of a short name is cut: see bound.test.ts.
      t.match(ede?.text, /^(?:alice: [a-z ]*; )?ask team-a$|^ask/, name);
      if (options.transport === 'tcp') t.equal(ede?.text, 'alice: name not approved; ask team-a');
      t.same(house.asked, []);
      t.same(house.exits, ['deny']);
    }
  }
});

t.test('a client that no identity matches: the same; it is `unknown`, whose tree is empty', async (t) => {
  for (const transport of ['udp', 'tcp'] as const) {
    const house = new House(t.testdir.bind(t), POLICY);
    for (const from of ['192.0.2.99', '2001:db8::99']) {
      for (const name of ['www.site.example', 'local.example', 'example', 'x.star.example']) {
        const reply = await house.query(name, 'A', { from, transport });
        negative(t, reply, 3, '.');
        const [ede] = reply.ede;
        t.equal(ede!.code, 15);
        const text = `namegate sees you as ${from}; no identity has it`;
        t.ok(transport === 'tcp' ? ede!.text === text : text.startsWith(ede!.text), ede!.text);
      }
      const root = await house.query('.', 'NS', { from, transport });
      negative(t, root, 0, '.');
    }
    t.same(house.asked, []);
  }
});

t.test('IPv4-mapped sources are IPv4', async (t) => {
  const house = new House(
    t.testdir.bind(t),
    policy({ six: { from: ['127.0.0.0/8'], allow: ['www.example'] } }),
  );
  const mapped = { from: '::ffff:7f00:1' };
  const reply = await house.ask('www.example', 'A', mapped, { answer: ['www.example 5 A 192.0.2.1'] });
  t.same(reply.answer, ['www.example 5 A 192.0.2.1']);
});

t.test(
  'in enforce mode a denied name never leaves the machine: the verdict comes before the cache',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    await house.ask('www.site.example', 'A', { from: '127.0.0.1' }, { answer: [A] });
    t.equal(house.store.size, 1);
    for (const transport of ['udp', 'tcp'] as const) {
      const reply = await house.query('www.site.example', 'A', { from: '127.0.0.2', transport });
      negative(t, reply, 3, 'example');
      t.same(reply.ede, [{ code: 15, text: 'bob: name not approved; ask team-a' }]);
    }
    t.same((await house.query('www.site.example', 'A', { from: '127.0.0.1' })).answer, [A]);
    t.equal(house.asked.length, 1);
  },
);

t.test('a flood of denied names changes no cache and asks nobody', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (let i = 0; i < 500; i++) await house.query(`${i}.evil.example`, 'A', i % 2 === 0 ? {} : { do: true });
  t.equal(house.store.size, 0);
  t.same(house.asked, []);
  t.equal(house.resolver.waiting, 0);
});

t.test('REFUSED is not used for denial', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const type of ['A', 'AAAA', 'TXT', 'ANY', 'DS', 'PTR', 'TYPE65280']) {
    t.equal((await house.query('evil.example', type)).rcode, 3, type);
  }
});
