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

t.test("a step of the machine's clock is seen at once where nothing is held", async (t) => {
  const { machine, clock, pass } = made();
  t.equal(clock.epoch(), 1_700_000_000);
  clock.hold();
  machine.wall -= 3_600_000;
  t.equal(clock.epoch(), 1_699_996_400, 'read once it is wanted');
  pass(5);
  t.equal(clock.epoch(), 1_699_996_400);
  clock.release();
  t.equal(clock.epoch(), 1_699_996_400.005);
});
