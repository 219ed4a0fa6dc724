import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { parsePrefix } from '../../src/config/addresses.ts';
import { noteOff } from '../../src/history/history.ts';
import type { Prefix } from '../../src/wire/prefix.ts';
import { policy, rule } from '../resolve/policy.ts';
import { HistoryRig } from './rig.ts';

const POLICY = policy({
  builder: { allow: ['github.com', '*.cdn.example', rule('mx.example', 'types: [MX]')] },
  tester: { allow: ['github.com'] },
  audited: { allow: ['github.com'], more: ['mode: audit', 'audit_until: 2027-01-01'] },
});

const BUILDER = { from: '127.0.0.1', port: 40_001 };
const TESTER = { from: '127.0.0.2' };
const AUDITED = { from: '127.0.0.3' };

type Row = Readonly<Record<string, unknown>>;

function rows(rig: HistoryRig, sql: string, ...values: (string | number)[]): Row[] {
  const database = new DatabaseSync(rig.path, { readOnly: true });
  try {
    return database.prepare(sql).all(...values);
  } finally {
    database.close();
  }
}

const questions = (rig: HistoryRig): string[] =>
  rows(rig, 'SELECT * FROM question ORDER BY number').map(
    ({ identity, client, name, type, verdict, audited, count }) =>
      `${identity} ${client} ${name} ${type} ${verdict}${audited === 1 ? '?' : ''} ${count}`,
  );

t.test('what the ring has for others passes by, and is no fault', async (t) => {
  const rig = new HistoryRig(t, POLICY);
  const { house, writer, loop } = rig.feed;
  writer.want(['deny', 'allow'], ['deny']);
  await house.ask('evil.example', 'A', BUILDER);
  await house.ask('github.com', 'A', BUILDER, { answer: ['github.com 60 A 192.0.2.7'] });
  await house.ask('github.com', 'A', BUILDER, { answer: ['github.com 60 A 10.0.0.1'] });
  rig.take();
  t.equal(loop.faults, 0);
  t.equal(questions(rig).length, 2);
});

t.test('each question is a row that says all of it, and counts', async (t) => {
  const rig = new HistoryRig(t, POLICY);
  const { house } = rig.feed;
  const answer = ['github.com 60 A 192.0.2.7', 'github.com 60 A 192.0.2.8'];
  for (let i = 0; i < 5; i++) {
    await house.ask('evil.example', 'A', BUILDER);
    await house.ask('github.com', 'TXT', BUILDER);
    await house.ask('github.com', 'A', BUILDER, { answer });
    await house.ask('x.cdn.example', 'A', BUILDER, { answer: ['x.cdn.example 60 A 192.0.2.9'] });
  }
  await house.ask('localhost', 'A', { ...BUILDER, transport: 'tcp' });
  await house.ask('audited.example', 'AAAA', AUDITED);
  await house.ask('evil.example', 'A', TESTER);
  rig.take();
  t.strictSame(questions(rig), [
    'builder 127.0.0.1 evil.example 1 deny 5',
    'builder 127.0.0.1 github.com 16 empty 5',
    'builder 127.0.0.1 github.com 1 allow 5',
    'builder 127.0.0.1 x.cdn.example 1 allow 5',
    'builder 127.0.0.1 localhost 1 local 1',
    'audited 127.0.0.3 audited.example 28 deny? 1',
    'tester 127.0.0.2 evil.example 1 deny 1',
  ]);
  t.match(rows(rig, 'SELECT * FROM question WHERE name = ? AND type = 1', 'x.cdn.example'), [
    {
      ground: 'rule',
      rule: /\.yaml:\d+$/,
      pattern: '*.cdn.example',
      proven: 1,
      policy: /^[0-9a-f]{16}$/,
      reverse: '.example.cdn.x',
    },
  ]);
  t.match(
    rows(rig, 'SELECT address, question FROM answer ORDER BY address').map(({ address }) => address),
    ['127.0.0.1', '192.0.2.7', '192.0.2.8', '192.0.2.9'],
  );
  t.match(rows(rig, 'SELECT pattern, jobs FROM rule WHERE pattern = ?', '*.cdn.example'), [{ jobs: 1 }]);
  t.match(rows(rig, 'SELECT complete FROM lease'), [{ complete: 1 }, { complete: 1 }, { complete: 1 }]);
});

t.test('an address is given until the answers have another', async (t) => {
  const rig = new HistoryRig(t, POLICY);
  const { house } = rig.feed;
  const ask = (...addresses: string[]): Promise<unknown> =>
    house.ask('github.com', 'A', BUILDER, { answer: addresses.map((one) => `github.com 1 A ${one}`) });
  const at: number[] = [];
  await ask('192.0.2.1', '192.0.2.2');
  rig.take();
  await ask('192.0.2.2', '192.0.2.1');
  rig.take();
  at.push(rig.feed.now);
  await ask('192.0.2.3');
  house.pass(20);
  await house.ask('github.com', 'A', BUILDER);
  rig.take();
  const given = rows(rig, 'SELECT address, first, last FROM answer ORDER BY address');
  t.strictSame(
    given.map(({ address }) => address),
    ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
  );
  t.equal(given[0]!['last'], at[0], 'the other order is no other answer');
  t.ok((given[2]!['last'] as number) >= at[0]! + 20_000 - 1, 'an answer of the cache counts');
});

t.test('a kill at any moment loses nothing and counts nothing twice', async (t) => {
  for (const moment of ['before the worker', 'after the worker', 'between']) {
    const rig = new HistoryRig(t, POLICY);
    const { house } = rig.feed;
    let asked = 0;
    const ask = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++, asked++) await house.ask(`n${i % 3}.example`, 'A', BUILDER);
    };
    for (let round = 0; round < 6; round++) {
      await ask(7);
      if (moment !== 'before the worker') rig.take();
      if (moment === 'between') await ask(5);
      rig.begin();
      rig.open();
      await ask(2);
    }
    rig.take();
    const [sum] = rows(rig, 'SELECT sum(count) AS sum, count(*) AS rows FROM question');
    t.strictSame({ ...sum }, { sum: asked, rows: 3 }, moment);
    t.match(rows(rig, 'SELECT complete FROM lease'), [{ complete: 1 }]);
  }
});

/** Sums what was asked, and what is counted. */
function sums(rig: HistoryRig): Row {
  return rows(
    rig,
    'SELECT sum(count) AS asked, sum(folded = 0) AS own, sum(folded = 1) AS domains, sum(folded = 2) AS others FROM question',
  )[0]!;
}

t.test(
  'a lease with very many names has rows of 2,000, then of domains, and each is counted',
  async (t: Test) => {
    const rig = new HistoryRig(t, POLICY);
    const { house } = rig.feed;
    const all = Number(process.env['NAMEGATE_TEST_NAMES'] ?? 8_000);
    for (let i = 0; i < all; i++) {
      const domain = i % 4 === 0 ? `d${i % 400}.co.uk` : 'evil.example';
      await house.ask(`n${i}.${domain}`, 'A', BUILDER);
      if (i % 1_000 === 0) rig.feed.take();
    }
    rig.take();
    const { asked, own, domains, others } = sums(rig);
    t.equal(asked, all);
    t.equal(own, 2_000);
    t.ok((domains as number) >= 101 && (domains as number) <= 2_000, `${domains} domains`);
    t.ok((others as number) <= 1);
    t.match(rows(rig, 'SELECT complete, names FROM lease'), [{ complete: 1, names: 2_000 }]);
  },
);

t.test('what has no room in the ring is said of whoever was live then', async (t) => {
  const rig = new HistoryRig(t, POLICY);
  const { house } = rig.feed;
  await house.ask('before.example', 'A', TESTER);
  rig.take();
  const room = rig.feed.ringWriter.hasRoom.bind(rig.feed.ringWriter);
  rig.feed.ringWriter.hasRoom = () => false;
  await house.ask('lost.example', 'A', TESTER);
  await house.ask('before.example', 'A', TESTER);
  rig.feed.ringWriter.hasRoom = room;
  rig.take();
  t.strictSame(questions(rig), ['tester 127.0.0.2 before.example 1 deny 2']);
  t.match(rows(rig, 'SELECT complete, missing FROM lease'), [{ complete: 0, missing: /no room/ }]);
});

t.test('old accounts go, and those of today stay', async (t) => {
  const rig = new HistoryRig(t, POLICY, { keep: 86_400_000, size: 2 ** 30 });
  const { house } = rig.feed;
  await house.ask('github.com', 'A', BUILDER, { answer: ['github.com 1 A 192.0.2.1'] });
  await house.ask('old.example', 'A', BUILDER);
  rig.take();
  house.pass(3 * 86_400);
  await house.ask('new.example', 'A', BUILDER);
  rig.take();
  house.pass(100);
  rig.take();
  t.strictSame(questions(rig), ['builder 127.0.0.1 new.example 1 deny 1']);
  t.strictSame(
    rows(rig, 'SELECT text FROM name').map(({ text }) => text),
    ['new.example'],
  );
  t.strictSame(rows(rig, 'SELECT * FROM given'), []);
  await house.ask('new.example', 'A', BUILDER);
  await house.ask('old.example', 'A', BUILDER);
  rig.take();
  t.strictSame(questions(rig), [
    'builder 127.0.0.1 new.example 1 deny 2',
    'builder 127.0.0.1 old.example 1 deny 1',
  ]);
});

t.test('a lease that ran out, was refused something and has no reader is told once', async (t) => {
  const rig = new HistoryRig(t, POLICY);
  const { house, ringWriter } = rig.feed;
  const note = (what: string, id: string): void => {
    const at = rig.feed.now;
    ringWriter.note(
      JSON.stringify({ note: 'lease', what, at, id, identity: 'builder', owner: 'team-a', opened: at }),
    );
  };
  const lease = async (id: string, address: number, name: string): Promise<void> => {
    note('opened', id);
    const addresses = [parsePrefix(`127.0.1.${address}`) as Prefix];
    const rest = {
      stage: null,
      job: null,
      quarantine: 0,
      sourceEnforced: false,
      known: true,
      certificate: null,
    };
    house.leases.open(
      { id, identity: 'builder', addresses, endsAt: house.now + 600_000, ...rest },
      house.now,
    );
    await house.ask(
      name,
      'A',
      { from: `127.0.1.${address}`, port: 5_000 },
      { answer: ['github.com 60 A 192.0.2.7'] },
    );
  };
  await lease('le-refused', 1, 'evil.example');
  await lease('le-read', 2, 'evil.example');
  await lease('le-good', 3, 'github.com');
  await lease('le-ended', 4, 'evil.example');
  for (const id of ['le-refused', 'le-read', 'le-good']) note('expired', id);
  note('ended', 'le-ended');
  rig.take();
  const accounts = rig.history.answer({ what: 'accounts', by: 'lease', value: 'le-read', since: 0 }) as {
    number: number;
  }[];
  t.strictSame(rig.history.unreported(rig.feed.now), [], 'there is time');
  rig.history.answer({ what: 'rows', accounts: accounts.map(({ number }) => number), since: 0 });
  house.pass(700);
  const [one, ...more] = rig.history.unreported(rig.feed.now);
  t.strictSame(one, { lease: 'le-refused', identity: 'builder', owner: 'team-a', names: ['evil.example'] });
  t.strictSame(more, []);
  house.pass(700);
  t.strictSame(rig.history.unreported(rig.feed.now), [], 'once');
});

t.test('whoever lived while the history was off has no complete account', async (t) => {
  const rig = new HistoryRig(t, POLICY);
  await rig.feed.house.ask('before.example', 'A', TESTER);
  rig.take();
  rig.history.close();
  noteOff(rig.folder);
  rig.open();
  await rig.feed.house.ask('after.example', 'A', TESTER);
  rig.take();
  t.match(rows(rig, 'SELECT complete, missing FROM lease'), [{ complete: 0, missing: /was off/ }]);
  rig.history.close();
  rig.open();
  await rig.feed.house.ask('other.example', 'A', BUILDER);
  rig.take();
  t.match(rows(rig, 'SELECT complete FROM lease ORDER BY number'), [{ complete: 0 }, { complete: 1 }]);
});

t.test('a damaged history is kept aside, and another is begun', async (t) => {
  const rig = new HistoryRig(t, POLICY);
  await rig.feed.house.ask('before.example', 'A', TESTER);
  rig.take();
  rig.history.close();
  for (const end of ['-wal', '-shm']) rmSync(`${rig.path}${end}`, { force: true });
  writeFileSync(rig.path, 'no database '.repeat(2_000));
  rig.open();
  t.match(rig.damages, [/not a database/]);
  t.ok(existsSync(`${rig.path}.damaged-1`));
  await rig.feed.house.ask('before.example', 'A', TESTER);
  rig.take();
  t.strictSame(questions(rig), ['tester 127.0.0.2 before.example 1 deny 1']);
});

t.test('a clock that jumps loses no question and counts none twice', async (t) => {
  for (const days of [-10, -1, 1, 10]) {
    const rig = new HistoryRig(t, POLICY);
    const { house } = rig.feed;
    let asked = 0;
    for (const jump of [0, days, -days, days]) {
      house.epoch += jump * 86_400;
      for (let i = 0; i < 6; i++, asked++) await house.ask(`n${i % 3}.example`, 'A', BUILDER);
      rig.take();
    }
    t.equal(sums(rig)['asked'], asked, `${days} days`);
    t.strictSame(rows(rig, 'SELECT number FROM asked WHERE last < first'), [], `${days} days`);
    t.notOk(
      rows(rig, 'SELECT complete FROM lease').some(({ complete }) => complete !== 1),
      `${days} days`,
    );
  }
});
