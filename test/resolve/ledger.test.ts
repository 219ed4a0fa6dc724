import t, { type Test } from 'tap';
import { HOLDER } from '../../src/detect/holder.ts';
import { House } from './house.ts';
import { newCharges, Ticks } from './ledger.ts';
import { why } from './why.ts';

const POLICY = `
destinations:
  store:
    owner: storage-team
    reason: objects of builds
    names: ["**.t.example", "**.deep.t.example", exact.example, "n{0..9}.f.example"]
identities:
  - { name: build, owner: team-build, review_by: 2027-01-01, from: { addresses: [10.0.0.0/24] }, allow: [store] }
  - { name: other, owner: team-other, review_by: 2027-01-01, from: { addresses: [10.0.1.0/24] }, allow: [store] }
  - name: watched
    owner: team-watched
    review_by: 2027-01-01
    mode: audit
    audit_until: 2027-01-01T00:00:00Z
    from: { addresses: [10.0.2.0/24] }
    allow: [store]
`;
const FROM = { from: '10.0.0.1' };
const EDE_BLOCKED = 15;
/** What a well upstream says of every name here. */
const FINE = { authority: ['t.example 60 SOA . . 1 1 1 1 60'] };

function houseOf(
  t: Test,
  policy = POLICY,
): { house: House; ticks: Ticks; charges: ReturnType<typeof newCharges> } {
  const ticks = new Ticks();
  const charges = newCharges(ticks);
  return { house: new House((content) => t.testdir(content), policy, { charges }), ticks, charges };
}

/** Asks new names until one does not leave; returns how many left. */
async function drain(
  house: House,
  ticks: Ticks,
  from: string,
  base = 't.example',
  most = 400,
): Promise<number> {
  for (let i = 0; i < most; i++) {
    ticks.tick++;
    house.pass(0.01);
    const before = house.asked.length;
    await house.ask(`${from.replaceAll('.', '-').replaceAll(':', '-')}-${i}.${base}`, 'A', { from }, FINE);
    if (house.asked.length === before) return i;
  }
  return most;
}

t.test('a client is contained, and another of its identity is not', async (t) => {
  const { house, ticks, charges } = houseOf(t);
  const left = await drain(house, ticks, '10.0.0.1');
  t.ok(left > 30 && left < 120, `${left} names left`);
  const reply = await house.ask('another-name.t.example', 'A', FROM);
  t.equal(reply.rcode, 3, 'NXDOMAIN');
  t.equal(reply.ede[0]?.code, EDE_BLOCKED);
  t.equal(house.exits.at(-1), 'contained');
  const balances = () => [...charges.ledger.holders.all()].map((one) => one.balance(ticks.tick));
  const before = balances();
  t.match(await why(house, 'another-name.t.example', FROM), /allow for build.*of its wildcard is spent/);
  t.notMatch(
    await why(house, 'another-name.t.example', { from: '10.0.0.2' }),
    /is spent/,
    'its neighbour is told of none',
  );
  t.notMatch(await why(house, 'exact.example', FROM), /is spent/);
  t.strictSame(balances(), before, 'asking why costs nothing');
  t.ok(charges.ledger.crossings.length >= 2);
  t.ok((await drain(house, ticks, '10.0.0.2')) > 30, 'its neighbour');
  t.ok((await drain(house, ticks, '10.0.1.1')) > 30, 'another identity');
});

t.test('what is written out, kept, joined or asked again costs nothing', async (t) => {
  const { house, ticks, charges } = houseOf(t);
  ticks.atOnce = false;
  const spent = () =>
    [...charges.ledger.holders.all()].reduce((sum, one) => sum + one.balance(ticks.tick), 0);
  await house.ask('exact.example', 'A', FROM);
  await house.ask('n3.f.example', 'A', FROM);
  t.equal(spent(), 0, 'exact names and families are free');
  const one = house.query('a.t.example', 'A', FROM);
  const two = house.query('a.t.example', 'A', { from: '10.0.0.9' });
  t.ok(spent() > 0);
  const paid = spent();
  t.equal(house.questions.length, 2, 'it waits for its tick');
  ticks.depart();
  house.settleAll({});
  await Promise.all([one, two]);
  t.strictSame(house.questions.slice(2), ['a.t.example A'], 'and leaves once');
  t.equal(spent(), paid, 'who joined paid nothing');
  await house.ask('a.t.example', 'A', { from: '10.0.0.7' });
  t.equal(house.questions.length, 3);
  t.equal(spent(), paid, 'nor who met a kept answer');
});

t.test('questions of one tick leave in an order that no client chose', async (t) => {
  const { house, ticks } = houseOf(t);
  ticks.atOnce = false;
  const names = Array.from({ length: 20 }, (_, i) => `o${i}.t.example`);
  for (const name of names) void house.query(name, 'A', FROM);
  ticks.depart();
  const left = house.questions.map((text) => text.split(' ')[0]!);
  t.strictSame([...left].sort(), [...names].sort());
  t.notSame(left, names);
});

t.test('A and AAAA of one name leave in one tick in an order that no client chose', async (t) => {
  async function left(types: readonly string[]): Promise<string[]> {
    const { house, ticks } = houseOf(t);
    ticks.atOnce = false;
    const orders: string[] = [];
    for (let i = 0; i < 40; i++) {
      const before = house.questions.length;
      for (const type of types) void house.query(`o${i}.t.example`, type, { from: `10.0.1.${i}` });
      ticks.depart();
      orders.push(house.questions.slice(before).join());
    }
    return orders;
  }
  const orders = await left(['A', 'AAAA']);
  t.strictSame(await left(['AAAA', 'A']), orders);
  const first = orders.filter((order) => / A\b.* AAAA\b/.test(order)).length;
  t.ok(first > 5 && first < 35, `of 40 names A was first for ${first}`);
});

t.test('a wider wildcard pays for a deeper one, and refuses only its own', async (t) => {
  const { house, ticks } = houseOf(t);
  await drain(house, ticks, '10.0.0.1', 'deep.t.example');
  const wide = await drain(house, ticks, '10.0.0.1', 't.example');
  t.ok(wide < 10, `${wide} names of the wider one`);
});

t.test('names under a wildcard hold letters, digits, - and _ alone', async (t) => {
  const { house } = houseOf(t);
  for (const name of [
    'a\\.b.t.example',
    '\\255\\000.t.example',
    'a\\032b.t.example',
    'x.\\001.t.example',
    '*.t.example',
  ]) {
    const reply = await house.ask(name, 'A', FROM);
    t.equal(reply.rcode, 3, name);
  }
  t.strictSame(house.questions, []);
  await house.ask('_a-0.t.example', 'A', FROM);
  t.equal(house.questions.length, 1);
});

t.test('audit charges on, and lets go', async (t) => {
  const { house, ticks, charges } = houseOf(t);
  t.equal(await drain(house, ticks, '10.0.2.1', 't.example', 200), 200);
  t.ok(charges.ledger.crossings.some(({ holder }) => holder.identity === 'watched'));
});

t.test('a name that is paid for is kept fresh on our own schedule', async (t) => {
  const { house, ticks, charges } = houseOf(t);
  await house.ask('kept.t.example', 'A', FROM, FINE);
  const asked = () => house.questions.filter((text) => text === 'kept.t.example A').length;
  t.equal(asked(), 1);
  const holder = [...charges.ledger.holders.all()][0]!;
  const paid = holder.balance(ticks.tick);
  for (let second = 0; second < 3000; second += 10) {
    house.pass(10);
    ticks.tick += 1000;
    house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
    house.settleAll(FINE);
    if (second % 70 === 0) {
      const before = house.questions.length;
      await house.ask('kept.t.example', 'A', FROM);
      t.equal(house.questions.length, before, `at ${second} s nothing leaves because somebody asks`);
    }
  }
  t.ok(asked() >= 40 && asked() <= 60, `${asked()} questions in 50 minutes`);
  t.equal(holder.balance(ticks.tick), paid, 'at no cost within the hour');
  t.equal(house.resolver.paid.count, 1);
  for (let second = 3000; second < 7300; second += 10) {
    house.pass(10);
    house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
    house.settleAll(FINE);
  }
  t.equal(house.resolver.paid.count, 0, 'in the hour after that of its last use it is let go');
});

t.test('a further hour costs a bit', async (t) => {
  const { house, ticks, charges } = houseOf(t);
  await house.ask('kept.t.example', 'A', FROM, FINE);
  const holder = [...charges.ledger.holders.all()][0]!;
  const paid = holder.balance(ticks.tick);
  for (let minute = 0; minute < 70; minute++) {
    house.pass(60);
    house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
    house.settleAll(FINE);
    await house.ask('kept.t.example', 'A', FROM, FINE);
  }
  t.equal(holder.balance(ticks.tick), paid + 1024);
});

t.test('when namegate asks again tells nothing of when a client asked', async (t) => {
  /** The seconds at which a name was asked for upstream, where clients ask in `asked` seconds. */
  async function seconds(asked: readonly number[], script: object, until: number): Promise<number[]> {
    const { house, ticks } = houseOf(t);
    await house.ask('kept.t.example', 'A', FROM, script);
    const left: number[] = [];
    for (let second = 1; second < until; second++) {
      house.pass(1);
      ticks.tick += 100;
      const before = house.questions.length;
      if (asked.includes(second)) void house.query('kept.t.example', 'A', FROM);
      house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
      house.settleAll(script);
      for (let i = before; i < house.questions.length; i++) left.push(second);
    }
    return left;
  }
  const failing = await seconds([], { failure: 'silent' }, 900);
  t.ok(failing.length > 100);
  for (const asked of [[500], [100, 200, 300], [30, 89, 150, 151, 899]])
    t.strictSame(await seconds(asked, { failure: 'silent' }, 900), failing, `failing, asked at ${asked}`);
  const unused = await seconds([], FINE, 7500);
  t.ok(unused.at(-1)! > 7000 && unused.at(-1)! <= 7200, 'the hour in which it was paid for, and another');
  for (const asked of [[30], [3000], [1, 1000, 3590]])
    t.strictSame(await seconds(asked, FINE, 7500), unused, `asked in the first hour, at ${asked}`);
});

t.test('who cannot pay the bit of a further hour does not keep the name', async (t) => {
  for (const poor of [false, true]) {
    const { house, ticks, charges } = houseOf(t);
    await house.ask('kept.t.example', 'A', FROM, FINE);
    const holder = [...charges.ledger.holders.all()].find(({ kind }) => kind === HOLDER.CLIENT)!;
    if (poor) holder.spend(holder.contain - 1024 - holder.balance(ticks.tick), ticks.tick);
    for (let second = 0; second < 7500; second += 10) {
      house.pass(10);
      house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
      house.settleAll(FINE);
      if (second % 100 === 0 && second < 7100) void house.query('kept.t.example', 'A', FROM);
    }
    t.equal(house.resolver.paid.count, poor ? 0 : 1);
  }
});

t.test('an outage charges no name twice', async (t) => {
  const { house, ticks, charges } = houseOf(t);
  const spent = () =>
    [...charges.ledger.holders.all()].reduce((sum, one) => sum + one.balance(ticks.tick), 0);
  const names = Array.from({ length: 10 }, (_, i) => `down${i}.t.example`);
  for (const name of names) await house.ask(name, 'A', FROM, { failure: 'silent' });
  const paid = spent();
  for (let second = 0; second < 1200; second++) {
    house.pass(1);
    ticks.tick += 100;
    house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
    house.settleAll({ failure: 'silent' });
    if (second % 7 === 0) {
      const reply = await house.ask(names[second % 10]!, 'A', FROM, { failure: 'silent' });
      t.equal(reply.rcode, 2);
    }
  }
  t.equal(spent(), paid);
  for (let tenth = 0; tenth < 50; tenth++) {
    house.pass(0.1);
    house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
    house.settleAll(FINE);
  }
  t.equal((await house.ask(names[0]!, 'A', FROM)).rcode, 0, 'five seconds after its end it is over');
});

t.test('a reload keeps paid names and balances, and lets go of what is no longer approved', async (t) => {
  const { house, ticks } = houseOf(t);
  await house.ask('kept.t.example', 'A', FROM, FINE);
  house.reload(POLICY.replace('objects of builds', 'other words'));
  t.equal(house.resolver.paid.count, 1);
  const left = await drain(house, ticks, '10.0.0.1');
  t.ok(left > 10);
  house.reload(POLICY.replace('"**.t.example", ', ''));
  house.pass(120);
  house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
  house.settleAll(FINE);
  const open = house.questions.length;
  house.pass(120);
  house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
  t.equal(house.questions.length, open, 'nothing that is denied leaves the machine');
  t.equal(house.resolver.paid.count, 0);
});

t.test(
  'a validator pays for the targets of a wildcard, and has none beyond the policy from written-out names',
  async (t) => {
    const { house, ticks, charges } = houseOf(t);
    const chain = { answer: ['a.t.example 0 CNAME b.attacker.test', 'b.attacker.test 0 A 192.0.2.1'] };
    const spent = () =>
      [...charges.ledger.holders.all()].reduce((sum, one) => sum + one.balance(ticks.tick), 0);
    await house.ask('a.t.example', 'A', { ...FROM, do: true }, chain);
    const paid = spent();
    await house.ask('b.attacker.test', 'DS', { ...FROM, do: true, cd: true }, {});
    t.equal(house.questions.at(-1), 'b.attacker.test DS', 'without CD');
    t.ok(spent() - paid > 8 * 8 * 1024, 'eight bits an octet');
    const exact = { answer: ['exact.example 0 CNAME c.attacker.test', 'c.attacker.test 0 A 192.0.2.1'] };
    await house.ask('exact.example', 'A', { ...FROM, do: true }, exact);
    const before = house.questions.length;
    await house.ask('c.attacker.test', 'DS', { ...FROM, do: true }, {});
    t.equal(house.questions.length, before);
  },
);

t.test(
  'the targets of a wildcard are charged to its own key and to wider ones, and are none for whoever is contained',
  async (t) => {
    const { house, ticks, charges } = houseOf(t);
    const chain = (name: string) => ({
      answer: [`${name} 0 CNAME b.attacker.test`, 'b.attacker.test 0 A 192.0.2.1'],
    });
    await house.ask('a.deep.t.example', 'A', { ...FROM, do: true }, chain('a.deep.t.example'));
    const subjects = () =>
      new Set(
        [...charges.ledger.holders.all()].map(
          ({ kind, base }) => `${kind} ${Buffer.from(base).toString('latin1')}`,
        ),
      );
    const keys = subjects();
    const balances = () =>
      [...charges.ledger.holders.all()]
        .filter(({ kind }) => kind === HOLDER.CLIENT)
        .map((one) => one.balance(ticks.tick));
    const before = balances();
    await house.ask('b.attacker.test', 'DS', { ...FROM, do: true }, {});
    await house.ask('attacker.test', 'DNSKEY', { ...FROM, do: true }, {});
    t.strictSame(subjects(), keys, 'no key of their own');
    t.equal(before.length, 2);
    for (const [i, units] of balances().entries()) t.ok(units - before[i]! > 8 * 20 * 1024);
    // A name that is kept leads to targets still, for whoever may pay.
    await house.ask('kept.t.example', 'A', { ...FROM, do: true }, chain('kept.t.example'));
    await drain(house, ticks, '10.0.0.1');
    house.pass(400);
    house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
    house.settleAll(chain('kept.t.example'));
    await house.ask('kept.t.example', 'A', { ...FROM, do: true }, chain('kept.t.example'));
    const asked = house.questions.length;
    t.equal((await house.ask('b.attacker.test', 'DNSKEY', { ...FROM, do: true })).rcode, 3);
    t.equal(house.questions.length, asked);
  },
);

t.test('one query every two seconds, for three hours: what slow encoders carry out', async (t) => {
  /** Names that an encoder asks, one after another, and the bits that each can carry. */
  const encoders: Record<string, [(n: number) => [string, string], number]> = {
    'long names': [
      (n) => [`${String(n).padStart(6, '0')}${'a'.repeat(50)}.t.example`, 'A'],
      51 * Math.log2(38),
    ],
    'short names': [(n) => [`${n.toString(36)}.t.example`, 'A'], 4 * Math.log2(38)],
    'one of 16 names': [(n) => [`k${(n * 7) % 16}.t.example`, 'A'], 4],
    'one of three types': [(n) => ['same.t.example', ['A', 'AAAA', 'CNAME'][n % 3]!], Math.log2(3)],
  };
  for (const [what, [encode, bits]] of Object.entries(encoders)) {
    const { house, ticks, charges } = houseOf(t);
    let left = 0;
    for (let n = 0; n < 6_000; n++) {
      house.pass(2);
      ticks.tick += 200;
      const before = house.asked.length;
      const [name, type] = encode(n);
      await house.ask(name, type, FROM, FINE);
      left += house.asked.length - before;
      house.exits.length = 0;
    }
    const carried = (left * bits) / 8;
    t.ok(left > 0 && carried <= 1024, `${what}: ${left} left, ${carried.toFixed(0)} octets`);
    const client = [...charges.ledger.holders.all()].find(({ kind }) => kind === HOLDER.CLIENT)!;
    t.ok(client.balance(ticks.tick) <= client.contain);
  }
});
