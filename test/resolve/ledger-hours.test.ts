import t, { type Test } from 'tap';
import { HOLDER } from '../../src/detect/holder.ts';
import { House } from './house.ts';
import { newCharges, Ticks } from './ledger.ts';

/** Names that are kept fresh for longer: who pays for it, and what else a client could tell by it. */

const POLICY = `
identities:
  - name: build
    owner: team
    review_by: 2027-01-01
    from: { addresses: [10.0.0.0/24] }
    allow: [{ name: "**.t.example", reason: test }, { name: exact.t.example, reason: test }]
  - name: exact
    owner: team
    review_by: 2027-01-01
    from: { addresses: [10.0.1.0/24] }
    allow: [{ name: kept0.t.example, reason: test }]
`;
const FINE = { authority: ['t.example 60 SOA . . 1 1 1 1 60'] };
const BIT = 1024;

class Rig {
  readonly ticks = new Ticks();
  readonly charges = newCharges(this.ticks);
  readonly house: House;

  constructor(t: Test) {
    this.house = new House((content) => t.testdir(content), POLICY, { charges: this.charges });
  }

  pass(seconds: number): void {
    for (let left = seconds; left > 0; left -= 20) {
      this.house.pass(20);
      this.ticks.tick += 2000;
      this.renew();
    }
  }

  renew(): void {
    this.house.resolver.paid.sendDue(this.house.inForce, this.house.now, this.house.epoch);
    this.house.settleAll(FINE);
  }

  async ask(name: string, from: string): Promise<void> {
    await this.house.ask(name, 'A', { from }, FINE);
  }

  /** Units that the address was charged so far, as a client. */
  spent(from: string): number {
    const holders = [...this.charges.ledger.holders.all()];
    return (
      holders
        .find(({ kind, subject }) => kind === HOLDER.CLIENT && subject === from)
        ?.balance(this.ticks.tick) ?? 0
    );
  }
}

t.test('whoever did not pay for a name pays for it in full to keep it, and then a bit an hour', async (t) => {
  const rig = new Rig(t);
  const [payer, other] = ['10.0.0.1', '10.0.0.2'];
  for (let i = 0; i < 30; i++) await rig.ask(`kept${i}.t.example`, payer);
  const paid = rig.spent(payer);
  rig.pass(1800);
  // In the hour that is paid for nobody pays, whoever asks.
  await rig.ask('kept3.t.example', other);
  t.equal(rig.spent(other), 0);
  rig.pass(3600);
  // One of thirty, in a further hour: that is no bit, but a choice among thirty.
  await rig.ask('kept3.t.example', other);
  const first = rig.spent(other);
  t.ok(first > 50 * BIT, `${first / BIT} bits`);
  await rig.ask('kept3.t.example', other);
  await rig.ask('kept3.t.example', payer);
  t.equal(rig.spent(other), first, 'once an hour');
  t.equal(rig.spent(payer), paid, 'nor does anybody else pay for that hour');
  rig.pass(3600);
  await rig.ask('kept3.t.example', other);
  t.equal(rig.spent(other), first + BIT, 'it is his now');
  t.equal(rig.house.resolver.paid.count, 1, 'the others have gone');
});

t.test('whoever paid pays a bit, and who has the name written out pays nothing', async (t) => {
  const rig = new Rig(t);
  await rig.ask('kept0.t.example', '10.0.0.1');
  const paid = rig.spent('10.0.0.1');
  rig.pass(3700);
  await rig.ask('kept0.t.example', '10.0.0.1');
  t.equal(rig.spent('10.0.0.1'), paid + BIT);
  rig.pass(3600);
  await rig.ask('kept0.t.example', '10.0.1.1');
  rig.pass(3600);
  await rig.ask('kept0.t.example', '10.0.0.1');
  t.equal(rig.spent('10.0.0.1'), paid + 2 * BIT, 'his hours are his still');
});

t.test('a client with 32 names keeps none of another besides, and pays nothing for it', async (t) => {
  const rig = new Rig(t);
  await rig.ask('kept0.t.example', '10.0.0.1');
  rig.pass(2400);
  for (let i = 0; i < 32; i++) await rig.ask(`n${i}.t.example`, '10.0.0.2');
  const spent = rig.spent('10.0.0.2');
  rig.pass(1500);
  await rig.ask('kept0.t.example', '10.0.0.2');
  t.equal(rig.spent('10.0.0.2'), spent);
  rig.pass(3500);
  t.equal(rig.house.resolver.paid.count, 32);
});

t.test('a client that is contained keeps no name of another', async (t) => {
  const rig = new Rig(t);
  await rig.ask('kept0.t.example', '10.0.0.1');
  await rig.ask('n0.t.example', '10.0.0.2');
  const holder = [...rig.charges.ledger.holders.all()].find(
    ({ kind, subject }) => kind === HOLDER.CLIENT && subject === '10.0.0.2',
  )!;
  holder.spend(holder.contain - BIT - holder.balance(rig.ticks.tick), rig.ticks.tick);
  rig.pass(3700);
  await rig.ask('kept0.t.example', '10.0.0.2');
  rig.pass(3600);
  t.equal(rig.house.resolver.paid.count, 0, 'it has gone');
});

t.test('names are renewed in an order that no client chose, types of one name too', async (t) => {
  const names = Array.from({ length: 12 }, (_, i) => `o${i}.t.example`);
  async function orderOf(asked: readonly string[], types: readonly string[]): Promise<string[]> {
    const rig = new Rig(t);
    for (const name of asked)
      for (const type of types) await rig.house.ask(name, type, { from: '10.0.0.1' }, FINE);
    const before = rig.house.questions.length;
    rig.house.pass(58);
    for (let i = 0; i < 3; i++) rig.renew();
    return rig.house.questions.slice(before);
  }
  const order = await orderOf(names, ['A', 'AAAA']);
  t.equal(order.length, 24);
  t.strictSame(await orderOf(names.toReversed(), ['AAAA', 'A']), order);
  t.notSame(order, order.toSorted());
});

t.test(
  "a validator's question for the base of a wildcard, or above it, leaves on our own schedule",
  async (t) => {
    /** The seconds at which DS and DNSKEY of names above were asked for upstream. */
    async function secondsOf(asked: readonly number[]): Promise<string[]> {
      const rig = new Rig(t);
      const left: string[] = [];
      for (let second = 0; second < 7300; second += 10) {
        rig.house.pass(10);
        rig.ticks.tick += 1000;
        const before = rig.house.questions.length;
        if (second === 0 || asked.includes(second)) {
          for (const name of ['t.example', 'example'])
            for (const type of ['DS', 'DNSKEY'])
              await rig.house.ask(name, type, { from: '10.0.0.1', do: true, cd: second % 20 === 0 }, FINE);
        }
        rig.renew();
        left.push(...rig.house.questions.slice(before).map((text) => `${second} ${text}`));
      }
      t.equal(rig.charges.ledger.holders.count, 0, 'they are free');
      return left;
    }
    const unasked = await secondsOf([]);
    t.equal(new Set(unasked.map((text) => text.replace(/^\d+ /, ''))).size, 4);
    t.strictSame(await secondsOf([320, 730, 1310, 3000, 3590]), unasked);
  },
);
