import t from 'tap';
import { GuardFindings } from '../../../src/assembly/firewall/guard-findings.ts';
import { LastNames } from '../../../src/assembly/firewall/last-names.ts';
import type { GuardNote } from '../../../src/outbox/firewall-notes.ts';

t.test('alike trouble is one note, and trouble of many clients one more', async (t) => {
  const notes: GuardNote[] = [];
  const guard = new GuardFindings((note) => notes.push(note));
  for (let i = 0; i < 3; i++) guard.saw('grant-missing', '192.0.2.7', { identity: 'job' });
  guard.flush(0);
  t.match(notes.splice(0), [
    { finding: 'grant-missing', key: '192.0.2.7', identity: 'job', count: 1, over: false },
    { count: 2 },
  ]);
  guard.flush(0);
  t.same(notes, [], 'told once');
  for (let i = 0; i < 1_000; i++) guard.saw('grant-limit', `client ${i}`, {});
  guard.flush(0);
  t.ok(notes.length <= 66);
  t.equal(
    notes.reduce((sum, { count }) => sum + count, 0),
    1_000,
  );
});

t.test('what lasts is told again until it is over', async (t) => {
  const notes: GuardNote[] = [];
  const guard = new GuardFindings((note) => notes.push(note));
  guard.ended('enforce-down');
  t.same(notes, [], 'what did not begin is not over');
  for (let now = 0; now <= 120_000; now += 2_000) {
    guard.lasts('enforce-down', {});
    guard.flush(now);
  }
  t.equal(notes.length, 3);
  guard.ended('enforce-down');
  t.match(notes.at(-1), { over: true, finding: 'enforce-down' });
  guard.flush(300_000);
  t.equal(notes.length, 4);
});

t.test('the last name of an address', async (t) => {
  const names = new LastNames();
  names.note(['192.0.2.1', '192.0.2.2'], 'one.example');
  names.note(['192.0.2.1'], 'two.example');
  t.equal(names.of('192.0.2.1'), 'two.example');
  t.equal(names.of('192.0.2.2'), 'one.example');
  t.equal(names.of('192.0.2.3'), null);
  for (let i = 0; i < 70_000; i++) names.note([`a${i}`], 'wildcard.example');
  t.equal(names.of('192.0.2.1'), null, 'what was granted longest ago goes');
  t.equal(names.of('a69999'), 'wildcard.example');
});
