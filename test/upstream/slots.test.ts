import t from 'tap';
import { SlotWheel } from '../../src/upstream/slot-wheel.ts';
import { Slots } from '../../src/upstream/slots.ts';
import type { Time } from '../../src/upstream/time.ts';
import { ask, NATIVE, PATIENT, reply, udpUpstream, upstreams, won } from './scripted.ts';

const skip = typeof NATIVE === 'string' ? NATIVE : false;

/** Time that a test turns by hand. */
class HandTime implements Time {
  ms = 1000;
  running = 0;
  #run: () => void = () => {};

  now(): number {
    return this.ms;
  }

  after(): never {
    throw new Error('the wheel waits for nothing once');
  }

  every(_ms: number, run: () => void): { stop: () => void; again: () => void } {
    this.#run = run;
    this.running++;
    return { stop: () => this.running--, again: () => {} };
  }

  pass(ms: number): void {
    this.ms += ms;
    this.#run();
  }
}

function wheelOf(time: HandTime): { wheel: SlotWheel; due: number[] } {
  const due: number[] = [];
  const wheel = new SlotWheel(
    16,
    time,
    () => {},
    (slot) => due.push(slot),
  );
  return { wheel, due };
}

t.test('a slot is given out once, and again when it has been given back', async (t) => {
  const slots = new Slots(3);
  t.same([slots.take(), slots.take(), slots.take()], [0, 1, 2]);
  t.ok(slots.isFull);
  slots.free(1);
  t.equal(slots.taken, 2);
  t.notOk(slots.isFull);
  t.equal(slots.take(), 1);
  t.ok(slots.isFull);
});

t.test('each slot comes due in its time, and the timer stops behind the last', async (t) => {
  const time = new HandTime();
  const { wheel, due } = wheelOf(time);
  wheel.set(3, 1020, 1000);
  wheel.set(4, 1020, 1000);
  wheel.set(5, 1050, 1000);
  time.pass(10);
  t.same(due, []);
  time.pass(10);
  t.same(due.toSorted(), [3, 4]);
  time.pass(20);
  t.equal(due.length, 2);
  time.pass(10);
  t.equal(due[2], 5);
  t.equal(time.running, 1);
  time.pass(10);
  t.equal(time.running, 0);
});

t.test('what is taken out does not come due, wherever it hangs in its list', async (t) => {
  for (const gone of [0, 1, 2]) {
    const time = new HandTime();
    const { wheel, due } = wheelOf(time);
    for (const slot of [0, 1, 2]) wheel.set(slot, 1030, 1000);
    wheel.clear(gone);
    wheel.clear(gone);
    time.pass(40);
    t.same(
      due.toSorted(),
      [0, 1, 2].filter((slot) => slot !== gone),
    );
  }
});

t.test('after a pause of more than a round all that is overdue comes, each once', async (t) => {
  const time = new HandTime();
  const { wheel, due } = wheelOf(time);
  for (let slot = 0; slot < 16; slot++) wheel.set(slot, 1000 + slot * 40, 1000);
  time.pass(5000);
  t.same(
    due.toSorted((a, b) => a - b),
    Array.from({ length: 16 }, (_, slot) => slot),
  );
});

t.test('what is set for later than a round comes due within it', async (t) => {
  const time = new HandTime();
  const { wheel, due } = wheelOf(time);
  wheel.set(7, 9000, 1000);
  for (let i = 0; i < 64; i++) time.pass(10);
  t.same(due, [7]);
});

t.test('a table that is full or takes nobody: each question has its answer', { skip }, async (t) => {
  const server = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 7 })));
  for (const slots of [0, 1, 5]) {
    const { forwarder } = upstreams(t, [server.server], { native: NATIVE, slots, timing: PATIENT });
    const asked = Array.from({ length: 40 }, (_, i) => ask(forwarder, `n${i}.example.com`));
    t.equal(forwarder.inFlight, 40);
    t.same(new Set((await Promise.all(asked)).map(({ outcome }) => won(outcome))), new Set([7]));
    t.equal(forwarder.inFlight, 0);
    t.equal(forwarder.openSockets, 0);
  }
});

t.test(
  'a question that goes on as an asking takes the reply to what was sent at first',
  { skip },
  async (t) => {
    let first = true;
    const server = await udpUpstream(t, (seen, send) => {
      if (!first) return;
      first = false;
      setTimeout(() => send(reply(seen, { address: 9 })), 150);
    });
    const timing = { firstRetry: 50, minRetry: 50 };
    const { forwarder } = upstreams(t, [server.server], { native: NATIVE, timing });
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 9);
    t.ok(server.seen.length > 1, 'it was asked again meanwhile');
    t.equal(forwarder.inFlight, 0);
    t.equal(forwarder.openSockets, 0);
  },
);
