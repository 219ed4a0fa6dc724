import t from 'tap';
import { explain, explanationLine } from '../../src/policy/explain.ts';
import { UNKNOWN } from '../../src/policy/identity.ts';
import { FLAG } from '../../src/wire/header.ts';
import { readMessage } from '../../src/wire/message.ts';
import { House, type QueryOptions } from './house.ts';
import { exception, policy, rule } from './policy.ts';
import { wireName } from './records.ts';

/** "`TXT NAME._why.namegate.internal` answers locally, for the asking identity, with the line that `explain` would print." */

const POLICY = policy(
  {
    alice: {
      allow: ['www.site.example', rule('**.glob.example', 'types: [TXT]'), 'local.example', 're.example'],
      exceptions: [exception('soon.example', '2026-11-20T00:00:30Z')],
    },
    bob: { allow: ['www.site.example'], more: ['mode: audit', 'audit_until: 2026-12-01'] },
  },
  {
    records: ['{ name: local.example, type: A, data: 192.0.2.1 }'],
    redirects: ['{ name: re.example, to: mirror.example }'],
  },
);
const NAMES = [
  'www.site.example',
  'site.example',
  'x.glob.example',
  'local.example',
  're.example',
  'soon.example',
  'evil.example',
  'localhost',
  'use-application-dns.net',
  'resolver.arpa',
  'a\\.b.example',
];

/** The strings of the TXT record, joined. */
async function why(house: House, name: string, options: QueryOptions = {}): Promise<string> {
  const reply = await house.query(`${name}._why.namegate.internal`, 'TXT', { transport: 'tcp', ...options });
  const message = readMessage(reply.octets);
  if (!('records' in message)) throw new Error('unreadable');
  const record = message.records.find(({ type }) => type === 16);
  if (record === undefined || record.ttl !== 0 || (reply.flags & FLAG.AA) === 0) throw new Error('no line');
  let text = '';
  for (let at = record.start; at < record.end; at += 1 + reply.octets[at]!)
    text += reply.octets.toString('utf8', at + 1, at + 1 + reply.octets[at]!);
  return text;
}

function line(house: House, who: number, name: string): string {
  const identity = who < 0 ? UNKNOWN : house.snapshot.identities[who]!;
  return explanationLine(explain(house.snapshot, identity, null, wireName(name), 1, house.epoch));
}

t.test('the line of explain, for the asking identity', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const clients = [
    ['127.0.0.1', 0],
    ['127.0.0.2', 1],
    ['192.0.2.9', -1],
  ] as const;
  for (const name of NAMES) {
    for (const [from, who] of clients)
      t.equal(await why(house, name, { from }), line(house, who, name), name);
  }
  t.same(house.asked, []);
  t.match(
    await why(house, 'evil.example'),
    /^evil\.example A: deny for alice; name not approved; ask team-a$/,
  );
  t.match(
    await why(house, 'www.site.example'),
    /allow for alice; rule www\.site\.example \(.*policy\.yaml:\d+\): test; owner net-team/,
  );
});

t.test('the case of the question does not matter', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const upper = await house.query('WWW.Site.EXAMPLE._WHY.Namegate.INTERNAL', 'TXT', { transport: 'tcp' });
  t.equal(upper.answer.length, 1);
  t.match(upper.answer[0], /www\.site\.example A: allow for alice/);
});

t.test('it is for now: TTL 0, and another line once the rule has ended', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.match(await why(house, 'soon.example'), /allow for alice/);
  house.pass(30);
  t.match(await why(house, 'soon.example'), /deny for alice/);
});

t.test('a line that is too long for UDP comes with TC, and whole over TCP', async (t) => {
  const long = POLICY.replace('reason: test', `reason: ${'because '.repeat(200)}`);
  const house = new House(t.testdir.bind(t), long);
  for (const options of [{}, { edns: false }]) {
    const udp = await house.query('www.site.example._why.namegate.internal', 'TXT', options);
    t.same([udp.rcode, udp.flags & FLAG.TC, udp.answer, udp.authority], [0, FLAG.TC, [], []]);
  }
  t.equal(await why(house, 'www.site.example'), line(house, 0, 'www.site.example'));
});

t.test('other types, and `_why` itself, have no data', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const [name, type] of [
    ['www.site.example._why.namegate.internal', 'A'],
    ['www.site.example._why.namegate.internal', 'ANY'],
    ['_why.namegate.internal', 'TXT'],
  ] as const) {
    const reply = await house.query(name, type);
    t.same([reply.rcode, reply.answer], [0, []]);
    t.same(reply.authority, ['_why.namegate.internal 30 SOA minimum 30']);
  }
});

t.test('the longest name that fits in front of it', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const name = [63, 63, 63, 38].map((size) => 'x'.repeat(size)).join('.');
  t.equal(wireName(`${name}._why.namegate.internal`).length, 255);
  t.equal(await why(house, name), line(house, 0, name));
});
