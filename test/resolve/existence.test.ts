import t, { type Test } from 'tap';
import { House } from './house.ts';
import { policy, rule } from './policy.ts';
import { soa } from './records.ts';

const NX = { rcode: 3, authority: [soa('example')] };
const A = { answer: ['www.example 60 A 192.0.2.1'] };

function start(t: Test): House {
  const allow = [rule('www.example', 'types: [A, AAAA, TXT, HTTPS]')];
  return new House(t.testdir.bind(t), policy({ alice: { allow } }));
}

t.test('NXDOMAIN of one type while another has data: the name exists', async (t) => {
  const house = start(t);
  t.equal((await house.ask('www.example', 'A', {}, A)).rcode, 0);
  const reply = await house.ask('www.example', 'AAAA', {}, NX);
  t.same([reply.rcode, reply.answer, reply.authority], [0, [], ['example 60 SOA minimum 60']]);
  t.equal((await house.query('www.example', 'AAAA')).rcode, 0, 'and so from the cache');
});

t.test('NXDOMAIN first, data later', async (t) => {
  const house = start(t);
  for (const type of ['AAAA', 'TXT']) t.equal((await house.ask('www.example', type, {}, NX)).rcode, 3);
  t.equal((await house.ask('www.example', 'A', {}, A)).rcode, 0);
  for (const type of ['AAAA', 'TXT']) t.equal((await house.query('www.example', type)).rcode, 0, type);
  t.equal(house.asked.length, 3, 'nobody was asked again');
});

t.test('when the data has ended, NXDOMAIN counts again, whatever was made of another', async (t) => {
  const house = start(t);
  await house.ask('www.example', 'A', {}, A);
  house.pass(30);
  t.equal((await house.ask('www.example', 'AAAA', {}, NX)).rcode, 0);
  house.pass(30);
  t.equal((await house.query('www.example', 'AAAA')).rcode, 0, 'kept for its own time');
  t.equal((await house.ask('www.example', 'TXT', {}, NX)).rcode, 3, 'no data is no proof');
  t.equal((await house.ask('www.example', 'A', {}, NX)).rcode, 3);
});

t.test('both at once: the denial waits for the other address, in either order', async (t) => {
  for (const [first, second] of [
    ['AAAA', 'A'],
    ['A', 'AAAA'],
  ] as const) {
    const house = start(t);
    const scripts = { A, AAAA: NX };
    const replies = { A: house.query('www.example', 'A'), AAAA: house.query('www.example', 'AAAA') };
    for (const type of [first, second]) {
      house.settle(house.open.find(({ text }) => text.endsWith(` ${type}`))!, scripts[type]);
    }
    t.same([(await replies.A).rcode, (await replies.AAAA).rcode], [0, 0], `${first} first`);
    t.equal(house.resolver.waiting, 0);
  }
});

t.test('both at once, and both denied, or the other fails: NXDOMAIN stays', async (t) => {
  for (const other of [NX, { failure: 'silent' } as const]) {
    const house = start(t);
    const v4 = house.query('www.example', 'A');
    const v6 = house.query('www.example', 'AAAA');
    const [a, aaaa] = house.open;
    house.settle(aaaa!, NX);
    house.settle(a!, other);
    t.equal((await v6).rcode, 3);
    t.equal((await v4).rcode, other === NX ? 3 : 2);
    t.equal(house.resolver.waiting, 0);
  }
});

t.test('a validator gets no proof of the other answer, nor AD', async (t) => {
  const house = start(t);
  const secure = { transport: 'tcp', do: true, ad: true } as const;
  await house.ask('www.example', 'A', {}, A);
  const signed = { ...NX, authority: [soa('example'), 'example 60 RRSIG SOA 1 example'], flags: 0x20 };
  const reply = await house.ask('www.example', 'AAAA', secure, { ...signed, verified: true });
  t.same([reply.rcode, reply.authority.length, reply.flags & 0x20], [0, 1, 0]);
});

t.test('each upstream group, CD and name for itself', async (t) => {
  const allow = ['www.example', 'other.example'];
  const house = new House(t.testdir.bind(t), policy({ alice: { allow } }));
  await house.ask('www.example', 'A', {}, A);
  t.equal((await house.ask('other.example', 'AAAA', {}, NX)).rcode, 3);
  t.equal((await house.ask('www.example', 'AAAA', { cd: true }, NX)).rcode, 3);
});
