import t from 'tap';
import { Rig } from '../outbox/rig.ts';
import { prefix } from '../policy/build.ts';
import { House } from './house.ts';
import { policy, rule } from './policy.ts';
import { why } from './why.ts';

/** A question that another stage of the same identity approves is refused as ever, and says where it is approved. */

const STAGES = [
  'stages:',
  '  fetch: { allow: [{ name: pypi.example, owner: net-team, reason: test }, { name: "**.cdn.example", owner: net-team, reason: test }, { name: 10.in-addr.arpa, types: [PTR], owner: net-team, reason: test }] }',
  '  build: { only: [{ name: build.example, types: [TXT], owner: net-team, reason: test }, { name: a.hub.example, owner: net-team, reason: test }] }',
  '  release: { allow: [{ name: build.example, types: [A], owner: net-team, reason: test }, { name: hub.example, owner: net-team, reason: test }, { name: "a\\\\000b.odd.example", owner: net-team, reason: test }, { name: "*.odd.example", owner: net-team, reason: test }] }',
];
const MORE = (...lines: string[]) => ({ allow: ['github.example'], more: [...STAGES, ...lines] });
const POLICY = policy({
  job: MORE('search: [corp.example]'),
  audited: MORE('mode: audit', 'audit_until: 2027-01-01'),
  plain: { allow: ['github.example', rule('**.wild.example')] },
});

/** Opens a lease for the identity's address. */
function lease(house: House, identity: string, address: string, stage: string): void {
  const opened = house.leases.open(
    {
      id: `l-${identity}`,
      identity,
      stage,
      addresses: [prefix(`${address}/32`)],
      certificate: null,
      job: null,
      endsAt: house.now + 100_000,
      quarantine: 0,
      sourceEnforced: false,
      known: true,
    },
    house.now,
  );
  if (opened !== null) throw new Error('in conflict');
}

/** Stage, name, type; RCODE and what the EDE says, or null for none. */
const ROWS: readonly (readonly [string, string, string, number, string | null])[] = [
  ['build', 'pypi.example', 'A', 3, 'approved at stage fetch'],
  ['release', 'pypi.example', 'A', 3, 'approved at stage fetch'],
  ['build', 'x.cdn.example', 'AAAA', 3, 'approved at stage fetch'],
  ['build', 'y.x.cdn.example', 'A', 3, 'approved at stage fetch'],
  ['build', 'pypi.example', 'MX', 3, 'name not approved'],
  ['build', 'github.example', 'A', 3, 'approved at stage release'],
  ['build', 'build.example', 'A', 0, 'approved at stage release'],
  ['build', 'build.example', 'MX', 0, 'type not approved'],
  ['build', 'hub.example', 'A', 0, 'approved at stage release'],
  ['build', 'hub.example', 'MX', 0, null],
  ['fetch', 'hub.example', 'A', 3, 'approved at stage release'],
  ['fetch', 'build.example', 'TXT', 3, 'approved at stage build'],
  ['fetch', 'pypi.example', 'MX', 0, 'type not approved'],
  ['fetch', 'evil.example', 'A', 3, 'name not approved'],
  [
    'build',
    'evil.cdn.example.corp.example',
    'A',
    3,
    'search-list miss, the name without the suffix is tried next',
  ],
  ['build', 'localhost', 'A', 0, null],
  ['build', 'use-application-dns.net', 'A', 3, 'special name'],
  ['build', 'x.com', 'A', 3, 'name not approved'],
];

t.test('EDE says where a question is approved', async (t) => {
  for (const [stage, name, type, rcode, said] of ROWS) {
    const house = new House(t.testdir.bind(t), POLICY);
    lease(house, 'job', '127.0.0.1', stage);
    const reply = await house.query(name, type, { from: '127.0.0.1', transport: 'tcp' });
    t.equal(reply.rcode, rcode, `${stage} ${name} ${type}`);
    const text = reply.ede[0]?.text ?? null;
    if (said === null) t.equal(text, null, `${stage} ${name} ${type}`);
    else t.match(text, new RegExp(`^job: ${said}; ask (team-a|net-team)$`), `${stage} ${name} ${type}`);
    t.same(house.asked, [], 'nothing leaves');
  }
});

t.test(
  'without a lease the first stage that approves is named, and whoever has no stages gets none',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    const ede = async (name: string, from: string) =>
      (await house.query(name, 'A', { from, transport: 'tcp' })).ede[0]?.text;
    t.equal(await ede('hub.example', '127.0.0.1'), 'job: approved at stage release; ask team-a');
    t.equal(await ede('hub.example', '127.0.0.3'), 'plain: name not approved; ask team-a');
    t.equal(await ede('pypi.example', '127.0.0.9'), 'namegate sees you as 127.0.0.9; no identity has it');
  },
);

t.test('the list that a stage leaves out', async (t) => {
  const text = policy({
    job: {
      allow: ['github.example'],
      more: ['stages:', '  build: { only: [] }', '  late: { only: [] }'],
    },
  });
  const feed = new Rig(t, text);
  lease(feed.house, 'job', '127.0.0.1', 'build');
  const reply = await feed.house.query('github.example', 'A', { from: '127.0.0.1', transport: 'tcp' });
  t.equal(reply.ede[0]?.text, 'job: not approved at this stage; ask team-a');
  const [event] = feed.take();
  t.match(event, { kind: 'deny', ground: 'other_stage', stage: 'build' });
  t.notOk(event !== undefined && 'approved_stage' in event);
});

t.test('over UDP the text is cut, and whom to ask is kept longest', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  lease(house, 'job', '127.0.0.1', 'build');
  const reply = await house.query('pypi.example', 'A', { from: '127.0.0.1' });
  t.match(reply.ede[0]?.text, /ask team-a$/);
  t.ok(reply.octets.length <= 3 * (12 + 14 + 4 + 11));
});

t.test('`_why` names the stage, the rule and the next step', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  lease(house, 'job', '127.0.0.1', 'fetch');
  t.match(
    await why(house, 'hub.example', { from: '127.0.0.1' }),
    /^hub\.example A: deny for job at stage fetch; approved at stage release by rule hub\.example .*; advance the lease to stage release, or ask team-a$/,
  );
});

t.test('the event says the ground and the stage', async (t) => {
  for (const [name, type, expected] of [
    ['pypi.example', 'A', { kind: 'deny', ground: 'other_stage', stage: 'build', approved_stage: 'fetch' }],
    [
      'build.example',
      'A',
      { kind: 'empty', ground: 'other_stage', approved_stage: 'release', rule: /yaml:\d+$/ },
    ],
    [
      'hub.example',
      'A',
      { kind: 'empty', ground: 'other_stage', approved_stage: 'release', rule: undefined },
    ],
    ['a\\000b.odd.example', 'A', { kind: 'deny', ground: 'other_stage', approved_stage: 'release' }],
    ['a\\001b.odd.example', 'A', { kind: 'deny', ground: 'nothing', approved_stage: undefined }],
  ] as const) {
    const feed = new Rig(t, POLICY);
    lease(feed.house, 'job', '127.0.0.1', 'build');
    await feed.house.query(name, type, { from: '127.0.0.1' });
    t.match(feed.take()[0], expected, name);
  }
  const feed = new Rig(t, POLICY);
  lease(feed.house, 'audited', '127.0.0.2', 'build');
  await feed.house.ask('pypi.example', 'A', { from: '127.0.0.2' });
  t.match(feed.take()[0], { kind: 'would_deny', ground: 'other_stage', approved_stage: 'fetch' });
});
