import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { House } from './house.ts';
import { newCharges, Ticks } from './ledger.ts';

/** A day of ordinary builds raises nothing: no alert, no containment, no question refused. */

const FINE = { authority: ['example 300 SOA . . 1 1 1 1 300'] };
/** Hosts that an artifact store, a CDN or a telemetry zone gives to one job: the same few for all, and one of its own. */
const SHARED = [
  'pipelines',
  'results-receiver',
  'artifacts1',
  'artifacts2',
  'cache',
  'blob-0',
  'blob-1',
  'logs',
];

interface Day {
  readonly jobs: number;
  readonly wildcards: readonly string[];
  readonly exact: readonly string[];
}

async function dayOf(t: Test, { jobs, wildcards, exact }: Day): Promise<void> {
  const ticks = new Ticks();
  const charges = newCharges(ticks);
  const stars = wildcards.map((base) => `{ name: "*.${base}", shared_zone: accept }`);
  const names = [...stars, ...exact.map((name) => `"${name}"`)].join(', ');
  const policy = `
destinations:
  all: { owner: team, reason: builds, names: [${names}] }
`;
  const house = new House(
    (content) => t.testdir(content),
    `${policy}identities:
  - { name: build, owner: team, review_by: 2027-01-01, from: { addresses: [10.0.0.0/16] }, allow: [all] }
`,
    { charges },
  );
  const gap = 86_400 / jobs;
  let refused = 0;
  for (let job = 0; job < jobs; job++) {
    house.pass(gap);
    ticks.tick += Math.floor(gap * 100);
    // Twenty runners, one after the other.
    const from = `10.0.0.${(job % 20) + 1}`;
    house.leases.open(
      {
        id: `le-${job}`,
        identity: 'build',
        stage: null,
        job: null,
        addresses: [{ family: 4, words: [0x0a00_0001 + (job % 20)], length: 32 }],
        certificate: null,
        endsAt: house.now + 1e7,
        quarantine: 0,
        sourceEnforced: true,
        known: true,
      },
      house.now,
    );
    const asked = wildcards.flatMap((base, which) => [
      `${SHARED[(job + which) % SHARED.length]}.${base}`,
      `${SHARED[(job * 3 + which) % SHARED.length]}.${base}`,
    ]);
    // One host of this job alone, as object stores and runners have them.
    if (wildcards.length > 0) asked.push(`vm-${job.toString(16)}.${wildcards[job % wildcards.length]}`);
    // A burst as of npm install: many names that are written out, some of them again and again.
    for (let i = 0; i < 40 && exact.length > 0; i++) asked.push(exact[(job * 7 + i * i) % exact.length]!);
    for (const name of asked) {
      for (const type of ['A', 'AAAA']) {
        const reply = await house.ask(name, type, { from }, FINE);
        if (reply.rcode === 3) refused++;
      }
      ticks.tick += 2;
      house.pass(0.02);
    }
    house.leases.end(`le-${job}`, house.now);
    house.resolver.paid.sendDue(house.inForce, house.now, house.epoch);
    house.settleAll(FINE);
  }
  t.equal(refused, 0);
  t.ok(charges.ledger.holders.count > 0, 'it was charged');
  t.strictSame(
    charges.ledger.crossings.map(({ what, holder }) => `${what} ${holder.subject} ${holder.kind}`),
    [],
  );
}

t.test('a small day without data', async (t) => {
  const exact = Array.from({ length: 30 }, (_, i) => `host${i}.packages.example`);
  await dayOf(t, { jobs: 40, wildcards: ['actions.example', 'blob.example'], exact });
});

const DATA = process.env.NAMEGATE_DATA;
const file =
  DATA === undefined
    ? null
    : ['traffic/ci', 'ci'].map((folder) => join(DATA, folder, 'ecosystem-domains.tsv')).find(existsSync);
const skip = file == null ? 'NAMEGATE_DATA names no folder with ci/ecosystem-domains.tsv' : false;

t.test('a day of 200 jobs with the names that builds need', { skip }, async (t) => {
  const patterns = readFileSync(file!, 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t')[1] ?? '')
    .filter((name) => /^(\*\.)?[a-z0-9.-]+\.[a-z]+$/.test(name));
  const wildcards = [
    ...new Set(patterns.filter((name) => name.startsWith('*.')).map((name) => name.slice(2))),
  ];
  const exact = [...new Set(patterns.filter((name) => !name.startsWith('*.')))];
  t.ok(wildcards.length >= 5 && exact.length >= 300, `${wildcards.length} wildcards, ${exact.length} names`);
  await dayOf(t, { jobs: 200, wildcards: wildcards.slice(0, 5), exact: exact.slice(0, 300) });
});
