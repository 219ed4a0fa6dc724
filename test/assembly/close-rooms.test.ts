import t from 'tap';
import { closeRooms } from '../../src/assembly/close-rooms.ts';

const PATIENCE = 30_000;

t.test('rooms of a step close together, and those of the next step after them', async (t) => {
  const told: string[] = [];
  const slow = Promise.withResolvers<void>();
  const closed = closeRooms(PATIENCE, [
    [
      ['the slow', () => slow.promise.then(() => told.push('slow'))],
      ['the quick', () => told.push('quick')],
    ],
    [['the last', () => told.push('last')]],
  ]);
  await new Promise(setImmediate);
  t.strictSame(told, ['quick']);
  slow.resolve();
  t.strictSame(await closed, []);
  t.strictSame(told, ['quick', 'slow', 'last']);
});

t.test('what does not close in time is named, and what stands behind it is not begun', async (t) => {
  const told: string[] = [];
  const left = await closeRooms(20, [
    [
      ['the stuck', () => new Promise(() => {})],
      ['the quick', () => told.push('quick')],
    ],
    [['the last', () => told.push('last')]],
  ]);
  t.strictSame(left, ['the stuck']);
  t.strictSame(told, ['quick']);
});

t.test('a room that cannot be closed says why', async (t) => {
  const fails = closeRooms(PATIENCE, [[['the broken', () => Promise.reject(new Error('broken'))]]]);
  await t.rejects(fails, /broken/);
});
