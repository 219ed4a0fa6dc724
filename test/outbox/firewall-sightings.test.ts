import t from 'tap';
import type { Draft } from '../../src/outbox/draft.ts';
import { FindingLife } from '../../src/outbox/finding-life.ts';
import type { GuardNote } from '../../src/outbox/firewall-notes.ts';
import { directSighting, guardSighting } from '../../src/outbox/firewall-sightings.ts';
import type { DirectNote } from '../../src/resolve/grants/direct-note.ts';

const AT = Date.UTC(2026, 10, 20, 9, 30);
const DIRECT: DirectNote = {
  note: 'direct',
  at: AT,
  client: '192.0.2.7',
  network: '192.0.2.7',
  identity: 'job',
  owner: 'team',
  lease: 'le-1',
  job: { run: '7' },
  proven: true,
  address: '203.0.113.1',
  protocol: 'tcp',
  port: 443,
  count: 3,
  granted: 'shared.example',
};
const GUARD: GuardNote = {
  note: 'guard',
  at: AT,
  finding: 'enforce-down',
  over: false,
  key: 'the firewall',
  identity: '',
  owner: '',
  client: null,
  lease: null,
  name: null,
  text: null,
  open: false,
  count: 1,
};

t.test('packets to one place are one finding', async (t) => {
  const life = new FindingLife();
  const out: Draft[] = [];
  life.take(directSighting(DIRECT), out);
  life.take(directSighting({ ...DIRECT, count: 2, at: AT + 1_000 }), out);
  life.take(directSighting({ ...DIRECT, count: 1, at: AT + 2_000 }), out);
  life.flush(AT + 3_600_000, out);
  t.match(out, [
    {
      kind: 'finding',
      finding: 'direct-address',
      activity: 'create',
      severity: 'medium',
      identity: 'job',
      owner: 'team',
      lease: 'le-1',
      job: { run: '7' },
      client: '192.0.2.7',
      proven: true,
      addresses: ['203.0.113.1'],
      protocol: 'tcp',
      port: 443,
      granted_name: 'shared.example',
      key: '192.0.2.7 to 203.0.113.1 tcp/443',
      count: 3,
    },
    { activity: 'update', count: 3, total: 6 },
    { activity: 'close', total: 6 },
  ]);
  t.equal(new Set(out.map(({ uid }) => uid)).size, 1);
});

t.test('whoever tries everything is told of as one, and takes nothing of another', async (t) => {
  const life = new FindingLife();
  const out: Draft[] = [];
  for (let port = 1; port <= 1_000; port++) life.take(directSighting({ ...DIRECT, port, count: 1 }), out);
  life.take(directSighting({ ...DIRECT, address: null, protocol: null, port: null }), out);
  const created = out.filter(({ activity }) => activity === 'create');
  t.equal(created.length, 65);
  t.equal(created.at(-1)!.key, '192.0.2.7', 'by its address');
  t.ok(out.length < 90, `${out.length} events`);
  life.take(directSighting({ ...DIRECT, identity: 'other', client: '192.0.2.8' }), out);
  t.match(out.at(-1), { activity: 'create', identity: 'other', key: '192.0.2.8 to 203.0.113.1 tcp/443' });
  life.flush(AT + 3_600_000, out);
  const total = out
    .filter(({ activity }) => activity === 'close')
    .reduce((sum, each) => sum + (each.total ?? 0), 0);
  t.equal(total, 1_006, 'and nothing is lost');
});

t.test('protocols without ports, and unproven sources', async (t) => {
  const { draft, key } = directSighting({
    ...DIRECT,
    protocol: 'icmp',
    port: null,
    proven: false,
    lease: null,
    job: null,
  });
  t.equal(key(), '192.0.2.7 to 203.0.113.1 icmp');
  t.match(draft(), { proven: false, protocol: 'icmp' });
  t.notOk('port' in draft() || 'lease' in draft());
});

t.test('trouble of the firewall begins, lasts and is over', async (t) => {
  const life = new FindingLife();
  const out: Draft[] = [];
  life.take(guardSighting(GUARD), out);
  life.take(guardSighting({ ...GUARD, over: true, at: AT + 5_000 }), out);
  life.take(guardSighting({ ...GUARD, over: true, at: AT + 6_000 }), out);
  t.match(
    out.map(({ activity, severity }) => `${activity} ${severity}`),
    ['create operations', 'close operations'],
  );
  t.match(guardSighting({ ...GUARD, open: true }).draft(), { severity: 'high', text: /all the same/ });
  t.match(guardSighting({ ...GUARD, finding: 'grant-limit', identity: 'job', client: '192.0.2.7' }).draft(), {
    severity: 'medium',
    identity: 'job',
    client: '192.0.2.7',
  });
});
