import { LRUCache } from 'lru-cache';
import { RingAnswerStore } from '../src/cache/store.ts';
import type { AnswerStore } from '../src/resolve/answer/answer-store.ts';
import { clean } from '../src/resolve/answer/clean.ts';
import { copyOfEntry, type Entry } from '../src/resolve/answer/entry.ts';
import { Key, type KeyHash } from '../src/resolve/answer/key.ts';
import { Landing } from '../src/resolve/answer/landing.ts';
import { addressReply, wireName } from './messages.ts';
import type { Stage } from './stage.ts';

/** Octets of a store: some 4,000 answers, so that each new one makes room. */
const SIZE = 1 << 20;
/** Names that are looked up, all of them kept; and names that are put, far more than are kept. Powers of two. */
const HELD = 1024;
const NEW = 65_536;

/** The same store over lru-cache: keys are text, and each answer is an object of its own on V8's heap. */
class LruAnswerStore implements AnswerStore {
  readonly hashOf: KeyHash;
  readonly #cache: LRUCache<string, Entry>;

  constructor(size: number, hashOf: KeyHash) {
    this.hashOf = hashOf;
    this.#cache = new LRUCache({ maxSize: size, sizeCalculation: (entry, key) => entry.size + key.length });
  }

  find(key: Key, entry: Entry): boolean {
    const kept = this.#cache.get(key.text);
    if (kept === undefined) return false;
    entry.point(kept.slab, kept.at);
    return true;
  }

  put(key: Key, entry: Entry): void {
    this.#cache.set(key.text, copyOfEntry(entry));
  }

  drop(key: Key): void {
    this.#cache.delete(key.text);
  }
}

/** Our own answer store beside lru-cache, which does the same with the entries of today. */
export function storeStages(): Stage[] {
  const ring = new RingAnswerStore(SIZE);
  return [...stagesOf('our ring', ring), ...stagesOf('lru-cache', new LruAnswerStore(SIZE, ring.hashOf))];
}

function stagesOf(what: string, store: AnswerStore): Stage[] {
  const name = wireName('name.example');
  const reply = addressReply('name.example', 300);
  const landing = new Landing();
  landing.takeAnswer(clean(reply, name, 1, false)!, 0, 300_000, false);
  const found = copyOfEntry(landing);
  const key = new Key(store.hashOf);
  const label = Buffer.from(name);
  const keyOf = (index: number): Key => {
    // Four letters of the name, so that each is another.
    for (let i = 1; i <= 4; i++) label[i] = 0x61 + ((index >>> (4 * (i - 1))) & 15);
    return key.set(label, label.length, 1, 0, false, 0);
  };
  let next = 0;
  return [
    {
      name: `answer store, put: ${what}`,
      run(count) {
        for (let i = 0; i < count; i++) store.put(keyOf(next++ & (NEW - 1)), landing);
        return next;
      },
    },
    {
      name: `answer store, look-up: ${what}`,
      run(count) {
        if (!store.find(keyOf(0), found)) for (let i = 0; i < HELD; i++) store.put(keyOf(i), landing);
        let sum = 0;
        for (let i = 0; i < count; i++) if (store.find(keyOf(i & (HELD - 1)), found)) sum++;
        return sum;
      },
    },
  ];
}
