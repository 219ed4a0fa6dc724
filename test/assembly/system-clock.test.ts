import t from 'tap';
import { SystemClock } from '../../src/assembly/system-clock.ts';

/** A clock over a machine whose two clocks are set by hand. */
function made() {
  const machine = { monotonic: 1_000, wall: 1_700_000_000_000 };
  const clock = new SystemClock(
    () => machine.monotonic,
    () => machine.wall,
  );
  const pass = (ms: number): void => {
    machine.monotonic += ms;
    machine.wall += ms;
  };
  return { machine, clock, pass };
}

t.test('it stands still while it is held, and goes on when it is released', async (t) => {
  const { clock, pass } = made();
  clock.hold();
  const epoch = clock.epoch();
  pass(5_000);
  t.equal(clock.monotonic(), 1_000);
  t.equal(clock.epoch(), epoch);
  clock.hold();
  t.equal(clock.monotonic(), 6_000, 'held anew it is the present');
  clock.release();
  pass(1);
  t.equal(clock.monotonic(), 6_001);
  t.equal(clock.epoch(), 1_700_000_005.001);
});

t.test(
  'a step of the machine’s clock is noticed within 50 ms, and what was read between goes on evenly',
  async (t) => {
    const { machine, clock, pass } = made();
    t.equal(clock.epoch(), 1_700_000_000);
    machine.wall -= 3_600_000;
    pass(49);
    t.equal(clock.epoch(), 1_700_000_000.049);
    pass(1);
    t.equal(clock.epoch(), 1_699_996_400.05);
  },
);
