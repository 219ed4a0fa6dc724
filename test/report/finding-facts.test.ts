import t from 'tap';
import { factsOf } from '../../src/report/finding-facts.ts';
import { findingsOf, type StoryFinding } from '../../src/report/findings.ts';
import { House, type QueryOptions } from '../resolve/house.ts';
import type { Script } from '../resolve/records.ts';

/** What a person needs besides a finding: who asked, under which rule, which address or target, and what to write. */

const POLICY = `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
      - { name: www.example, reason: test }
      - { name: mail.example, types: [MX], reason: test }
      - { name: moved.example, reason: test }
  - name: audited
    owner: team
    review_by: 2099-01-01
    mode: audit
    audit_until: 2027-01-01
    from: { addresses: [127.0.0.2] }
    allow: [{ name: mail.example, types: [MX], reason: test }]
redirects:
  - { name: moved.example, to: mirror.example }
`;
const JOB: QueryOptions = { from: '127.0.0.1' };
const AUDITED: QueryOptions = { from: '127.0.0.2' };
const inner = (name: string): Script => ({ answer: [`${name} 60 A 10.1.2.3`] });
const mail: Script = { answer: ['mail.example 60 MX 10 relay.example'] };

t.test('what stands beside each kind of finding', async (t) => {
  const rows: [string, string, QueryOptions, Script, string, object][] = [
    [
      'www.example',
      'A',
      JOB,
      inner('www.example'),
      'private-address',
      {
        client: '127.0.0.1',
        rule: /^rule www\.example \(.*policy\.yaml:7\)$/,
        address: '10.1.2.3',
        remedy: /^write private: true on rule www\.example \(/,
      },
    ],
    [
      'moved.example',
      'A',
      JOB,
      inner('mirror.example'),
      'private-address',
      { address: '10.1.2.3', remedy: 'write private: true on the redirect of moved.example' },
    ],
    [
      'mail.example',
      'MX',
      JOB,
      mail,
      'unapproved-target',
      { target: 'relay.example', remedy: 'approve relay.example too', rule: /mail\.example/ },
    ],
    ['evil.example', 'A', AUDITED, inner('evil.example'), 'would_deny', { reason: 'name not approved' }],
    ['mail.example', 'MX', AUDITED, mail, 'would_deny', { target: 'relay.example', remedy: undefined }],
    [
      'evil.example',
      'A',
      AUDITED,
      inner('evil.example'),
      'private-address',
      { rule: undefined, address: '10.1.2.3' },
    ],
  ];
  for (const [name, type, from, script, kind, wanted] of rows) {
    const house = new House((content) => t.testdir(content), POLICY);
    const told: [StoryFinding['kind'], Readonly<Record<string, unknown>>][] = [];
    const hear = (turn: Parameters<typeof findingsOf>[0], moment: 'decided' | 'ended'): void => {
      for (const finding of findingsOf(turn, moment)) told.push([finding.kind, factsOf(turn, finding.kind)]);
    };
    house.also = {
      decided: (turn) => hear(turn, 'decided'),
      overspent: () => {},
      ended: (turn) => hear(turn, 'ended'),
    };
    await house.ask(name, type, { ...from, transport: 'tcp' }, script);
    const facts = told.find(([each]) => each === kind)?.[1];
    t.match(facts, wanted, `${kind} of ${name}: ${JSON.stringify(told)}`);
    for (const [key, value] of Object.entries(wanted)) {
      if (value === undefined) t.notOk(facts !== undefined && key in facts, `${kind} of ${name}: no ${key}`);
    }
  }
});

t.test('a lease and its job, where the client has one', async (t) => {
  const house = new House((content) => t.testdir(content), POLICY);
  const job = { pipeline: '42' };
  house.leases.open(
    {
      id: 'le-7',
      identity: 'job',
      stage: null,
      job,
      addresses: [{ family: 4, words: [0x0a09_0001], length: 32 }],
      certificate: null,
      endsAt: house.now + 60_000,
      quarantine: 0,
      sourceEnforced: false,
      known: true,
    },
    house.now,
  );
  const told: object[] = [];
  house.onEnd = (turn) => {
    if (turn.end.finding !== null) told.push(factsOf(turn, turn.end.finding));
  };
  for (const from of ['10.9.0.1', '127.0.0.1'])
    await house.ask('www.example', 'A', { from, transport: 'tcp' }, inner('www.example'));
  t.match(told, [{ client: '10.9.0.1', lease: 'le-7', job }, { client: '127.0.0.1' }]);
  t.notOk('lease' in told[1]!, 'and no lease where there is none');
});
