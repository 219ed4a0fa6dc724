import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { BUDGET, isRefused, paced, rig } from './channel-rig.ts';
import { queryOctets } from './client.ts';
import { digitsOf, permutation, WORDS } from './tunnel.ts';
import type { Script } from './upstream.ts';

// They wait more than they work.
t.jobs = 3;

/**
 * Encoders that put a message into anything but long names: words, a steady pace, the order of questions, a validator's
 * questions, and CD. Over real sockets: what arrives at the far end is decoded there, and counted. It knows the code.
 */

t.test('words that read like names of hosts', async (t) => {
  const { up, server, client } = await rig(t);
  const digits = digitsOf(randomBytes(4096), WORDS.length);
  for (let at = 0; at < digits.length; at += 60) {
    const names: string[] = [];
    for (let i = at; i < Math.min(at + 60, digits.length); i += 3) {
      const words = digits.slice(i, i + 3).map((digit) => WORDS[digit]);
      names.push(`${words.join('-')}.${(i / 3).toString(36)}.t.example`);
    }
    const replies = await Promise.all(names.map((name) => client.exchange(queryOctets(name), 10_000)));
    if (replies.every(isRefused)) break;
  }
  let bits = 0;
  for (const name of new Set(up.seen.map((seen) => seen.name))) {
    const [words = '', place = ''] = name.split('.');
    const first = Number.parseInt(place, 36) * 3;
    words.split('-').forEach((word, i) => {
      if (WORDS.indexOf(word) !== digits[first + i]) throw new Error(`what arrived was not sent: ${name}`);
      bits += 10;
    });
  }
  t.ok(bits / 8 > 100 && bits / 8 <= BUDGET, `${bits / 8} octets`);
  await server.stop(t);
});

t.test('eighteen questions a second', (t) => paced(t, 1000 / 18));

t.test('the order of questions', async (t) => {
  const { up, server, client } = await rig(t);
  const SIZE = 8;
  const ORDERS = 40_320;
  const orders = digitsOf(randomBytes(256), ORDERS);
  let rounds = 0;
  for (const order of orders) {
    const replies: Promise<Buffer | null>[] = [];
    for (const which of permutation(order, SIZE)) {
      replies.push(client.exchange(queryOctets(`${which}${rounds.toString(36)}.t.example`), 10_000));
      await sleep(25);
    }
    rounds++;
    if ((await Promise.all(replies)).every(isRefused)) break;
  }
  t.ok(rounds < orders.length, 'it is contained');
  let told = 0;
  for (let round = 0; round < rounds; round++) {
    const seen = up.seen
      .map(({ name }) => /^(\d)(\w+)\.t\.example/.exec(name))
      .filter((match) => match?.[2] === round.toString(36))
      .map((match) => Number(match![1]));
    if (seen.join() === permutation(orders[round]!, SIZE).join()) told++;
  }
  const octets = (told * Math.log2(ORDERS)) / 8;
  t.ok(told > 0, 'the encoder works');
  t.ok(octets <= BUDGET, `${told} orders, ${octets} octets`);
  await server.stop(t);
});

/** Every wildcard answer leads through eight targets of a zone of the attacker's. */
const chained: Script = ({ name, type }, to) => {
  if (type === 'DS' || type === 'DNSKEY') {
    to.reply({ authority: [`${name} 0 SOA a. b. 1 1 1 1 0`] });
    return;
  }
  const round = name.split('.')[0]!;
  const chain = Array.from({ length: 8 }, (_, i) => `c${i}.x${i}.${round}.attacker.test.`);
  to.reply({
    answer: [
      ...[name, ...chain.slice(0, -1)].map((from, i) => `${from} 0 CNAME ${chain[i]}`),
      `${chain.at(-1)} 0 A 192.0.2.1`,
    ],
  });
};

t.test("a validator's questions for what a wildcard's answer leads to, with CD and without", async (t) => {
  const { up, server, client } = await rig(t, chained);
  const message = randomBytes(4096);
  const bits = Array.from(message, (octet) => octet.toString(2).padStart(8, '0')).join('');
  /** Each question is a bit: it is asked, or not. */
  const slots = Array.from({ length: 8 }, (_, i) => [`c${i}.x${i}`, `x${i}`])
    .flat()
    .flatMap((front) => ['DS', 'DNSKEY'].flatMap((type) => [true, false].map((cd) => ({ front, type, cd }))));
  let rounds = 0;
  let isContained = false;
  for (; rounds < 100 && !isContained; rounds++) {
    const first = await client.exchange(queryOctets(`r${rounds}.t.example`, { dnssecOk: true }), 10_000);
    isContained = isRefused(first);
    await Promise.all(
      slots
        .filter((_, i) => bits[rounds * slots.length + i] === '1')
        .map(({ front, type, cd }) =>
          client.exchange(
            queryOctets(`${front}.r${rounds}.attacker.test`, { type, dnssecOk: true, checkingDisabled: cd }),
            10_000,
          ),
        ),
    );
  }
  t.ok(isContained, `${rounds} rounds`);
  const asked = new Set(
    up.seen.map(({ name, type, checkingDisabled }) => `${name} ${type} ${checkingDisabled}`),
  );
  t.notOk(
    up.seen.some(({ checkingDisabled }) => checkingDisabled),
    'CD does not leave',
  );
  // A round tells its bits where all that was to arrive has arrived, with CD or without.
  let told = 0;
  let arrived = 0;
  for (let round = 0; round < rounds; round++) {
    const here = slots.map(({ front, type }) => asked.has(`${front}.r${round}.attacker.test. ${type} false`));
    const sent = slots.map(({ front, type }) =>
      slots.some(
        (slot, i) => slot.front === front && slot.type === type && bits[round * slots.length + i] === '1',
      ),
    );
    arrived += here.filter(Boolean).length / 2;
    if (here.join() === sent.join()) told += slots.length / 2;
  }
  t.ok(arrived > 10, `${arrived} of them arrived`);
  t.ok(told / 8 <= BUDGET && (arrived * Math.log2(slots.length)) / 8 <= BUDGET, `${told / 8} octets`);
  await server.stop(t);
});

t.test('CD on repeats, and repeats under a TTL of 0', async (t) => {
  const { up, server, client } = await rig(t, ({ name, type }, to) =>
    to.reply({ answer: [`${name} 0 ${type} 192.0.2.1`] }),
  );
  const bits = Array.from(randomBytes(400), (octet) => octet.toString(2).padStart(8, '0')).join('');
  // Forty names, more than are kept fresh: each question is a bit, by its CD, and one more by whether it leaves at all.
  let sent = 0;
  for (; sent < 3_000; sent++) {
    const name = `n${sent % 40}.t.example`;
    const reply = await client.exchange(queryOctets(name, { checkingDisabled: bits[sent] === '1' }), 10_000);
    if (sent > 400 && isRefused(reply)) break;
  }
  const octets = up.seen.length / 8;
  t.ok(octets <= BUDGET, `${up.seen.length} of ${sent} questions left: ${octets} octets by their CD`);
  t.notOk(
    up.seen.some(({ checkingDisabled }) => checkingDisabled),
    'and none had it',
  );
  await server.stop(t);
});
