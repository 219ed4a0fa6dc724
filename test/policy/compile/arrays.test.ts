import t from 'tap';
import { type LargeArray, largeArrays, release, shared } from '../../../src/policy/compile/arrays.ts';
import { single } from '../build.ts';

const NAMES = ['a.example', 'n{0..9}.b.example', '**.c.example'];

t.test('the large arrays have a buffer each, so that each can be given back', async (t) => {
  const snapshot = single(NAMES);
  const arrays = largeArrays(snapshot);
  t.equal(new Set(arrays.map(({ buffer }) => buffer)).size, 14);
  t.same(largeArrays({ nodeFlags: snapshot.nodeFlags }), [snapshot.nodeFlags]);
});

t.test('in shared memory a snapshot is the same, and what was given is empty', async (t) => {
  const given = single(NAMES);
  const expected = structuredClone(given);
  const parts = shared(given);
  t.same(parts, expected);
  t.ok(largeArrays(parts).every(({ buffer }) => buffer instanceof SharedArrayBuffer));
  t.ok(largeArrays(given).every(({ length }) => length === 0));
  const { nodeFlags } = single(NAMES);
  t.same(Object.keys(shared({ nodeFlags })), ['nodeFlags'], 'and so is a part of it');
});

t.test('memory is given back, an array a turn', async (t) => {
  const snapshot = single(NAMES);
  const given = new Set<LargeArray>();
  const turns: (() => void)[] = [];
  release(
    snapshot,
    (array) => given.add(array),
    (step) => turns.push(step),
  );
  for (let steps = 0; turns.length > 0; steps++) {
    t.equal(given.size, steps, 'the caller has other things to do');
    turns.shift()!();
  }
  t.same(given, new Set(largeArrays(snapshot)));
});
