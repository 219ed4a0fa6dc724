import t from 'tap';
import { KEY_ROOM, keyOf, withType } from '../../src/resolve/flights/key.ts';
import { wireName } from './records.ts';

function key(name: string, type = 1, group = 0, cd = false, identity = 0): string {
  const room = Buffer.alloc(KEY_ROOM, 0xff);
  const wire = wireName(name);
  room.set(wire);
  return keyOf(room, wire.length, type, group, cd, identity);
}

t.test('whatever differs makes another key', async (t) => {
  const keys = [
    key('a.example'),
    key('b.example'),
    key('a.example', 28),
    key('a.example', 257),
    key('a.example', 1, 0, true),
    key('a.example', 1, 0, false, 1),
    key('a.example', 1, 0, false, 256),
  ];
  t.equal(new Set(keys).size, keys.length);
});

t.test('groups have numbers as large as a process can give', async (t) => {
  const groups = [...Array.from({ length: 1000 }, (_, i) => i), 65_536, 16_777_216, 0xffff_ffff];
  t.equal(new Set(groups.map((group) => key('a.example', 1, group))).size, groups.length);
  t.equal(new Set(groups.map((group) => key('a.example', 1, 0, false, group))).size, groups.length);
});

t.test('the longest name has room, the root too', async (t) => {
  const label = 'a'.repeat(63);
  const longest = `${label}.${label}.${label}.${'a'.repeat(61)}`;
  t.equal(key(longest, 1, 7, true, 9).length, KEY_ROOM);
  t.not(key(longest, 1, 7, true, 9), key(longest, 1, 7, true, 10));
  t.not(key('.', 1, 0), key('.', 1, 1));
});

t.test('another type of the same name', async (t) => {
  for (const type of [1, 28, 257, 65_535]) {
    t.equal(withType(key('a.example', 1, 300, true, 5), 11, type), key('a.example', type, 300, true, 5));
  }
});
