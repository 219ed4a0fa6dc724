import t, { type Test } from 'tap';
import type { EXITS } from '../../src/resolve/exit.ts';
import { TRUNCATE_IT } from '../../src/resolve/ports.ts';
import { FLAG } from '../../src/wire/header.ts';
import { OPTION } from '../../src/wire/iana.ts';
import { House, type QueryOptions, queryOctets } from './house.ts';
import { policy } from './policy.ts';
import type { Script } from './records.ts';

/**
 * Whoever forges a source gets at most three times what he sent, whatever the answer is. What is longer is an empty reply
 * with TC.
 */

const LONG = 'a-long-name-of-an-identity-that-somebody-has-written-'.repeat(2);
const POLICY = policy(
  {
    [LONG]: {
      allow: [
        'web.example',
        'few.example',
        '{ name: txt.example, reason: test, types: [TXT] }',
        '{ name: local.example, reason: test, types: [TXT, A] }',
        'private.example',
        'gone.example',
        'dead.example',
        'old.example',
        'cold.example',
        're.example',
      ],
    },
  },
  {
    records: [
      '{ name: local.example, type: A, data: 192.0.2.1 }',
      ...[0, 1, 2, 3].map((n) => `{ name: local.example, type: TXT, data: '"${`${n}`.repeat(200)}"' }`),
    ],
    redirects: ['{ name: re.example, to: web.example }'],
  },
);
const SOA = [
  'example 300 SOA ns.a-long-name-server.example. hostmaster.a-long-mail-box.example. 1 2 3 4 300',
];
const addresses = (name: string, count: number): Script => ({
  answer: Array.from({ length: count }, (_, i) => `${name} 300 A 192.0.2.${i + 1}`),
});
/** What the store is filled with, over TCP. */
const UPSTREAM: Readonly<Record<string, readonly [string, Script]>> = {
  'web.example': ['A', addresses('web.example', 20)],
  'few.example': ['A', addresses('few.example', 2)],
  'txt.example': ['TXT', { answer: [0, 1, 2].map((n) => `txt.example 300 TXT "${`${n}`.repeat(200)}"`) }],
  'private.example': ['A', { answer: ['private.example 300 A 10.0.0.1'] }],
  'gone.example': ['A', { rcode: 3, authority: SOA }],
  'dead.example': ['A', { failure: 'silent' }],
  're.example': ['A', addresses('web.example', 20)],
};

type ExitName = (typeof EXITS)[number];

const QUESTIONS: readonly (readonly [string, string, ExitName])[] = [
  ['web.example', 'A', 'hit'],
  ['few.example', 'A', 'hit'],
  ['txt.example', 'TXT', 'hit'],
  ['gone.example', 'A', 'hit'],
  ['re.example', 'A', 'hit'],
  ['old.example', 'A', 'stale'],
  ['dead.example', 'A', 'servfail'],
  ['private.example', 'A', 'withheld'],
  ['cold.example', 'A', 'unproven'],
  ['local.example', 'A', 'local'],
  ['local.example', 'TXT', 'local'],
  ['local.example', 'ANY', 'local'],
  ['web.example', 'ANY', 'local'],
  ['localhost', 'AAAA', 'local'],
  ['localhost', 'MX', 'local'],
  ['web.example._why.namegate.internal', 'TXT', 'local'],
  ['private.example._why.namegate.internal', 'TXT', 'local'],
  ['evil.example._why.namegate.internal', 'TXT', 'local'],
  ['web.example', 'MX', 'empty'],
  ['.', 'NS', 'empty'],
  ['example', 'A', 'empty'],
  ['evil.example', 'A', 'deny_unproven'],
  ['a', 'A', 'deny_unproven'],
  ['web.example', 'AXFR', 'refused'],
];

const option = (code: number, data: Buffer): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(code, 0);
  head.writeUInt16BE(data.length, 2);
  return Buffer.concat([head, data]);
};
const WAYS: Readonly<Record<string, QueryOptions>> = {
  plain: { edns: false },
  edns: {},
  large: { udpSize: 4096 },
  dnssec: { do: true, ad: true },
  cookie: { options: option(OPTION.COOKIE, Buffer.alloc(8, 7)) },
  padded: { options: option(OPTION.PADDING, Buffer.alloc(20)) },
};

async function filled(t: Test): Promise<House> {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('old.example', 'A', { transport: 'tcp' }, addresses('old.example', 20));
  house.pass(400);
  await house.ask('old.example', 'A', { transport: 'tcp' }, { failure: 'silent' });
  for (const [name, [type, script]] of Object.entries(UPSTREAM))
    await house.ask(name, type, { transport: 'tcp' }, script);
  house.exits.length = 0;
  return house;
}

t.test('without proof no answer is longer than three times its question', async (t) => {
  const house = await filled(t);
  for (const [way, options] of Object.entries(WAYS)) {
    for (const [name, type, exit] of QUESTIONS) {
      const sent = queryOctets(name, type, options);
      const reply = await house.send(sent, { ...options, spoofable: true });
      const what = `${name} ${type} ${way}`;
      t.equal(house.exits.at(-1), exit, what);
      t.ok(reply.octets.length <= 3 * sent.length, `${what}: ${sent.length} → ${reply.octets.length}`);
      const short = (reply.flags & FLAG.TC) !== 0;
      if (short) t.same([reply.answer, reply.authority], [[], []], `${what}: no part of an answer`);
      if (exit === 'unproven') continue;
      // The same question of who has proved to have the address gets the answer.
      const whole = await house.send(sent, { ...options, transport: 'tcp' });
      t.equal(whole.flags & FLAG.TC, 0, what);
      if (!short && exit === 'hit') t.same(reply.answer.toSorted(), whole.answer.toSorted(), what);
    }
  }
  const seen = (name: string, type: string, options: QueryOptions) =>
    house.query(name, type, { ...options, spoofable: true });
  t.equal((await seen('few.example', 'A', {})).answer.length, 2, 'two addresses fit');
  t.equal((await seen('web.example', 'A', {})).flags & FLAG.TC, FLAG.TC);
  t.equal((await seen('private.example._why.namegate.internal', 'TXT', {})).flags & FLAG.TC, FLAG.TC);
});

t.test('so it is for messages that are no questions, and over a limit', async (t) => {
  const house = await filled(t);
  const good = queryOctets('web.example', 'A');
  const messages: readonly (readonly [string, Buffer])[] = [
    ['header alone', good.subarray(0, 12)],
    ['cut', good.subarray(0, 20)],
    ['trailing octets', Buffer.concat([good, Buffer.alloc(3)])],
    ['version 1', queryOctets('web.example', 'A', { version: 1 })],
    ['NOTIFY', queryOctets('web.example', 'A', { opcode: 4 })],
    ['opcode 15', queryOctets('web.example', 'A', { opcode: 15 })],
    ['CHAOS', queryOctets('web.example', 'A', { class: 3 })],
  ];
  for (const [what, message] of messages) {
    const reply = await house.send(message, { spoofable: true });
    t.ok(reply.octets.length <= 3 * message.length, `${what}: ${message.length} → ${reply.octets.length}`);
  }
  house.unknownVerdict = TRUNCATE_IT;
  for (const options of Object.values(WAYS)) {
    const sent = queryOctets('x', 'A', options);
    const reply = await house.send(sent, { ...options, spoofable: true, from: '203.0.113.9' });
    t.ok(reply.octets.length <= 3 * sent.length);
  }
});

t.test('where nobody can forge a source, and with a server cookie, the reply is whole', async (t) => {
  const house = await filled(t);
  const udp = await house.query('web.example', 'A', { spoofable: false });
  t.equal(udp.answer.length, 20);
  const first = await house.query('few.example', 'A', { spoofable: true, options: WAYS['cookie']!.options! });
  const [cookie] = first.options.filter(({ code }) => code === OPTION.COOKIE);
  const proven = { spoofable: true, options: option(OPTION.COOKIE, cookie!.data) };
  t.equal((await house.query('web.example', 'A', proven)).answer.length, 20);
});
