import t from 'tap';
import { type Dependency, dependenciesOf } from '../../../src/cli/history/dependency-table.ts';
import { viewRules } from '../../../src/cli/policy/patterns.ts';
import type { KeptFinding } from '../../../src/outbox/kept-findings.ts';
import { house } from '../../admin/house.ts';

/** The state of a dependency by its findings and its use. */

const NOW = Date.UTC(2026, 10, 20);
const HOUR = 3_600_000;

type Case = readonly [
  what: string,
  finding: readonly ['open' | 'closed', hours: number] | null,
  isUsed: boolean,
  state: Dependency['state'],
  failures: number,
];

const CASES: readonly Case[] = [
  ['it fails', ['open', 0], true, 'failing', 1],
  ['it fails for two days', ['open', 48], true, 'failing', 1],
  ['it failed an hour ago', ['closed', 1], true, 'failed', 1],
  ['it failed, and nobody used it', ['closed', 23], false, 'failed', 1],
  ['it failed two days ago', ['closed', 48], true, 'good', 0],
  ['it never failed', null, true, 'good', 0],
  ['nobody used it', null, false, 'unused', 0],
];

t.test('a dependency is failing, failed, good or unused', async (t) => {
  const { snapshot } = await house(t);
  const identity = snapshot.identities.find(({ name }) => name === 'build')!;
  const stage = identity.stages.find(({ name }) => name === 'release')!;
  const rule = viewRules(snapshot, [stage.view]).find(({ pattern }) => pattern === 'release.example')!;
  for (const [what, finding, isUsed, state, failures] of CASES) {
    const findings = (finding === null ? [] : [finding]).map(([kept, hours]) => ({
      identity: 'build',
      rule: `${rule.file}:${rule.line}`,
      key: 'release.example',
      names: [],
      state: kept,
      first: new Date(NOW - 50 * HOUR).toISOString(),
      last: new Date(NOW - hours * HOUR).toISOString(),
    })) as unknown as KeptFinding[];
    const use = { identity: 'build', stage: 'release', pattern: 'release.example', last: NOW, questions: 3 };
    const all = dependenciesOf(snapshot, [identity], isUsed ? [use] : [], findings, NOW);
    const of = all.filter((each) => each.patterns.includes('release.example'));
    t.equal(of.length, 1, what);
    t.match(of[0], { state, stage: 'release', questions: isUsed ? 3 : 0 }, what);
    t.equal(of[0]!.failures.length, failures, what);
    t.notOk(
      all.some((each) => each.stage === 'fetch' && each.failures.length > 0),
      `${what}: it is another stage's`,
    );
  }
});
