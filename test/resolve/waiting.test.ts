import t from 'tap';
import { House, type QueryOptions } from './house.ts';
import { policy } from './policy.ts';

/** Records of waiting queries serve again and again: nothing of one query reaches another. */

const POLICY = policy({ alice: { allow: ['**.site.example'] } });
const COOKIE = 10;
/** An option that nobody knows, so long that the query is longer than a record has room for, and behind it a cookie. */
const LONG = Buffer.concat([
  Buffer.from([0xff, 0x00, 0x04, 0x00]),
  Buffer.alloc(0x400, 1),
  Buffer.from([0, COOKIE, 0, 8]),
  Buffer.alloc(8, 2),
]);
const KINDS: readonly QueryOptions[] = [
  { id: 1, from: '127.0.0.1' },
  { id: 2, from: '127.0.0.1', transport: 'tcp', options: LONG },
  { id: 3, from: '127.0.0.1', edns: false },
  { id: 4, from: '127.0.0.1', transport: 'tls' },
  { id: 5, from: '127.0.0.1', do: true, options: LONG },
];

t.test('each gets the answer to its own question, in whatever order the answers come', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  let sent = 0;
  house.onSend = () => sent++;
  let number = 0;
  let asked = 0;
  for (let round = 0; round < 40; round++) {
    const waiting = Array.from({ length: 1 + ((round * 7) % 13) }, () => {
      const address = `192.0.2.${(number % 200) + 1}`;
      const options = KINDS[number % KINDS.length]!;
      const name = `n${number++}.site.example`;
      return { name, address, options, reply: house.query(name, 'A', options) };
    });
    asked += waiting.length;
    t.equal(house.resolver.waiting, waiting.length);
    // Every other time the last comes first, and else they come with the second half ahead.
    const open = round % 2 === 0 ? house.open.reverse() : [...house.open.slice(3), ...house.open.slice(0, 3)];
    for (const question of open) {
      const { name, address } = waiting.find((each) => question.text.startsWith(`${each.name} `))!;
      house.settle(question, { answer: [`${name} 60 A ${address}`] });
    }
    for (const { name, address, options, reply } of waiting) {
      const { octets, rcode, answer, options: given } = await reply;
      t.equal(
        given.some(({ code }) => code === COOKIE),
        options.options === LONG,
        'the whole query was kept',
      );
      t.same(
        { id: octets.readUInt16BE(0), rcode, answer },
        { id: options.id, rcode: 0, answer: [`${name} 60 A ${address}`] },
      );
    }
    t.equal(house.resolver.waiting, 0);
  }
  t.equal(sent, asked, 'one reply each');
  t.same(house.bugs, []);
});

t.test('an end that throws costs its own query the answer, and no other', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  let sends = 0;
  house.onSend = () => {
    if (++sends === 1) throw new Error('the way back is gone');
  };
  const first = house.query('a.site.example', 'A', { id: 1 });
  const second = house.query('a.site.example', 'A', { id: 2 });
  house.settleAll({ answer: ['a.site.example 60 A 192.0.2.1'] });
  const third = house.query('b.site.example', 'A', { id: 3 });
  const fourth = house.query('c.site.example', 'A', { id: 4 });
  t.equal(house.resolver.waiting, 2);
  for (const asked of house.open.reverse())
    house.settle(asked, { answer: [`${asked.text.slice(0, -2)} 60 A 192.0.2.2`] });
  t.same(
    (await Promise.all([first, second, third, fourth])).map(({ octets }) => octets.readUInt16BE(0)),
    [1, 2, 3, 4],
  );
  t.equal(house.bugs.length, 1);
  t.equal(house.resolver.waiting, 0);
});
