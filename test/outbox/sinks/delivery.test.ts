import t from 'tap';
import { KINDS } from '../../../src/outbox/event.ts';
import { Backoff } from '../../../src/outbox/sinks/backoff.ts';
import { Delivery } from '../../../src/outbox/sinks/delivery.ts';
import type { EventSink, Sending, SinkClock } from '../../../src/outbox/sinks/sink.ts';
import { Rig, until } from './rig.ts';

t.test('each wait is twice as long, at most 10 s, and half of it is chance', async (t) => {
  for (const chance of [0, 0.5, 1]) {
    const backoff = new Backoff(() => chance);
    const waits = Array.from({ length: 10 }, () => backoff.next(0));
    for (const [i, wait] of waits.entries()) {
      const whole = Math.min(10_000, 250 * 2 ** i);
      t.ok(wait >= whole / 2 && wait <= whole, `${i}: ${wait}`);
    }
    t.equal(backoff.next(20_000), 20_000, 'a receiver may ask for more,');
    t.equal(backoff.next(1e9), 60_000, 'within a bound');
    backoff.reset();
    t.ok(backoff.next(0) <= 250);
  }
});

t.test(
  'after trouble one event goes alone, and the rest once it was taken; a fault of a sink ends nothing',
  async (t) => {
    const rig = new Rig(t);
    rig.store.configure(
      {
        isDurable: false,
        decisions: { octets: 2 ** 30, age: 1e9 },
        findings: { octets: 2 ** 30, age: 1e9 },
        full: 'drop_new',
      },
      [{ name: 'siem', kinds: ['deny'] }],
    );
    const sizes: number[] = [];
    const sleeps: number[] = [];
    const sink: EventSink = {
      send: async (batch): Promise<Sending> => {
        sizes.push(batch.length);
        if (sizes.length === 1) throw new Error('a bug');
        if (sizes.length === 2) return { accepted: 0, dead: [], trouble: { kind: 'retry', reason: 'down' } };
        return { accepted: batch.length, dead: [], trouble: null };
      },
      renew: async () => false,
      close: () => undefined,
    };
    const clock: SinkClock = {
      now: Date.now,
      sleep: (milliseconds) => {
        sleeps.push(milliseconds);
        return new Promise((resolve) => setTimeout(resolve, 1));
      },
    };
    const selection = { kinds: new Set(KINDS), minSeverity: 'operations' as const };
    const delivery = new Delivery({
      name: 'siem',
      selection,
      source: rig.store,
      sink,
      clock,
      random: () => 1,
    });
    rig.deny(300);
    delivery.start();
    t.teardown(() => delivery.close());
    await until('all is taken', () => rig.acknowledged());
    t.strictSame(sizes, [256, 1, 1, 256, 43]);
    t.strictSame(sleeps.slice(0, 2), [250, 500]);
    t.match(delivery.state, { status: 'ok', reason: '' });
  },
);
