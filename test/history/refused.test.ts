import t from 'tap';
import type { AccountFacts } from '../../src/history/questions.ts';
import type { RefusedFacts } from '../../src/history/refused-rows.ts';
import { reportOf } from '../../src/history/report.ts';
import { directOf, mergeDirect } from '../../src/history/report-direct.ts';
import type { DirectNote } from '../../src/resolve/grants/direct-note.ts';
import { policy } from '../resolve/policy.ts';
import { HistoryRig } from './rig.ts';

const POLICY = policy({ job: { from: ['192.0.2.0/24'], allow: ['a.example'] } });
const TERMS = {
  search: [],
  auditUntil: null,
  ask: 'team',
  dependencies: [],
  nearBudget: [],
  typeToText: String,
};

function noteOf(rig: HistoryRig, some: Partial<DirectNote> = {}): DirectNote {
  return {
    note: 'direct',
    at: rig.feed.now,
    client: '192.0.2.7',
    network: '192.0.2.7',
    identity: 'job',
    owner: 'team',
    lease: null,
    job: null,
    proven: true,
    address: '203.0.113.1',
    protocol: 'tcp',
    port: 443,
    count: 1,
    granted: null,
    ...some,
  };
}

function tell(rig: HistoryRig, note: DirectNote): void {
  rig.feed.writer.note(note, note.identity, 0);
}

const accountsOf = (rig: HistoryRig): AccountFacts[] =>
  rig.history.answer({ what: 'accounts', by: 'identity', value: 'job', since: 0 }) as AccountFacts[];
const refusedOf = (rig: HistoryRig, { number }: AccountFacts): RefusedFacts[] =>
  rig.history.answer({ what: 'refused', accounts: [number], since: 0 }) as RefusedFacts[];

t.test('what the firewall refused stands in the account of the lease', async (t) => {
  const rig = new HistoryRig(t, POLICY);
  tell(rig, noteOf(rig, { lease: 'le-1', job: { run: '7' }, count: 2 }));
  tell(rig, noteOf(rig, { lease: 'le-1', job: { run: '7' }, granted: 'a.example' }));
  tell(rig, noteOf(rig, { lease: 'le-1', protocol: 'icmp', port: null }));
  tell(rig, noteOf(rig, { lease: 'le-1', address: null, protocol: null, port: null, count: 40 }));
  tell(rig, noteOf(rig, { client: '192.0.2.8', network: '192.0.2.8' }));
  rig.take();
  const accounts = accountsOf(rig);
  t.same(accounts.map(({ id, client }) => id ?? client).sort(), ['192.0.2.8', 'le-1']);
  const own = accounts.find(({ id }) => id === 'le-1')!;
  const facts = refusedOf(rig, own);
  t.match(facts, [
    { address: '', count: 40 },
    { address: '203.0.113.1', protocol: 'tcp', port: 443, proven: 1, name: 'a.example', count: 3 },
    { address: '203.0.113.1', protocol: 'icmp', port: 0, count: 1 },
  ]);
  const report = reportOf([own], [], TERMS, facts);
  t.match(report.direct, { proven: 3, unproven: 0, packets: 44 });
  t.match(report.verdict, /3 addresses tried that no answer gave/);
  t.notOk('direct' in reportOf([own], [], TERMS, []), 'nothing is said where nothing was refused');
});

t.test('an account has so many places, and counts the rest', async (t) => {
  const rig = new HistoryRig(t, POLICY);
  for (let port = 1; port <= 700; port++) tell(rig, noteOf(rig, { port }));
  rig.take();
  const [own] = accountsOf(rig);
  const facts = refusedOf(rig, own!);
  t.equal(facts.length, 501);
  t.equal(
    facts.reduce((sum, { count }) => sum + count, 0),
    700,
  );
  t.equal(directOf(facts)!.rows.length, 100, 'a report shows fewer');
});

t.test('the same place of two servers is one', async (t) => {
  const one = {
    address: '203.0.113.1',
    protocol: 'tcp',
    port: 443,
    proven: 1,
    name: null,
    first: 5,
    last: 6,
    count: 2,
  };
  const merged = mergeDirect([directOf([one]), undefined, directOf([{ ...one, first: 1, count: 3 }])]);
  t.match(merged, { proven: 1, packets: 5, rows: [{ count: 5, first: new Date(1).toISOString() }] });
  t.equal(mergeDirect([undefined]), undefined);
});
