import t from 'tap';
import { END, REMEMBERED, UNITS_A_BIT } from '../../src/detect/charge.ts';
import { HOLDER, LONGEST_WAIT } from '../../src/detect/holder.ts';
import { Ledger } from '../../src/detect/ledger.ts';
import { billOf } from './build.ts';

/**
 * Kraft's sum over everything that a client can choose: every name of every length, wait, type and CD, and for how many
 * further hours each name that was paid for is asked for. Costs are those that the ledger quotes.
 */

const FAR = 1e9;
const ACCOUNT = [[HOLDER.LEASE, 'l1', 0, FAR]] as const;
const BASE = 't.example';
/** Octets in front of the base: 255 less `t.example.` in wire form. */
const MOST_OCTETS = 244;
const HOURS = 27;

/** 2^-bits, times 2^(8 a octet of `octets`): without that, the weight of the longest names is no number. */
function weightOf(
  ledger: Ledger,
  name: string,
  tick: number,
  { trust = false, types = 3, octets = 0 } = {},
): number {
  ledger.quote(billOf({ name, base: BASE, types, trust, accounts: ACCOUNT }), tick);
  return 2 ** (8 * octets - ledger.cost / UNITS_A_BIT);
}

/** Some labels of `octets` octets in wire form, 2 or more; the last label of two that end it has one character. */
function labelsOf(octets: number): string {
  const labels: string[] = [];
  for (let left = octets; left > 0; ) {
    const length = Math.min(63, left === 65 ? 62 : left - 1);
    labels.push('a'.repeat(length));
    left -= length + 1;
  }
  return labels.join('.');
}

/** How many names have so many octets, by their number, over 2^(8 a octet); a label's character is one of `characters`. */
function namesByOctets(most: number, characters: number): Float64Array {
  const names = new Float64Array(most + 1);
  names[0] = 1;
  for (let octets = 2; octets <= most; octets++)
    for (let label = 1; label <= Math.min(63, octets - 1); label++)
      names[octets]! += names[octets - label - 1]! * (characters / 256) ** label * 2 ** -8;
  return names;
}

/** Further hours of one name, as the ledger charges them: the sum over how many there are. */
function hoursWeight(): number {
  const ledger = new Ledger();
  const bill = billOf({ name: `a.${BASE}`, accounts: ACCOUNT });
  ledger.charge(bill, 1);
  const holder = [...ledger.holders.all()][0]!;
  const paid = holder.balance(1);
  let sum = 0;
  for (let hour = 0; hour <= HOURS; hour++) {
    sum += 2 ** (-(holder.balance(1) - paid) / UNITS_A_BIT);
    ledger.chargeUnits(bill, END, 1);
  }
  return sum;
}

t.test(
  'a question with all further hours of its name weighs at most a half, over all names there are',
  async (t) => {
    const hours = hoursWeight();
    t.ok(hours > 1.9 && hours <= 2, `hours: ${hours}`);
    const ledger = new Ledger();
    for (let i = 0; i < REMEMBERED; i++)
      ledger.charge(billOf({ name: `r${i}.${BASE}`, types: 3, accounts: ACCOUNT }), 1);
    const known = REMEMBERED * weightOf(ledger, `r0.${BASE}`, 1);
    const soon = weightOf(ledger, `new.${BASE}`, 1);
    let fresh = 0;
    const names = namesByOctets(MOST_OCTETS, 38);
    for (let octets = 2; octets <= MOST_OCTETS; octets++)
      fresh += names[octets]! * weightOf(ledger, `${labelsOf(octets)}.${BASE}`, 1);
    let trusted = 0;
    const targets = namesByOctets(254, 256);
    for (let octets = 0; octets <= 254; octets++) {
      if (octets === 1) continue;
      const name = octets === 0 ? '' : labelsOf(octets);
      trusted += targets[octets]! * weightOf(ledger, name, 1, { trust: true, octets });
    }
    // A wait costs as much for every name: here over all waits of a window, in classes of one price.
    let waits = 0;
    for (let least = 1; least <= LONGEST_WAIT + 1; least *= 2) {
      const many = Math.min(2 * least, LONGEST_WAIT + 2) - least;
      const [first, last] = [least - 1, least + many - 2].map((wait) =>
        weightOf(ledger, `new.${BASE}`, 1 + wait),
      );
      t.equal(first, last, `waits from ${least - 1} cost the same`);
      waits += (many * first!) / soon;
    }
    // That at once is a half of them at least.
    t.ok(waits > 1.8 && waits <= 2, `waits: ${waits}`);
    // The end's share is a half, and a validator's names are kept for nobody.
    for (const types of [1, 3, 7, 40]) {
      const kinds = 2 * (types + 2);
      const price =
        weightOf(new Ledger(), `new.${BASE}`, 1, { types }) / weightOf(new Ledger(), `new.${BASE}`, 1);
      const all = kinds * price * waits * (hours * (known + fresh) + trusted);
      t.ok(all <= 0.5, `${types} types: ${all}`);
      t.ok(all > 0.4, 'and it is nearly used up');
    }
  },
);

t.test('complete sequences with further hours: the sum over all that were paid is at most 1', async (t) => {
  const kinds = 2 * (1 + 2);
  let complete = 0;
  let sequences = 0;
  /** `many`: how many names there are in place of those of a sequence, each at the same price. */
  function walk(asked: readonly (readonly [string, number, number])[], depth: number, many: number): void {
    const ledger = new Ledger(8, 1 << 20);
    // Something was asked before, so that the next wait is counted from there.
    ledger.charge(billOf({ name: `h.${BASE}`, types: 1, accounts: ACCOUNT }), 1);
    const holder = [...ledger.holders.all()][0]!;
    const before = holder.balance(1);
    let tick = 1;
    for (const [name, wait, hours] of asked) {
      tick += wait;
      const bill = billOf({ name: `${name}.${BASE}`, types: 1, accounts: ACCOUNT });
      ledger.charge(bill, tick);
      for (let hour = 0; hour < hours; hour++) ledger.chargeUnits(bill, END, tick);
    }
    const spent = holder.balance(tick) - before + END;
    complete += 2 ** (-spent / UNITS_A_BIT) * kinds ** asked.length * many;
    sequences++;
    if (depth === 0) return;
    // One that is known stands for all that a key remembers.
    for (const [name, ofThem] of [
      ['ab', 1],
      ['h', REMEMBERED],
    ] as const)
      for (const wait of [0, 1])
        for (const hours of [0, 1, 3]) walk([...asked, [name, wait, hours]], depth - 1, many * ofThem);
  }
  walk([], 3, 1);
  t.ok(sequences > 1_800, `${sequences} sequences`);
  t.ok(complete <= 1 && complete > 0.6, `their sum is ${complete}`);
});
