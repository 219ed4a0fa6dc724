import t from 'tap';
import { type AskedBy, explain, explanationLine } from '../../../src/policy/explain/explain.ts';
import { UNKNOWN } from '../../../src/policy/identity.ts';
import { typeFromText } from '../../../src/wire/iana.ts';
import { compiled, destination, entries, identity, NOW, rule, stage, types, wire } from '../build.ts';

/** Whoever asks why a name is denied gets what comes nearest, where it is written, and the next step. */

const of = { destination: 'forge', owner: 'security', reason: 'clone' };
const snapshot = compiled({
  destinations: [
    destination('forge', [
      rule('ended.example', { ...of, until: NOW - 60 }, 1),
      rule('*.gone.example', { ...of, until: NOW - 60 }, 2),
      rule('*.one.example', of, 3),
      rule('**.two.example', { ...of, maxLabels: 2, maxLabelLength: 8 }, 4),
      rule('n{0..9}.fam.example', of, 5),
      rule('typed.example', { ...of, types: types('TXT') }, 6),
      rule('both.example', { ...of, until: NOW - 60, types: types('MX') }, 7),
      rule('both.example', of, 8),
    ]),
    destination('later', [rule('later.example', { destination: 'later', owner: 'mirrors' }, 20)]),
  ],
  identities: [
    identity('job', {
      owner: 'team-job',
      allow: entries('=forge', rule('own.example', { owner: 'spot' }, 30)),
      stages: [
        stage('fetch', 'allow', rule('fetch.example', { owner: 'fetchers' }, 31)),
        stage('build', 'only', rule('build.example', { owner: 'builders' }, 32)),
        stage('release', 'allow', '=later'),
      ],
      exceptions: [
        rule(
          'vendor.example',
          { until: NOW - 60, owner: 'team-job', approvedBy: 'oncall', reason: 'CHG-1' },
          40,
        ),
      ],
    }),
    identity('other', { allow: entries(rule('others.example', {}, 50)) }),
  ],
});
const [job] = snapshot.identities;
const ENDED = new Date((NOW - 60) * 1000).toISOString().replace('.000Z', 'Z');

function line(name: string, type = 'A', at: string | null = null, asking: AskedBy = {}): string {
  const entered = at === null ? null : job!.stages.find((each) => each.name === at)!;
  const told = explain(snapshot, job!, entered, wire(name), typeFromText(type)!, NOW, asking);
  return explanationLine(told).replace(/^\S+ \S+: /, '');
}

const ROWS: readonly (readonly [string, string, string | null, string])[] = [
  [
    'ended.example',
    'A',
    null,
    `deny for job; rule ended.example of forge (policy.yaml:1) ended at ${ENDED}; ask security`,
  ],
  [
    'x.gone.example',
    'A',
    null,
    `deny for job; rule *.gone.example of forge (policy.yaml:2) ended at ${ENDED}; ask security`,
  ],
  ['y.x.gone.example', 'A', null, 'deny for job; name not approved; ask team-job'],
  [
    'vendor.example',
    'A',
    'build',
    `deny for job at stage build; rule vendor.example (policy.yaml:40) ended at ${ENDED}; ask oncall`,
  ],
  [
    'b.a.one.example',
    'A',
    null,
    'deny for job; name not approved; rule *.one.example of forge (policy.yaml:3) matches one label in front, and this name has more; ask security',
  ],
  [
    'one.example',
    'A',
    null,
    'empty for job; no data: approved names lie below it; rule *.one.example of forge (policy.yaml:3) wants a label in front of it; ask security',
  ],
  [
    'c.b.a.two.example',
    'A',
    null,
    'deny for job; name not approved; rule **.two.example of forge (policy.yaml:4) matches up to 2 labels in front, and this name has more; ask security',
  ],
  [
    'ninechars.two.example',
    'A',
    null,
    'deny for job; name not approved; rule **.two.example of forge (policy.yaml:4) matches labels of up to 8 octets, and one is longer; ask security',
  ],
  [
    'n10.fam.example',
    'A',
    null,
    'deny for job; name not approved; rule n{0..9}.fam.example of forge (policy.yaml:5) does not hold this number; ask security',
  ],
  ['x.fam.example', 'A', null, 'deny for job; name not approved; ask team-job'],
  [
    'typed.example',
    'A',
    null,
    'empty for job; type not approved, the rule approves TXT; rule typed.example of forge (policy.yaml:6): clone; owner security; ask security',
  ],
  [
    'both.example',
    'MX',
    null,
    `empty for job; type not approved, the rule approves A, AAAA, CNAME, HTTPS; rule both.example of forge (policy.yaml:7) ended at ${ENDED}; rule both.example of forge (policy.yaml:8): clone; owner security; ask security`,
  ],
  [
    'fetch.example',
    'A',
    null,
    'deny for job; approved at stage fetch by rule fetch.example (policy.yaml:31), and no lease says its stage; open a lease at stage fetch, or ask team-job',
  ],
  [
    'fetch.example',
    'A',
    'build',
    'deny for job at stage build; approved at stage fetch by rule fetch.example (policy.yaml:31), and it is at stage build; a lease does not go back to stage fetch: ask team-job',
  ],
  [
    'later.example',
    'A',
    'fetch',
    'deny for job at stage fetch; approved at stage release by rule later.example of later (policy.yaml:20), and it is at stage fetch; advance the lease to stage release, or ask team-job',
  ],
  [
    'own.example',
    'A',
    'build',
    'deny for job at stage build; approved at stage release by rule own.example (policy.yaml:30), and it is at stage build; advance the lease to stage release, or ask team-job',
  ],
  ['others.example', 'A', null, 'deny for job; name not approved; ask team-job'],
  ['com', 'A', null, 'deny for job; name not approved; ask team-job'],
];

t.test('what comes near, and the next step', async (t) => {
  for (const [name, type, at, expected] of ROWS) t.equal(line(name, type, at), expected, `${name} ${type}`);
});

t.test('the contact is asked where no rule says more', async (t) => {
  const asking = { contact: 'platform' };
  t.match(line('evil.example', 'A', null, asking), /; ask platform$/);
  t.match(line('vendor.example', 'A', null, asking), /; ask platform$/, 'not whose job it is');
  t.match(line('ended.example', 'A', null, asking), /; ask security$/);
  t.match(line('typed.example', 'A', null, asking), /; ask security$/);
  t.match(line('fetch.example', 'A', null, asking), /or ask team-job$/, 'who opens its leases');
});

t.test('a client that nobody has is told what is seen of it, and whom to ask', async (t) => {
  const unclaimed = 'namegate sees you as 192.0.2.7; no identity has it';
  const told = explain(snapshot, UNKNOWN, null, wire('a.example'), 1, NOW, {
    unclaimed,
    contact: 'platform',
  });
  t.equal(explanationLine(told), `a.example A: deny for unknown; ${unclaimed}; ask platform`);
  t.equal(told.ask, 'platform');
});

t.test('what comes near is sought for nobody who is unknown, and not in the rules of others', async (t) => {
  for (const { name } of [
    { name: 'ended.example' },
    { name: 'fetch.example' },
    { name: 'b.a.one.example' },
  ]) {
    const told = explain(snapshot, UNKNOWN, null, wire(name), 1, NOW);
    t.equal(told.reason, 'no identity claims this client');
    t.equal(told.rule, null);
  }
});
