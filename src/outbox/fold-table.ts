import { SharedTable } from '../detect/shared-table.ts';

/** Entries that are open at once: of one identity, and of all. */
const MOST_OF_ONE = 128;
const MOST_OF_ALL = 2_048;
/** A power of two. */
const CHAINS = 4_096;

/** Questions that are folded together, by what they have in common. */
export interface FoldKey {
  /** Who asked: one object for each. */
  readonly owner: FoldOwner;
  /** What was decided, and how: numbers that mean something to whoever puts it here. */
  readonly what: number;
  readonly shape: number;
  readonly lease: string;
  /** Octets of a wire name, or none. */
  readonly name: Uint8Array;
  /** Of `name`, as `hashOf` gives it. */
  readonly hash: number;
}

/** An entry of the table: a key whose octets are its own, and the next of its chain. */
export interface FoldPlace<E> extends FoldKey {
  readonly number: number;
  next: E | null;
}

/** An identity, and whether its addresses are proved. */
export interface FoldOwner {
  /** Different for each owner. */
  readonly text: string;
  /** Random: names that share a chain of one owner share none of another. */
  readonly salt: number;
}

/**
 * Open entries, shared fairly by those who ask. A look makes no text and allocates nothing: keys are compared octet by octet, so
 * no two of them are ever taken for one.
 */
export class FoldTable<E extends FoldPlace<E>> {
  readonly #shares = new SharedTable<E>(MOST_OF_ONE, MOST_OF_ALL);
  readonly #chains: (E | null)[] = new Array<E | null>(CHAINS).fill(null);

  /** The entry of this key, whose name begins at `start`; null for none. */
  find(
    owner: FoldOwner,
    what: number,
    shape: number,
    lease: string,
    name: Uint8Array,
    start: number,
    hash: number,
  ): E | null {
    for (let entry = this.#first(owner, hash); entry !== null; entry = entry.next) {
      if (
        entry.hash === hash &&
        entry.owner === owner &&
        entry.what === what &&
        entry.shape === shape &&
        entry.lease === lease &&
        isSame(entry.name, name, start)
      )
        return entry;
    }
    return null;
  }

  /** Puts an entry in; gives what had to go for it, or null. */
  add(entry: E): E | null {
    const evicted = this.#shares.add(entry.owner.text, String(entry.number), entry)?.value ?? null;
    if (evicted !== null) this.#unchain(evicted);
    const chain = chainOf(entry.owner, entry.hash);
    entry.next = this.#first(entry.owner, entry.hash);
    this.#chains[chain] = entry;
    return evicted;
  }

  delete(entry: E): void {
    this.#shares.delete(entry.owner.text, String(entry.number));
    this.#unchain(entry);
  }

  has(owner: FoldOwner): boolean {
    return this.#shares.sizeOf(owner.text) > 0;
  }

  /** All entries, as they are now. */
  all(): E[] {
    return [...this.#shares.all()].map(({ value }) => value);
  }

  #first(owner: FoldOwner, hash: number): E | null {
    return this.#chains[chainOf(owner, hash)] ?? null;
  }

  #unchain(entry: E): void {
    const chain = chainOf(entry.owner, entry.hash);
    let before: E | null = null;
    for (let at = this.#first(entry.owner, entry.hash); at !== null; before = at, at = at.next) {
      if (at !== entry) continue;
      if (before === null) this.#chains[chain] = at.next;
      else before.next = at.next;
      return;
    }
  }
}

/** FNV-1a of the octets from `start` on. */
export function hashOf(name: Uint8Array, start: number): number {
  let hash = 0x811c_9dc5;
  for (let i = start; i < name.length; i++) hash = Math.imul(hash ^ name[i]!, 0x0100_0193);
  return hash ^ (hash >>> 15);
}

function chainOf({ salt }: FoldOwner, hash: number): number {
  const mixed = Math.imul(hash ^ salt, 0x85eb_ca6b);
  return (mixed ^ (mixed >>> 15)) & (CHAINS - 1);
}

function isSame(octets: Uint8Array, name: Uint8Array, start: number): boolean {
  const { length } = octets;
  if (name.length - start !== length) return false;
  for (let i = 0; i < length; i++) if (octets[i] !== name[start + i]) return false;
  return true;
}
