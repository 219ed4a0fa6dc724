import t from 'tap';
import { lowerName } from '../../src/wire/name.ts';
import { House } from './house.ts';
import { newCharges, Ticks } from './ledger.ts';
import { wireName } from './records.ts';

/** What the admin API explains, beside all queries: of an identity, and of a lease with its stage and what it has spent. */

const POLICY = `
identities:
  - name: build
    owner: team
    review_by: 2027-01-01
    from: { addresses: [10.0.0.0/24] }
    allow: [{ name: "**.t.example", reason: test, budget: { alert: 16B, contain: 32B } }]
    stages:
      fetch: { allow: [{ name: pypi.example, reason: test }] }
      build: { only: [] }
`;
const FINE = { authority: ['t.example 60 SOA . . 1 1 1 1 60'] };

t.test('a lease is explained at its stage, with its own budget', async (t) => {
  const ticks = new Ticks();
  const charges = newCharges(ticks);
  const house = new House((content) => t.testdir(content), POLICY, { charges });
  const lease = (id: string, last: number, stage: string): void => {
    const word = 0x0a09_0000 + last;
    const opened = house.leases.open(
      {
        id,
        identity: 'build',
        stage,
        job: null,
        addresses: [{ family: 4, words: [word], length: 32 }],
        certificate: null,
        endsAt: house.now + 1e6,
        quarantine: 0,
        sourceEnforced: true,
        known: true,
      },
      house.now,
    );
    t.equal(opened, null);
  };
  lease('le-spent', 1, 'fetch');
  lease('le-fresh', 2, 'fetch');
  lease('le-later', 3, 'build');
  for (let i = 0; i < 20; i++) {
    ticks.tick++;
    await house.ask(`${'x'.repeat(9)}${i}.t.example`, 'A', { from: '10.9.0.1', transport: 'tcp' }, FINE);
  }
  const rows: [string | null, string | null, string, string, string | null][] = [
    ['le-spent', 'fetch', 'other.t.example', 'allow', 'contained'],
    ['le-fresh', 'fetch', 'other.t.example', 'allow', null],
    [null, 'fetch', 'other.t.example', 'allow', null],
    ['le-gone', 'fetch', 'other.t.example', 'allow', null],
    ['le-spent', 'fetch', 'xxxxxxxxx0.t.example', 'allow', 'no-data'],
    ['le-spent', 'fetch', 'pypi.example', 'allow', null],
    ['le-later', 'build', 'pypi.example', 'deny', null],
    ['le-later', 'build', 'other.t.example', 'deny', null],
  ];
  const before = house.asked.length;
  for (const [id, stage, name, verdict, state] of rows) {
    const explained = house.resolver.explain('build', stage, id, lowerName(wireName(name)), 1);
    t.match(explained, { verdict, state: state === null ? null : { kind: state } }, `${id} ${name}`);
  }
  t.equal(house.asked.length, before, 'nothing is asked');
  // The same question has the same end for whoever holds the lease.
  const told = await house.ask('other.t.example', 'A', { from: '10.9.0.1', transport: 'tcp' }, FINE);
  t.equal(house.asked.length, before, 'and nothing leaves');
  t.ok(told);
});
