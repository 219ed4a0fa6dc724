import t from 'tap';
import { House } from './house.ts';
import { policy } from './policy.ts';

const ADDRESSES = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
const V6 = ['2001:db8::1', '2001:db8::2'];

t.test('each address comes first, in the order of the ring, and the entry stays as it is', async (t) => {
  const house = new House(t.testdir.bind(t), policy({ alice: { allow: ['www.example', 'six.example'] } }));
  const answer = ['www.example 60 CNAME b.example', ...ADDRESSES.map((each) => `b.example 60 A ${each}`)];
  await house.ask('www.example', 'A', {}, { answer });
  await house.ask('six.example', 'AAAA', {}, { answer: V6.map((each) => `six.example 60 AAAA ${each}`) });
  const before = [...house.store.values()].map((entry) => Buffer.from(entry.plain().octets));
  const first = new Map<string, number>();
  for (let i = 0; i < 300; i++) {
    const reply = await house.query('www.example');
    t.equal(reply.answer[0], answer[0]);
    const ring = reply.answer.slice(1).map((text) => text.split(' ')[3]!);
    const start = ADDRESSES.indexOf(ring[0]!);
    const wanted = ADDRESSES.map((_, at) => ADDRESSES[(start + at) % 3]);
    if (String(ring) !== String(wanted)) t.same(ring, wanted);
    first.set(ring[0]!, (first.get(ring[0]!) ?? 0) + 1);
    // Another name in turn: it has no part in which comes first.
    const six = await house.query('six.example', 'AAAA');
    first.set(six.answer[0]!, (first.get(six.answer[0]!) ?? 0) + 1);
  }
  t.equal(first.size, 5);
  for (const [which, count] of first) t.ok(count > 50, `${which} ${count} times`);
  t.same(
    [...house.store.values()].map((entry) => entry.plain().octets),
    before,
  );
});

t.test('signatures and TTLs stay where they are', async (t) => {
  const house = new House(t.testdir.bind(t), policy({ alice: { allow: ['www.example'] } }));
  const records = ADDRESSES.map((each) => `www.example 60 A ${each}`);
  const secure = { transport: 'tcp', do: true } as const;
  await house.ask('www.example', 'A', secure, { answer: [...records, 'www.example 60 RRSIG A 2 example'] });
  house.pass(7);
  for (let i = 0; i < 20; i++) {
    const { answer } = await house.query('www.example', 'A', secure);
    t.same(
      answer.slice(0, 3).toSorted(),
      records.map((text) => text.replace(' 60 ', ' 53 ')),
    );
    t.equal(answer[3], 'www.example 53 RRSIG A');
  }
});
