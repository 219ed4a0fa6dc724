/** A short run of both oracles, and proof that they find what is wrong. `npm run test:oracle` is the long run. */
import t from 'tap';
import type { PolicyInput } from '../../src/policy/input.ts';
import type { Snapshot } from '../../src/policy/snapshot.ts';
import { amount } from '../amount.ts';
import { compareBindings } from './bindings.ts';
import { type Compiling, compileInPlace, compileInput } from './compare.ts';
import { compileFromFiles } from './from-files.ts';
import { toInput } from './layout.ts';
import { watchForLeaks } from './leak.ts';
import { consult } from './oracle.ts';

const SEED = Number(process.env['NAMEGATE_TEST_SEED'] ?? 20_261_121);

t.test('the compiled policy and the slow reference say the same', async (t) => {
  const wanted = amount(30_000, 60_000);
  const fromFiles = compileFromFiles(t.testdir());
  const { failure, seen, questions } = await consult({
    questions: wanted,
    seed: SEED,
    how: (index) => (index % 20 === 0 ? fromFiles : compileInPlace),
  });
  t.equal(failure, null);
  t.equal(questions, wanted);
  t.comment(JSON.stringify(seen));
  for (const [what, count] of Object.entries(seen))
    t.ok(count > wanted / 2000, `${count} × ${what}, of each seventh question`);
});

t.test(
  'a policy that is compiled otherwise than it is written is found, and cut to what matters',
  async (t) => {
    const bent: Record<string, (input: PolicyInput) => PolicyInput> = {
      'exceptions that end at `only`': (input) => ({
        ...input,
        identities: input.identities.map((identity) => ({
          ...identity,
          exceptions: identity.stages.length > 0 ? [] : identity.exceptions,
        })),
      }),
      'stages that all add': (input) => ({
        ...input,
        identities: input.identities.map((identity) => ({
          ...identity,
          stages: identity.stages.map((stage) => ({ ...stage, kind: 'allow' as const })),
        })),
      }),
      'rules that end a second late': (input) => ({
        ...input,
        destinations: input.destinations.map((destination) => ({
          ...destination,
          rules: destination.rules.map((rule) => ({
            ...rule,
            terms: { ...rule.terms, until: Math.min(rule.terms.until + 1, 0xffff_ffff) },
          })),
        })),
      }),
      'records that nobody sees': (input) => ({ ...input, records: [] }),
    };
    for (const [what, bend] of Object.entries(bent)) {
      const how: Compiling = (policy, layout, salt) => compileInput(bend(toInput(policy, layout)), salt);
      const { failure } = await consult({ questions: 20_000, seed: SEED, how: () => how });
      t.match(failure, /^seed \d+, policy \d+: /, what);
      // One identity, one rule or local name, and what the file must have.
      t.ok((failure ?? '').split('\n').length < 30, failure ?? 'nothing was found');
    }
  },
);

t.test('a difference in who is asking is found', async (t) => {
  const how: Compiling = (policy, layout, salt): Snapshot => {
    const snapshot = compileInPlace(policy, layout, salt);
    return {
      ...snapshot,
      addresses: { ...snapshot.addresses, owner4: snapshot.addresses.owner4.map(() => -1) },
    };
  };
  const { failure } = await consult({ questions: 20_000, seed: SEED, how: () => how });
  t.match(failure, /identity: unknown, not i\d/);
});

t.test('leases, on addresses and certificates, bind whom the slow reference says', async (t) => {
  const { failure, seen } = compareBindings(2000, SEED);
  t.equal(failure, null);
  t.ok(
    Object.values(seen).every((count) => count > 100),
    JSON.stringify(seen),
  );
});

t.test('a question that left rightly is brought to its end after a lease took its asker away', async (t) => {
  const { failure } = await watchForLeaks({ questions: 2000, reloads: 30, seed: 12 });
  t.equal(failure, null);
});

t.test('two identities, lying answers and 60 reloads: nothing leaks in 4,000 questions', async (t) => {
  const { failure, counts } = await watchForLeaks({ questions: 4000, reloads: 60, seed: SEED });
  t.equal(failure, null);
  t.match(counts, { asked: 4000, reloads: 60 });
  t.ok(
    counts.answered > 200 &&
      counts.upstream > 500 &&
      counts.later > 50 &&
      counts.renewed > 100 &&
      counts.leases > 80,
    JSON.stringify(counts),
  );
});
