import { appendFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { GrantJournal } from '../../src/enforce/grant-journal.ts';
import { GrantOrigins } from '../../src/enforce/grant-origins.ts';
import type { GrantOrder } from '../../src/resolve/grants/grant-line.ts';

/** For what grants were given, and its journal. */

const who = { client: '10.0.0.1', identity: 'job', lease: null } as const;
const grant = (name: string, more: object = {}): GrantOrder => ({
  op: 'grant',
  ...who,
  name,
  chain: [],
  address: '192.0.2.1',
  ports: ['tcp/443'],
  ttl_ms: 60_000,
  rule: 'a.yaml:1',
  policy: '0',
  ...more,
});
const names = (origins: GrantOrigins, now: number): string[] =>
  [...origins.held(now, () => Number.POSITIVE_INFINITY)].map((held) =>
    held.certified ? `certified ${held.client}` : `${held.client} ${held.name} ${held.ttl_ms}`,
  );

function rig(t: Test, boot = 'this') {
  const said: string[] = [];
  const path = join(t.testdir({}), 'grants');
  const open = (now: number, start = boot) => {
    const origins = new GrantOrigins();
    const journal = new GrantJournal(path, start, (why) => said.push(why));
    journal.open(origins, now);
    t.teardown(() => journal.close());
    return {
      origins,
      journal,
      told: (...orders: GrantOrder[]) => {
        for (const order of orders) journal.append(origins.note(order, now));
      },
    };
  };
  return { path, said, open };
}

t.test('what was told is there again', async (t) => {
  const { path, open, said } = rig(t);
  const first = open(1_000);
  first.told(
    grant('a.example'),
    grant('b.example', { ttl_ms: 5_000 }),
    grant('c.example'),
    grant('a.example', { ttl_ms: 10 }),
    grant('d.example', { client: '10.0.0.2' }),
    { op: 'revoke', ...who, name: 'c.example', address: '192.0.2.1', ports: ['tcp/443'] },
    { op: 'live', ...who, client: '10.0.0.3', ttl_ms: 9_000, certified: true },
    { op: 'live', ...who, ttl_ms: 9_000 },
    { op: 'end', ...who, client: '10.0.0.2', quarantine_ms: 0 },
  );
  const wanted = ['10.0.0.1 a.example 59000', '10.0.0.1 b.example 4000', 'certified 10.0.0.3'];
  t.same(names(first.origins, 2_000), wanted, 'a shorter grant takes no time from a longer');
  // A kill in the middle of a line, and what was never a line.
  appendFileSync(
    path,
    'null\n[]\n{"op":"grant","client":7}\n{"op":"grant","client":"10.0.0.9","until":9e9}\n{"op":"gr',
  );
  t.same(names(open(2_000).origins, 2_000), wanted);
  const later = open(8_000);
  t.same(names(later.origins, 8_000), ['10.0.0.1 a.example 53000', 'certified 10.0.0.3']);
  later.told(grant('e.example'));
  t.same(names(open(8_000).origins, 8_000).length, 3, 'what is added behind a torn line counts');
  t.same(
    names(open(8_000, 'another').origins, 8_000),
    [],
    'after another start of the machine the kernel is empty',
  );
  t.same(said, []);
});

t.test('what the kernel has not is not held', async (t) => {
  const origins = new GrantOrigins();
  origins.note(grant('a.example'), 0);
  t.same([...origins.held(0, () => 0)], []);
  t.match([...origins.held(0, () => 700)], [{ ttl_ms: 700 }], 'and no longer than the kernel has it');
});

t.test('it does not grow beyond what there is', async (t) => {
  const { path, open } = rig(t);
  const { origins, journal, told } = open(0);
  for (let i = 0; i < 12_000; i++) told(grant('a.example', { ttl_ms: i + 1 }));
  const before = readFileSync(path).length;
  journal.tidy(origins);
  t.equal(readFileSync(path, 'utf8').split('\n').length, 3);
  t.ok(before > 1_000_000);
});

t.test('nobody is led elsewhere, and a journal that cannot be written is told of once', async (t) => {
  const { path, open, said } = rig(t);
  const other = join(t.testdir({ other: 'precious' }), 'other');
  symlinkSync(other, path);
  const { told } = open(0);
  told(grant('a.example'));
  t.equal(readFileSync(other, 'utf8'), 'precious');
  t.equal(names(open(0).origins, 0).length, 1);
  const nowhere = new GrantJournal(join(other, 'grants'), 'this', (why) => said.push(why));
  const origins = new GrantOrigins();
  nowhere.open(origins, 0);
  nowhere.append(origins.note(grant('a.example'), 0));
  nowhere.tidy(origins);
  t.match(said, [/ENOTDIR/]);
  writeFileSync(path, 'x'.repeat(1000));
  t.same(names(open(0).origins, 0), []);
});
