import t from 'tap';
import { MACHINE_TIME } from '../../src/upstream/time.ts';
import { Timed, Wheel } from '../../src/upstream/wheel.ts';
import { pause } from './scripted.ts';

class Item extends Timed {
  readonly at: number;
  readonly fired: number[] = [];
  readonly #then: (item: Item) => void;

  constructor(at: number, then: (item: Item) => void = () => {}) {
    super();
    this.at = at;
    this.#then = then;
  }

  due(now: number): void {
    this.fired.push(now);
    this.#then(this);
  }
}

t.test('each comes due once, never early and soon', async (t) => {
  let before = 0;
  const wheel = new Wheel(MACHINE_TIME, () => before++);
  const start = performance.now();
  const items = Array.from({ length: 500 }, (_, i) => new Item(start + (i % 100)));
  for (const item of items) wheel.set(item, item.at, start);
  await pause(300);
  for (const { at, fired } of items) {
    t.equal(fired.length, 1);
    t.ok(fired[0]! >= at, `${fired[0]! - at} ms late`);
  }
  t.ok(before > 0, 'what has come is read first');
});

t.test('what is taken out does not come due; taking it out twice is nothing', async (t) => {
  const wheel = new Wheel(MACHINE_TIME, () => {});
  const now = performance.now();
  const [first, second, third] = [new Item(now + 20), new Item(now + 20), new Item(now + 20)] as const;
  for (const item of [first, second, third]) wheel.set(item, item.at, now);
  wheel.clear(second);
  wheel.clear(second);
  await pause(100);
  t.same(
    [first, second, third].map(({ fired }) => fired.length),
    [1, 0, 1],
  );
  wheel.clear(first);
});

t.test('one may take out another that is due in the same turn, and set itself again', async (t) => {
  const wheel = new Wheel(MACHINE_TIME, () => {});
  const now = performance.now();
  const victim = new Item(now + 20);
  const killer = new Item(now + 20, () => wheel.clear(victim));
  let times = 0;
  const again = new Item(now + 20, (item) => {
    if (++times < 3) wheel.set(item, performance.now() - 5, performance.now());
  });
  for (const item of [killer, victim, again]) wheel.set(item, item.at, now);
  await pause(150);
  t.equal(killer.fired.length, 1);
  t.equal(victim.fired.length, 0);
  t.equal(again.fired.length, 3);
});

t.test('after a pause of the process all that is overdue comes', async (t) => {
  const wheel = new Wheel(MACHINE_TIME, () => {});
  const now = performance.now();
  const items = [new Item(now + 10), new Item(now + 100), new Item(now + 150)];
  for (const item of items) wheel.set(item, item.at, now);
  for (const end = now + 200; performance.now() < end; );
  await pause(30);
  t.same(
    items.map(({ fired }) => fired.length),
    [1, 1, 1],
  );
});

t.test('what is set for later than a round comes by the round’s end', async (t) => {
  const wheel = new Wheel(MACHINE_TIME, () => {});
  const now = performance.now();
  const far = new Item(now + 60_000);
  wheel.set(far, far.at, now);
  await pause(100);
  t.equal(far.fired.length, 0);
  wheel.clear(far);
});
