import t, { type Test } from 'tap';
import { deltaBits, newNameCost, UNITS_A_BIT } from '../../src/detect/charge.ts';
import { HOLDER, LONGEST_WAIT } from '../../src/detect/holder.ts';
import { House } from './house.ts';
import { newCharges, Ticks } from './ledger.ts';

/**
 * What the type of a question costs where several rules could decide it. For every key that pays, all types without CD, DS
 * and DNSKEY too, may weigh a half together: else a client that picks its rule by the type tells more than it pays. The other
 * half is of questions with CD, which do not leave here.
 */

const TYPES = [
  'A',
  'AAAA',
  'CNAME',
  'TXT',
  'MX',
  'SRV',
  'CAA',
  'DS',
  'DNSKEY',
  'NS',
  'TYPE4711',
  'TYPE65280',
];
const NEW = 2 * UNITS_A_BIT + deltaBits(LONGEST_WAIT + 1) * UNITS_A_BIT;

function policyOf(rules: string, stages = ''): string {
  return `
identities:
  - name: build
    owner: team
    review_by: 2027-01-01
    from: { addresses: [10.0.0.0/24] }
    allow: [${rules}]
${stages}
  - name: other
    owner: team
    review_by: 2027-01-01
    from: { addresses: [10.0.1.0/24] }
    allow: [{ name: "**.t.example", reason: test, types: [A, TXT, MX, SRV, CAA, NS] }]
`;
}

function ruleOf(name: string, types: string): string {
  return `{ name: "${name}", reason: test${types === '' ? '' : `, types: [${types}]`} }`;
}

/** For each key that a question is charged to, what its type weighs: 2^-bits without those of its name and moment. */
async function weights(t: Test, policy: string, name: string, stages: readonly (string | null)[]) {
  /** By key, then by what its upstream can tell apart. */
  const seen = new Map<string, Map<string, number>>();
  for (const stage of stages) {
    for (const type of TYPES) {
      for (const cd of [false, true]) {
        const ticks = new Ticks();
        const charges = newCharges(ticks);
        const house = new House(t.testdir.bind(t), policy, { charges });
        if (stage !== null)
          house.leases.open(
            {
              id: 'lease-1',
              identity: 'build',
              stage,
              job: null,
              addresses: [{ family: 4, words: [0x0a00_0001], length: 32 }],
              certificate: null,
              endsAt: house.now + 1e6,
              quarantine: 0,
              sourceEnforced: true,
              known: true,
            },
            house.now,
          );
        void house.query(name, type, { from: '10.0.0.1', transport: 'tcp', cd, do: true });
        for (const holder of charges.ledger.holders.all()) {
          const base = Buffer.from(holder.base).toString('latin1');
          const all = holder.kind === HOLDER.IDENTITY;
          const front = name.length + 1 - (all ? 0 : holder.base.length - 1);
          const bits = (holder.balance(ticks.tick) - NEW - newNameCost(front)) / UNITS_A_BIT;
          const key = `${holder.kind} ${base}`;
          const own = seen.get(key) ?? new Map<string, number>();
          seen.set(key, own);
          own.set(house.questions[0]!, Math.max(own.get(house.questions[0]!) ?? 0, 2 ** -bits));
        }
      }
    }
  }
  return new Map([...seen].map(([key, own]) => [key, [...own.values()].reduce((sum, one) => sum + one, 0)]));
}

const CASES: Record<string, [string, string, readonly (string | null)[]]> = {
  'one rule': [policyOf(ruleOf('**.t.example', 'A, TXT')), 'x.t.example', [null]],
  'one rule of the usual types': [policyOf(ruleOf('*.t.example', '')), 'x.t.example', [null]],
  'two rules on one base': [
    policyOf([ruleOf('**.t.example', 'A, AAAA'), ruleOf('*.t.example', 'TXT, MX')].join(', ')),
    'x.t.example',
    [null],
  ],
  'a wildcard within a wildcard': [
    policyOf([ruleOf('**.t.example', 'A, TXT, SRV'), ruleOf('**.in.t.example', 'CAA')].join(', ')),
    'x.in.t.example',
    [null],
  ],
  'types with high numbers': [
    policyOf([ruleOf('**.t.example', 'TYPE4711'), ruleOf('*.t.example', 'TYPE65280, TYPE4711')].join(', ')),
    'x.t.example',
    [null],
  ],
  'one wildcard at two stages': [
    policyOf(
      ruleOf('**.t.example', 'A'),
      `    stages:
      fetch: { only: [${ruleOf('**.t.example', 'TXT, MX')}] }
      build: { only: [${ruleOf('*.t.example', 'CAA, SRV')}] }`,
    ),
    'x.t.example',
    ['fetch', 'build'],
  ],
};

for (const [what, [policy, name, stages]] of Object.entries(CASES)) {
  t.test(`for every key all types together weigh at most a half: ${what}`, async (t) => {
    const sums = await weights(t, policy, name, stages);
    t.ok(sums.size >= 4);
    for (const [key, sum] of sums) t.ok(sum <= 0.5 && sum > 0.2, `${key}: ${sum}`);
  });
}

t.test('the types of another identity cost nobody else', async (t) => {
  const sums = await weights(t, policyOf(ruleOf('**.t.example', 'A')), 'x.t.example', [null]);
  for (const sum of sums.values()) t.ok(sum > 0.49 && sum <= 0.5, `${sum}`);
});
