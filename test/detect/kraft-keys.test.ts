import t from 'tap';
import { END, UNITS_A_BIT } from '../../src/detect/charge.ts';
import { HOLDER, type Holder } from '../../src/detect/holder.ts';
import { Ledger } from '../../src/detect/ledger.ts';
import { billOf } from './build.ts';

/**
 * Kraft's sum for every key of a client at once, through the code that charges: two leases of one claim in turn, a wildcard
 * and a wider one, new names and repeats, validators' questions, and CD. For each key, whoever reads upstream tells apart
 * what was charged to that key: its names, their moments, types and CD. The sum of 2^-bits over all that can be told apart
 * must be at most 1, whatever the other keys were charged, and whichever lease asked.
 */

const FAR = 1e9;
const TYPES = 1;
/** Types of the rule, DS and DNSKEY, each with CD and without: each has the same price. */
const KINDS = 2 * (TYPES + 2);
const ASKED = [
  { name: 'a.t.example', base: 't.example', wider: [], trust: false },
  { name: 'b.t.example', base: 't.example', wider: [], trust: false },
  { name: 'a.in.t.example', base: 'in.t.example', wider: ['t.example'], trust: false },
  { name: 'x', base: 't.example', wider: [], trust: true },
  { name: 'y.z', base: 'in.t.example', wider: ['t.example'], trust: true },
] as const;
const WAITS = [0, 2];

interface Step {
  readonly which: number;
  readonly tick: number;
  readonly lease: string;
}

/** The keys' own names: what a step is charged to. */
function keysOf({ which, lease }: Step): string[] {
  const { base, wider } = ASKED[which]!;
  return [
    ...[base, ...wider].flatMap((one) => [`${lease} ${one}`, `claim ${one}`, `identity ${one}`]),
    'identity',
  ];
}

function keyOf({ kind, subject, base }: Holder): string {
  const zone = base.length === 0 ? '' : base.length === 11 ? ' t.example' : ' in.t.example';
  return kind === HOLDER.LEASE ? subject + zone : kind === HOLDER.CLAIM ? `claim${zone}` : `identity${zone}`;
}

const LEASES = ['l1', 'l2'];
/** Before what is summed over: each key was charged once, so that the next wait is counted from there. */
const BEFORE = LEASES.flatMap((lease) =>
  ['h.t.example', 'h.in.t.example'].map((name) => ({ name, base: name.slice(2), lease })),
);

/** A ledger after what came before, with little room: thousands of them are made. */
function begun(): Ledger {
  const ledger = new Ledger(64, 1 << 20);
  for (const { name, base, lease } of BEFORE)
    pay(ledger, { name, base, wider: base === 't.example' ? [] : ['t.example'], trust: false }, lease, 1);
  return ledger;
}

function pay(
  ledger: Ledger,
  asked: { name: string; base: string; wider: readonly string[]; trust: boolean },
  lease: string,
  tick: number,
): void {
  const accounts = [
    [HOLDER.LEASE, lease, 0, FAR],
    [HOLDER.CLAIM, '10.0.0.1', 0, FAR],
    [HOLDER.WILDCARD, 'build', 0, FAR],
    [HOLDER.IDENTITY, 'build', 0, FAR],
  ] as const;
  if (!ledger.charge(billOf({ ...asked, types: TYPES, accounts }), tick)) throw new Error('refused');
}

t.test('for every key the sum over all that can be told apart is at most 1', async (t) => {
  const before = new Map([...begun().holders.all()].map((holder) => [keyOf(holder), holder.balance(1)]));
  t.equal(before.size, 9, 'two leases, the claim and the identity with two wildcards each, and the identity');
  /** By key, what was seen of it, and the most that it weighs. */
  const seen = new Map(
    [...before.keys()].map((key) => [key, new Map([['', 2 ** (-END / UNITS_A_BIT)]])] as const),
  );
  let sequences = 0;
  function judge(steps: readonly Step[]): void {
    sequences++;
    const ledger = begun();
    for (const { which, tick, lease } of steps) pay(ledger, ASKED[which]!, lease, tick);
    const end = steps.at(-1)!.tick;
    for (const holder of ledger.holders.all()) {
      const key = keyOf(holder);
      const own = steps.filter((step) => keysOf(step).includes(key));
      const units = holder.balance(end) - before.get(key)! + END;
      const weight = 2 ** (-units / UNITS_A_BIT) * KINDS ** own.length;
      const told = own.map(({ which, tick }) => `${which}@${tick}`).join(' ');
      const weights = seen.get(key)!;
      weights.set(told, Math.max(weights.get(told) ?? 0, weight));
    }
  }
  // Which lease asks is nothing that an upstream sees: one alone, or two in turn.
  function walk(steps: readonly Step[], depth: number, leases: readonly string[]): void {
    if (steps.length > 0) judge(steps);
    if (depth === 0) return;
    const lease = leases[depth % leases.length]!;
    const before = steps.at(-1)?.tick ?? 1;
    for (const which of ASKED.keys())
      for (const wait of WAITS) walk([...steps, { which, tick: before + wait, lease }], depth - 1, leases);
  }
  walk([], 3, ['l1']);
  walk([], 3, LEASES);
  t.ok(sequences > 2_000, `${sequences} sequences`);
  for (const [key, weights] of seen) {
    let sum = 0;
    for (const weight of weights.values()) sum += weight;
    t.ok(sum <= 1, `${key}: ${sum} over ${weights.size}`);
    t.ok(sum > 0.5, 'its end alone has a half');
  }
});

t.test('repeats alone: all that a key remembers, again and again, weigh at most a half', async (t) => {
  for (const remembered of [1, 3, 1024]) {
    const ledger = new Ledger();
    const accounts = [[HOLDER.LEASE, 'l1', 0, FAR]] as const;
    for (let i = 0; i < remembered; i++)
      ledger.charge(billOf({ name: `r${i}.t.example`, types: TYPES, accounts }), 1);
    let sum = 0;
    for (let i = 0; i < remembered; i++) {
      for (let wait = 0; wait < 64; wait++) {
        ledger.quote(billOf({ name: `r${i}.t.example`, types: TYPES, accounts }), 1 + wait);
        sum += KINDS * 2 ** (-ledger.cost / UNITS_A_BIT);
      }
    }
    t.ok(sum <= 0.25, `${remembered}: ${sum}`);
  }
});

t.test('what lies under no base, as where a redirect leads, costs all its octets', async (t) => {
  const ledger = new Ledger();
  const accounts = [[HOLDER.LEASE, 'l1', 0, FAR]] as const;
  const costOf = (name: string, base: string): number => {
    ledger.quote(billOf({ name, base, accounts }), 1);
    return ledger.cost;
  };
  const under = costOf('abc.t.example', 't.example');
  for (const [name, base] of [
    ['abc', 'a-base-that-is-longer-than-the-name.t.example'],
    ['abc', 't.example'],
    // A base's octets at the end of a label are no base.
    ['t', 'xt'],
  ] as const)
    t.ok(costOf(name, base) > 0, `${name} ${base}`);
  t.equal(costOf('abc', 't.example'), under, 'as many octets as it has in front of the root');
  t.ok(costOf('a.xt.example', 't.example') > costOf('a.t.example', 't.example'));
});
