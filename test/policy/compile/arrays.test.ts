import t from 'tap';
import { largeBuffers, release } from '../../../src/policy/compile/arrays.ts';
import { single } from '../build.ts';

t.test('the large arrays have a buffer each, so that each can cross between threads', async (t) => {
  const snapshot = single(['a.example', 'n{0..9}.b.example', '**.c.example']);
  const buffers = largeBuffers(snapshot);
  t.equal(new Set(buffers).size, 14);
  t.same(largeBuffers({ nodeFlags: snapshot.nodeFlags }), [snapshot.nodeFlags.buffer]);
});

t.test('memory is given back at once, or a buffer a turn', async (t) => {
  const held = (snapshot: ReturnType<typeof single>): number =>
    largeBuffers(snapshot).filter(({ byteLength }) => byteLength > 0).length;
  const atOnce = single(['a.example']);
  release(atOnce);
  t.equal(held(atOnce), 0);

  const inTurns = single(['a.example']);
  const before = held(inTurns);
  const turns: (() => void)[] = [];
  release(inTurns, (step) => turns.push(step));
  t.equal(held(inTurns), before, 'nothing yet: the caller has other things to do');
  let steps = 0;
  for (let step = turns.shift(); step !== undefined; step = turns.shift()) {
    step();
    steps++;
  }
  t.equal(steps, 14);
  t.equal(held(inTurns), 0);
});
