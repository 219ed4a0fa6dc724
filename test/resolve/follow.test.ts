import t, { type Test } from 'tap';
import { House } from './house.ts';
import { policy, rule } from './policy.ts';
import { type Script, soa, wireName } from './records.ts';

const GROUPS = [
  { name: 'default', servers: 'system', zones: [] },
  { name: 'corp', servers: 'system', zones: [wireName('corp.example')] },
] as const;

function start(t: Test): House {
  const names = ['www.corp.example', rule('priv.corp.example', 'private: true')];
  const house = new House(t.testdir.bind(t), policy({ alice: { allow: names } }), { groups: GROUPS });
  // The default group has the number 0, corp 1.
  return house;
}

/** Answers what is open, one question after the other, by name. */
function serve(house: House, zone: Record<string, Script>): void {
  for (let round = 0; round < 40 && house.open.length > 0; round++) {
    for (const asked of house.open) house.settle(asked, zone[asked.text.split(' ')[0]!] ?? { rcode: 5 });
  }
}

const BARE = { answer: ['www.corp.example 60 CNAME a.other.example'] };

t.test('the end of a chain is asked for in the group of its name, as part of this answer', async (t) => {
  const house = start(t);
  const reply = house.query('www.corp.example', 'A', { transport: 'tcp' });
  serve(house, {
    'www.corp.example': BARE,
    'a.other.example': { answer: ['a.other.example 40 CNAME b.corp.example'] },
    'b.corp.example': { answer: ['b.corp.example 50 A 192.0.2.7', 'b.corp.example 50 A 192.0.2.8'] },
  });
  const { rcode, answer } = await reply;
  t.equal(rcode, 0);
  t.same(answer.toSorted(), [
    'a.other.example 40 CNAME b.corp.example',
    'b.corp.example 50 A 192.0.2.7',
    'b.corp.example 50 A 192.0.2.8',
    'www.corp.example 60 CNAME a.other.example',
  ]);
  t.same(
    house.asked.map(({ text, group }) => [text, group]),
    [
      ['www.corp.example A', 1],
      ['a.other.example A', 0],
      ['b.corp.example A', 1],
    ],
  );
  t.same((await house.query('www.corp.example')).answer.toSorted(), answer.toSorted(), 'kept as one answer');
  t.equal(
    (await house.query('a.other.example')).rcode,
    3,
    'the names on the way are no more approved than before',
  );
  t.equal(house.store.size, 1, 'and the cache has learned nothing of them');
  house.pass(40);
  void house.query('www.corp.example');
  t.equal(house.asked.length, 4, 'the least TTL of all counts');
});

const ENDS: Record<string, [Script, number, string[]]> = {
  'no data': [{ authority: [soa('other.example')] }, 0, ['www.corp.example 60 CNAME a.other.example']],
  'no such name': [
    { rcode: 3, authority: [soa('other.example')] },
    3,
    ['www.corp.example 60 CNAME a.other.example'],
  ],
  'a failure': [{ failure: 'silent' }, 2, []],
  'a refusal': [{ failure: 'refused' }, 2, []],
  'back to the question': [{ answer: ['a.other.example 60 CNAME www.corp.example'] }, 2, []],
  'to itself': [{ answer: ['a.other.example 60 CNAME a.other.example'] }, 2, []],
  'back by way of another': [
    { answer: ['a.other.example 60 CNAME c.example', 'c.example 60 CNAME www.corp.example'] },
    2,
    [],
  ],
  'an address that is not public': [{ answer: ['a.other.example 60 A 10.1.2.3'] }, 0, []],
};
for (const [what, [script, rcode, answer]] of Object.entries(ENDS)) {
  t.test(`the chain ends in ${what}`, async (t) => {
    const house = start(t);
    const asked = house.query('www.corp.example', 'A', { transport: 'tcp' });
    serve(house, { 'www.corp.example': BARE, 'a.other.example': script });
    const reply = await asked;
    t.same([reply.rcode, reply.answer], [rcode, answer]);
    t.same(house.bugs, []);
    t.equal(house.resolver.waiting, 0);
  });
}

t.test('the address filter is that of the name that was asked for', async (t) => {
  const house = start(t);
  const asked = house.query('priv.corp.example', 'A', { transport: 'tcp' });
  serve(house, {
    'priv.corp.example': { answer: ['priv.corp.example 60 CNAME a.other.example'] },
    'a.other.example': { answer: ['a.other.example 60 A 10.1.2.3'] },
  });
  t.same((await asked).answer.at(-1), 'a.other.example 60 A 10.1.2.3');
});

t.test('a chain without an end is followed so far and no further', async (t) => {
  const house = start(t);
  const asked = house.query('www.corp.example', 'A', { transport: 'tcp' });
  for (let i = 0; i < 40 && house.open.length > 0; i++) {
    const [open] = house.open;
    const name = open!.text.split(' ')[0]!;
    house.settle(open!, { answer: [`${name} 60 CNAME n${i}.example`] });
  }
  t.equal((await asked).rcode, 2);
  t.equal(house.asked.length, 8);
});

t.test('and not when the question has taken its time', async (t) => {
  const house = start(t);
  const asked = house.query('www.corp.example', 'A', { transport: 'tcp' });
  house.pass(4);
  serve(house, { 'www.corp.example': BARE });
  t.equal((await asked).rcode, 2);
  t.equal(house.asked.length, 1);
});

t.test('a CNAME that was asked for is not followed', async (t) => {
  const house = start(t);
  const asked = house.query('www.corp.example', 'CNAME', { transport: 'tcp' });
  serve(house, { 'www.corp.example': BARE });
  t.same((await asked).answer, ['www.corp.example 60 CNAME a.other.example']);
  t.equal(house.asked.length, 1);
});

t.test('both forms: the proofs and signatures of every part', async (t) => {
  const house = start(t);
  const asked = house.query('www.corp.example', 'A', { transport: 'tcp', do: true });
  serve(house, {
    'www.corp.example': { answer: [...BARE.answer, 'www.corp.example 60 RRSIG CNAME 3 corp.example'] },
    'a.other.example': {
      answer: ['a.other.example 60 A 192.0.2.1', 'a.other.example 60 RRSIG A 3 other.example'],
    },
  });
  t.same((await asked).answer, [
    'www.corp.example 60 CNAME a.other.example',
    'www.corp.example 60 RRSIG CNAME',
    'a.other.example 60 A 192.0.2.1',
    'a.other.example 60 RRSIG A',
  ]);
  t.equal((await house.query('www.corp.example')).answer.length, 2);
});

t.test('a server that throws when it is asked for the end', async (t) => {
  const house = start(t);
  const asked = house.query('www.corp.example', 'A', { transport: 'tcp' });
  house.onAsk = () => {
    throw new Error('no');
  };
  serve(house, { 'www.corp.example': BARE });
  t.equal((await asked).rcode, 2);
  t.equal(house.bugs.length, 1);
});

t.test('a zone ends where a label does', async (t) => {
  const { groupOf } = start(t).inForce;
  for (const [name, group] of [
    ['corp.example', 1],
    ['a.corp.example', 1],
    ['a\\004corp.example', 0],
    ['acorp.example', 0],
    ['example', 0],
    ['corp.example.net', 0],
  ] as const) {
    const wire = wireName(name);
    t.equal(groupOf(wire, wire.length), group, name);
  }
});
