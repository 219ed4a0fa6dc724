import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { RingAnswerStore } from '../../src/cache/store.ts';
import { copyOfEntry, Entry } from '../../src/resolve/answer/entry.ts';
import { Key } from '../../src/resolve/answer/key.ts';
import { entryOf, HASH, keyOf, seen } from './entries.ts';

/** The answer store's octets are its bound, whatever is put in: none on V8's heap, none beyond the slab. */

const MIB = 2 ** 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heap(): { heap: number; outside: number } {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed / MIB, outside: arrayBuffers / MIB };
}

/** By length, and marked with it: a flood is to leave no garbage of its own. */
const entries = new Map<number, Entry>();

function marked(length: number): Entry {
  let entry = entries.get(length);
  if (entry === undefined) {
    entry = copyOfEntry(entryOf(length & 0xff, length));
    entries.set(length, entry);
  }
  return entry;
}

/** Puts `count` entries with names of their own in; `length` says how long each is. */
function flood(store: RingAnswerStore, count: number, length: (i: number) => number): void {
  const name = Buffer.from('\x08xxxxxxxx\x07example\x00', 'latin1');
  for (let i = 0; i < count; i++) {
    name.writeUInt32LE((Math.imul(i, 0x9e37_79b1) >>> 0) % 0xffff_ffff, 1);
    name.writeUInt32LE(i, 5);
    store.put(key.set(name, name.length, 1, 0, false, 0), marked(length(i)));
  }
}

const key = new Key(HASH);

t.test('a million entries grow nothing', async (t) => {
  const store = new RingAnswerStore(MIB);
  flood(store, 100_000, (i) => 20 + (i % 400));
  const before = heap();
  flood(store, 1_000_000, (i) => 20 + (i % 400));
  const after = heap();
  t.ok(store.octets <= store.size, `${store.octets} octets of ${store.size}`);
  t.ok(store.count > 1500, `${store.count} entries`);
  t.ok(Math.abs(after.outside - before.outside) < 0.05, 'no octet outside of the heap');
  t.ok(after.heap - before.heap < 1, `${(after.heap - before.heap).toFixed(2)} MiB of heap`);
});

t.test('the slab with its index is as large as was said, and no entry adds an octet', async (t) => {
  // None may be collected while another is measured.
  const built: RingAnswerStore[] = [];
  marked(1000);
  for (const size of [MIB, 3 * MIB + 5, 16 * MIB]) {
    const before = heap().outside;
    const store = new RingAnswerStore(size);
    built.push(store);
    const empty = heap().outside - before;
    t.ok(Math.abs(empty - size / MIB) < 0.05, `${empty} MiB for ${size / MIB}`);
    flood(store, 20_000, () => 1000);
    const full = heap().outside - before;
    t.ok(Math.abs(full - empty) < 0.05, `${full} MiB when it is full`);
  }
  t.ok(built.every(({ count }) => count > 0));
});

t.test('large and small entries in turn waste little of the ring', async (t) => {
  for (const [what, length] of [
    ['40 octets and 60 KiB', (i: number) => (i % 2 === 0 ? 40 : 61_440)],
    ['half a largest entry and a little more', (i: number) => (i % 2 === 0 ? 32_000 : 33_500)],
    ['60 KiB after a thousand of 40 octets', (i: number) => (i % 1000 === 999 ? 61_440 : 40)],
  ] as const) {
    const store = new RingAnswerStore(MIB * 4);
    flood(store, 4000, length);
    const entry = new Entry();
    const name = Buffer.from('\x08xxxxxxxx\x07example\x00', 'latin1');
    let octets = 0;
    let kept = 0;
    for (let i = 0; i < 4000; i++) {
      name.writeUInt32LE((Math.imul(i, 0x9e37_79b1) >>> 0) % 0xffff_ffff, 1);
      name.writeUInt32LE(i, 5);
      if (!store.find(key.set(name, name.length, 1, 0, false, 0), entry)) continue;
      if (seen(entry) !== `${length(i) & 0xff} × ${length(i)}`) t.fail(`${i} says ${seen(entry)}`);
      octets += entry.size;
      kept++;
    }
    t.equal(kept, store.count);
    t.ok(kept === 4000 || octets > 0.9 * store.size, `${what}: ${octets} octets of ${store.size} in use`);
  }
});

t.test('a large store takes memory as it fills', { skip: process.platform !== 'linux' }, async (t) => {
  const before = process.memoryUsage().rss / MIB;
  const store = new RingAnswerStore(1024 * MIB);
  const entry = new Entry();
  t.ok(process.memoryUsage().rss / MIB - before < 32, 'empty');
  flood(store, 20_000, () => 1000);
  t.ok(process.memoryUsage().rss / MIB - before < 128, 'a little filled');
  const www = keyOf('www.example');
  store.put(www, entryOf(9, 100));
  t.ok(store.find(www, entry));
  t.equal(seen(entry), '9 × 100');
  t.equal(store.count, 20_001);
});
