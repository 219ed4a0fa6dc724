import t from 'tap';
import { END, UNITS_A_BIT } from '../../src/detect/charge.ts';
import { HOLDER } from '../../src/detect/holder.ts';
import { Ledger } from '../../src/detect/ledger.ts';
import { billOf } from './build.ts';

const FAR = 1e9;
/** A bound that nothing crosses, so that a cost can be read. */
const ACCOUNT = [[HOLDER.LEASE, 'l1', 0, FAR]] as const;
const CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789-_';

/** All names of at most two octets of text in front of the base: a label of one, a label of two, two labels of one. */
function shortNames(characters: string): string[] {
  const one = [...characters];
  const two = one.flatMap((a) => one.flatMap((b) => [a + b]));
  return [...one, ...two].map((front) => `${front}.t.example`);
}

/** What one more question weighs (2^-bits), as the ledger quotes it. */
function weight(ledger: Ledger, name: string, types: number, tick: number, trust = false): number {
  ledger.quote(billOf({ name, types, trust, accounts: ACCOUNT }), tick);
  return 2 ** (-ledger.cost / UNITS_A_BIT);
}

t.test('all that a client can ask next weighs at most a half, whatever it asked before', async (t) => {
  const ledger = new Ledger();
  let tick = 5;
  for (const history of [[], ['a'], ['a', 'b', 'c'], Array.from({ length: 1030 }, (_, i) => `n${i}`)]) {
    for (const front of history) {
      ledger.charge(billOf({ name: `${front}.t.example`, accounts: ACCOUNT }), tick);
      tick += 3;
    }
    for (const types of [1, 3]) {
      // One wait, one type with CD off: all names. New ones of up to two octets, all that are known, and validators'.
      let names = 0;
      const remembered = [...ledger.holders.all()].flatMap(({ names }) => names.length / 3)[0] ?? 0;
      if (remembered > 0) names += remembered * weight(ledger, `${history.at(-1)}.t.example`, types, tick);
      for (const name of shortNames(CHARACTERS)) {
        if (!history.includes(name.slice(0, -'.t.example'.length)))
          names += weight(ledger, name, types, tick);
      }
      const trust = weight(ledger, 'a.b', types, tick, true);
      t.ok(trust > 0 && trust < weight(ledger, 'a.t.example', types, tick), 'a validator pays more');
      // A wait costs as much for every name, so that the sum over waits is a factor of at most 1.
      let waits = 0;
      const last = tick - 3;
      const longest = 4096;
      for (let wait = 0; wait < longest; wait++) {
        waits += weight(ledger, 'zz.t.example', types, last + wait);
      }
      const all = (names * waits) / weight(ledger, 'zz.t.example', types, tick);
      t.ok(all * 2 * (types + 2) <= 0.5, `${history.length} names, ${types} types: ${all * 2 * (types + 2)}`);
    }
  }
});

t.test(
  'complete sequences over a small alphabet: the sum over all that were paid is at most 1',
  async (t) => {
    const names = ['a', 'b', 'ab'].map((front) => `${front}.t.example`);
    const types = 1;
    const kinds = 2 * (types + 2);
    let complete = 0;
    let sequences = 0;
    /** Walks every sequence of at most `depth` more questions after `asked`, whose bits are `spent`. */
    function walk(asked: [string, number][], depth: number): void {
      const ledger = new Ledger();
      let tick = 1;
      for (const [name, wait] of asked) {
        tick += wait;
        ledger.charge(billOf({ name, types, accounts: ACCOUNT }), tick);
      }
      const holder = [...ledger.holders.all()][0];
      const spent = (holder?.balance(tick) ?? 0) + END;
      // Types are alike: each of the `kinds` choices of every question has the same price.
      complete += 2 ** (-spent / UNITS_A_BIT) * kinds ** asked.length;
      sequences += kinds ** asked.length;
      if (depth === 0) return;
      for (const name of names)
        for (let wait = 0; wait < 4; wait++) walk([...asked, [name, wait]], depth - 1);
    }
    walk([], 3);
    t.ok(sequences > 300_000, `${sequences} sequences`);
    t.ok(complete <= 1, `their sum is ${complete}`);
    t.ok(complete > 0.5, 'the end alone has a half');
  },
);

t.test('a client never has more than its bound, and what it was charged fits into it', async (t) => {
  for (const contain of [64, 1024]) {
    const ledger = new Ledger();
    let tick = 0;
    let paid = 0;
    for (let i = 0; i < 2000; i++) {
      tick += i % 7;
      const bill = billOf({ name: `x${i}.t.example`, accounts: [[HOLDER.LEASE, 'l1', 0, contain]] });
      if (ledger.charge(bill, tick)) paid += ledger.cost;
    }
    t.ok(paid + END <= contain * 8192, `${contain}: ${paid / 8192}`);
    t.ok(paid > contain * 8192 * 0.8, 'and nearly all of it can be used');
  }
});
