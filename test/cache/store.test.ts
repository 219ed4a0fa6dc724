import fc from 'fast-check';
import t from 'tap';
import { RingAnswerStore } from '../../src/cache/store.ts';
import { Entry, HEAD } from '../../src/resolve/answer/entry.ts';
import { type Key, type KeyHash, MAX_KEY } from '../../src/resolve/answer/key.ts';
import { entryOf, HASH, keyOf, seen } from './entries.ts';

/** The answer store does what a plain queue with second chances does, whatever is put in, asked for and dropped. */

const UNIT = 16;

/** The same order and the same arithmetic of octets, with arrays and strings. */
class Model {
  readonly #blocks: { key: string; size: number; used: boolean; says: string }[] = [];
  readonly #end: number;
  readonly #largest: number;
  #head = UNIT;

  constructor(size: number) {
    const whole = Math.max(4096, size - (size % UNIT));
    this.#end = whole - 4 * 2 ** Math.floor(Math.log2(whole / 128));
    this.#largest = Math.floor(whole / 16);
  }

  find(key: string): string | null {
    const block = this.#blocks.find((each) => each.key === key);
    if (block === undefined) return null;
    block.used = true;
    return block.says;
  }

  put(key: string, keyLength: number, entrySize: number, says: string): void {
    const octets = 16 + Math.ceil(keyLength / 8) * 8 + entrySize;
    const size = Math.ceil(octets / UNIT) * UNIT;
    const old = this.#blocks.find((each) => each.key === key);
    if (old?.size === size) {
      Object.assign(old, { used: false, says });
      return;
    }
    this.drop(key);
    if (size > this.#largest) return;
    for (let spared = 0; !this.#fits(size); ) {
      const oldest = this.#blocks.shift()!;
      if (oldest.key === '' || !oldest.used || spared === 32 || !this.#fits(oldest.size)) continue;
      spared++;
      this.#append({ ...oldest, used: false });
    }
    this.#append({ key, size, used: false, says });
  }

  drop(key: string): void {
    const block = this.#blocks.find((each) => each.key === key);
    if (block !== undefined) block.key = '';
  }

  get keys(): string[] {
    return this.#blocks.map(({ key }) => key).filter((key) => key !== '');
  }

  #append(block: { key: string; size: number; used: boolean; says: string }): void {
    const left = this.#end - this.#head;
    if (left < block.size) {
      this.#blocks.push({ key: '', size: left, used: false, says: '' });
      this.#head = UNIT;
    }
    this.#blocks.push(block);
    this.#head += block.size;
    if (this.#head === this.#end) this.#head = UNIT;
  }

  #fits(size: number): boolean {
    const taken = this.#blocks.reduce((sum, block) => sum + block.size, 0);
    const left = this.#end - this.#head;
    return taken + size + (left < size ? left : 0) <= this.#end - UNIT;
  }
}

type Step = { name: number } & (
  | { do: 'put'; length: number; full: number }
  | { do: 'find' }
  | { do: 'drop' }
);

const name = fc.integer({ min: 0, max: 40 });
const length = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 200 }) },
  { weight: 1, arbitrary: fc.integer({ min: 200, max: 1200 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      name,
      do: fc.constant('put' as const),
      length,
      full: fc.oneof(fc.constant(0), length),
    }),
  },
  { weight: 5, arbitrary: fc.record({ name, do: fc.constant('find' as const) }) },
  { weight: 1, arbitrary: fc.record({ name, do: fc.constant('drop' as const) }) },
);

function agrees(size: number, steps: readonly Step[], hash: KeyHash): void {
  const store = new RingAnswerStore(size);
  const model = new Model(size);
  const entry = new Entry();
  const keys = new Map<number, Key>();
  steps.forEach((each, i) => {
    const key = keys.get(each.name) ?? keyOf(`n${'x'.repeat(each.name % 9)}${each.name}.example`, hash);
    keys.set(each.name, key);
    if (each.do === 'put') {
      const put = entryOf(i & 0xff, each.length, each.full);
      store.put(key, put);
      model.put(key.text, key.length, put.size, seen(put));
    } else if (each.do === 'drop') {
      store.drop(key);
      model.drop(key.text);
    } else {
      const found = store.find(key, entry) ? seen(entry) : null;
      const expected = model.find(key.text);
      if (found !== expected) throw new Error(`step ${i}: found ${found}, not ${expected}`);
    }
    if (store.count !== model.keys.length) throw new Error(`step ${i}: ${store.count} entries`);
    if (store.octets > store.size) throw new Error(`step ${i}: ${store.octets} octets`);
  });
  for (const [, key] of keys) {
    const found = store.find(key, entry) ? seen(entry) : null;
    if (found !== model.find(key.text)) throw new Error(`at the end: found ${found}`);
  }
}

const RUNS = { seed: 20_261_129, numRuns: 400 };
const many = fc.array(step, { maxLength: 400, size: 'max' });

t.test('as the model has it, in stores of different sizes', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 4000, max: 9000 }), many, (size, steps) => agrees(size, steps, HASH)),
    RUNS,
  );
  t.pass('entry by entry');
});

t.test('as the model has it where every key collides, or a few do', async (t) => {
  for (const mask of [0, 1, 0x4000_0000]) {
    const weak: KeyHash = (octets, size) => HASH(octets, size) & mask;
    fc.assert(
      fc.property(many, (steps) => agrees(6000, steps, weak)),
      RUNS,
    );
  }
  t.pass('the whole key is compared');
});

t.test('keys that differ in one part alone are different entries', async (t) => {
  const store = new RingAnswerStore(2 ** 16);
  const entry = new Entry();
  const wireName = Buffer.from('\x01a\x07example\x00', 'latin1');
  const longer = Buffer.from('\x01a\x07example\x00\x00', 'latin1');
  const parts = [
    [wireName, 1, 0, false, 0],
    [wireName, 28, 0, false, 0],
    [wireName, 257, 0, false, 0],
    [wireName, 1, 1, false, 0],
    [wireName, 1, 256, false, 0],
    [wireName, 1, 0x0100_0000, false, 0],
    [wireName, 1, 0, true, 0],
    [wireName, 1, 0, false, 1],
    [wireName, 1, 0, false, 0x8000_0000],
    [longer, 1, 0, false, 0],
  ] as const;
  const constant: KeyHash = () => 0;
  const keys = parts.map(([octets, type, group, cd, identity]) => {
    const key = keyOf('x', constant);
    return key.set(octets, octets.length, type, group, cd, identity);
  });
  keys.forEach((key, i) => {
    store.put(key, entryOf(i, 30));
  });
  keys.forEach((key, i) => {
    t.equal(store.find(key, entry) && seen(entry), `${i} × 30`);
  });
  t.equal(store.count, parts.length);
  t.equal(new Set(keys.map(({ text }) => text)).size, parts.length);
});

t.test(
  'an entry of more than a sixteenth is not kept, and ends what was; its DNSSEC form counts',
  async (t) => {
    const size = 2 ** 20;
    const store = new RingAnswerStore(size);
    const entry = new Entry();
    const key = keyOf('www.example');
    const head = 16 + 24 + HEAD + 2;
    const most = size / 16 - head;
    store.put(key, entryOf(1, most));
    t.ok(store.find(key, entry), 'a sixteenth');
    store.put(key, entryOf(2, most + 16));
    t.notOk(store.find(key, entry), 'more');
    t.equal(store.count, 0);
    store.put(key, entryOf(3, 100, most - 102));
    t.ok(store.find(key, entry), 'both forms together a sixteenth');
    store.put(key, entryOf(4, 100, most));
    t.notOk(store.find(key, entry), 'both forms together more');
  },
);

t.test('the largest entry and the longest key fit a store that allows them', async (t) => {
  const store = new RingAnswerStore(2 ** 22);
  const entry = new Entry();
  const labels = Buffer.alloc(255, 0x61);
  for (let at = 0; at < 254; at += 64) labels[at] = Math.min(63, 253 - at);
  labels[254] = 0;
  const key = keyOf('x').set(labels, 255, 0xffff, 0xffff_ffff, true, 0xffff_ffff);
  t.equal(key.length, MAX_KEY);
  store.put(key, entryOf(7, 65_535, 65_535));
  t.ok(store.find(key, entry));
  t.equal(seen(entry), '7 × 65535');
  entry.choose(true);
  t.equal(entry.end - entry.start, 65_535);
  t.equal(entry.slab.octets[entry.start], 7 ^ 0xff);
  t.equal(entry.slab.octets[entry.end - 1], 7 ^ 0xff);
});

t.test('what was asked for since stays, what was not goes first', async (t) => {
  const store = new RingAnswerStore(2 ** 16);
  const entry = new Entry();
  const hot = keyOf('hot.example');
  store.put(hot, entryOf(1, 40));
  const cold = keyOf('cold.example');
  store.put(cold, entryOf(2, 40));
  let found = 0;
  for (let i = 0; i < 20_000; i++) {
    store.put(keyOf(`u${i}.example`), entryOf(3, 40));
    if (store.find(hot, entry)) found++;
  }
  t.equal(found, 20_000);
  t.notOk(store.find(cold, entry));
});

t.test('the work of one put is bounded where everything was asked for', async (t) => {
  const store = new RingAnswerStore(2 ** 20);
  const entry = new Entry();
  const keys: Key[] = [];
  for (let i = 0; store.octets < 900_000; i++) {
    const key = keyOf(`u${i}.example`);
    keys.push(key);
    store.put(key, entryOf(1, 40));
  }
  for (let i = 0; i < 2000; i++) store.put(keyOf(`v${i}.example`), entryOf(1, 40));
  for (const key of keys) store.find(key, entry);
  const before = store.count;
  store.put(keyOf('new.example'), entryOf(2, 40));
  t.ok(store.find(keyOf('new.example'), entry));
  t.ok(store.count >= before - 1, 'one block made room, the spared ones are still there');
  store.put(keyOf('large.example'), entryOf(3, 60_000));
  t.ok(store.find(keyOf('large.example'), entry), 'it found room although everything was asked for');
});
