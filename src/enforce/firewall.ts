import type { GrantOrder } from '../resolve/grants/grant-line.ts';
import { type ClientPlace, clientPlaceOf, holds, isPrefix, setOf, textOfPlace } from './client-place.ts';
import { GrantIndex } from './grant-index.ts';
import { cutConnections } from './kernel/connections.ts';
import type { ElementChange, SetElements } from './kernel/elements.ts';
import { fingerprint } from './kernel/fingerprint.ts';
import type { KernelFault, NetfilterExchange } from './kernel/netlink-exchange.ts';
import { changesOf } from './orders.ts';
import { type SkeletonTerms, skeleton } from './table-skeleton.ts';

export interface FirewallParts {
  readonly exchange: NetfilterExchange;
  readonly elements: SetElements;
  /** Runs a script of nft(8); null, or what is wrong. */
  readonly nft: (script: string) => string | null;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** What was found when the rules were looked at. */
export interface Condition {
  readonly hash: string | null;
  /** Empty: they are as they were written. */
  readonly trouble: string;
}

/** The table `inet namegate`: its rules, and what its sets hold. The kernel is the truth, and the index a copy. */
export class Firewall {
  readonly #parts: FirewallParts;
  readonly #index = new GrantIndex();
  #terms: SkeletonTerms | null = null;
  #written: string | null = null;
  /** Live, of identities and leases, by their text. */
  readonly #prefixes = new Map<string, ClientPlace>();
  #prefixesWritten = '';
  /** Everybody who is live has been told since the start: until then the kernel's prefixes stay beside those that were. */
  #isComplete = false;
  /** Connections may be older than the rules. */
  #isNew = false;

  constructor(parts: FirewallParts) {
    this.#parts = parts;
  }

  /** Grants that are not known to have ended. */
  get size(): number {
    return this.#index.size;
  }

  /**
   * Writes the rules. What the sets hold stays, and is read. Where no rules stood before, connections that are there already
   * are judged with their next packet. Returns what is wrong, or null.
   */
  load(terms: SkeletonTerms): string | null {
    const { nft, exchange, now } = this.#parts;
    const first = fingerprint(exchange) === null;
    // Where somebody took all away, what was live and granted is back with the rules, or open connections would be refused.
    const script = first
      ? skeleton(terms) + this.#index.script(now()) + this.#prefixScript()
      : skeleton(terms);
    let wrong = nft(script);
    // Sets of another form: all of it goes, in the same transaction.
    if (wrong !== null && !first)
      wrong = nft(`table inet namegate {\n}\ndelete table inet namegate\n${script}`);
    if (wrong !== null) return wrong;
    this.#terms = terms;
    this.#written = fingerprint(exchange);
    this.#prefixesWritten = '';
    this.#read();
    if (first) this.#isNew = true;
    return this.#writePrefixes();
  }

  /** Looks at the rules, and writes them again where somebody has changed them. */
  mend(): Condition {
    const { exchange } = this.#parts;
    const hash = fingerprint(exchange);
    if (hash === this.#written || this.#terms === null) return { hash, trouble: '' };
    const what = hash === null ? 'the rules were gone' : 'the rules were changed by somebody else';
    const wrong = this.load(this.#terms);
    const then = wrong === null ? 'they were written again' : `and could not be written again: ${wrong}`;
    return { hash: this.#written, trouble: `${what}; ${then}` };
  }

  /** Puts orders in force, in their sequence. Returns for each what is wrong with it, or null. */
  apply(orders: readonly GrantOrder[]): (string | null)[] {
    const now = this.#parts.now();
    const prefixes = orders.filter((order) => this.#notePrefix(order)).length > 0;
    const results: (string | null)[] = [];
    const changes: ElementChange[] = [];
    const back: ElementChange[] = [];
    for (const order of orders) {
      const made = this.#make(order, now);
      results.push(typeof made === 'string' ? made : null);
      if (typeof made === 'string') continue;
      changes.push(...made.changes);
      back.unshift(...made.back);
    }
    if (this.#parts.elements.commit(changes).length > 0) {
      // One bad part adds nothing of all: each by itself then.
      this.#index.note(back, now);
      orders.forEach((order, i) => {
        if (results[i] === null) results[i] = this.#applyOne(order, now);
      });
    }
    const wrong = prefixes ? this.#writePrefixes() : null;
    orders.forEach((order, i) => {
      if (wrong !== null && this.#isPrefixOrder(order)) results[i] ??= wrong;
      if (order.op === 'end' && results[i] === null) this.#cut(order.client);
    });
    return results;
  }

  /** All that is live has been told. The first time, connections that are older than the rules are judged. A text says what is wrong. */
  settle(): string | null {
    this.#isComplete = true;
    const wrong = this.#writePrefixes();
    if (!this.#isNew) return wrong;
    this.#isNew = false;
    const prefixes = [...this.#prefixes.values()];
    const isGoverned = (address: Uint8Array): boolean =>
      this.#index.live.has(textOfPlace(address)) || prefixes.some((prefix) => holds(prefix, address));
    for (const family of [4, 6] as const) cutConnections(this.#parts.exchange, family, isGoverned, null);
    return wrong;
  }

  /**
   * Clients that `told` does not hold, by themselves or in a prefix: live addresses and prefixes of before, and who has grants.
   */
  strangers(told: ReadonlySet<string>): string[] {
    const prefixes = [...told].flatMap((text) => clientPlaceOf(text) ?? []).filter(isPrefix);
    const covered = (client: string): boolean => {
      if (told.has(client) || this.#index.certified.has(client)) return true;
      const place = clientPlaceOf(client);
      return place !== null && prefixes.some((prefix) => holds(prefix, place.octets));
    };
    const clients = [...this.#index.clients()].filter((client) => !covered(client));
    const before = [...this.#index.live.keys(), ...this.#prefixes.keys()].filter((text) => !told.has(text));
    return [...new Set([...clients, ...before])];
  }

  /** Lets go of what has ended. */
  sweep(): void {
    this.#index.sweep(this.#parts.now());
  }

  #make(order: GrantOrder, now: number): Made | string {
    const changes = changesOf(order, this.#index, now);
    return typeof changes === 'string' ? changes : { changes, back: this.#index.note(changes, now) };
  }

  #applyOne(order: GrantOrder, now: number): string | null {
    const made = this.#make(order, now);
    if (typeof made === 'string') return made;
    const [fault] = this.#parts.elements.commit(made.changes);
    if (fault === undefined) return null;
    this.#index.note(made.back, now);
    return faultText(fault);
  }

  #isPrefixOrder(order: GrantOrder): boolean {
    if (order.op !== 'live' && order.op !== 'end') return false;
    const place = clientPlaceOf(order.client);
    return place !== null && isPrefix(place);
  }

  #notePrefix(order: GrantOrder): boolean {
    if (order.op !== 'live' && order.op !== 'end') return false;
    const place = clientPlaceOf(order.client);
    if (place === null || !isPrefix(place)) return false;
    if (order.op === 'live') this.#prefixes.set(place.text, place);
    else this.#prefixes.delete(place.text);
    return true;
  }

  #prefixScript(): string {
    const lines = ([4, 6] as const).map((family) => {
      const set = `inet namegate ${setOf(family, 'prefixes')}`;
      const of = [...this.#prefixes.values()].filter((prefix) => prefix.family === family);
      const add = of.length === 0 ? '' : `add element ${set} { ${of.map(({ text }) => text).join(', ')} }\n`;
      return this.#isComplete ? `flush set ${set}\n${add}` : add;
    });
    return lines.join('');
  }

  #writePrefixes(): string | null {
    const script = this.#prefixScript();
    if (script === this.#prefixesWritten || script === '') return null;
    const wrong = this.#parts.nft(script);
    if (wrong === null) this.#prefixesWritten = script;
    return wrong;
  }

  #read(): void {
    const { elements, now } = this.#parts;
    this.#index.clear();
    for (const family of [4, 6] as const)
      for (const kind of ['live', 'certified', 'grants'] as const) {
        const set = setOf(family, kind);
        this.#index.take(set, elements.list(set), now());
      }
  }

  #cut(client: string): void {
    const place = clientPlaceOf(client);
    if (place === null) return;
    const exact = isPrefix(place) ? null : place.octets;
    // Who is live by an address of its own inside a prefix goes on.
    const isOver = (address: Uint8Array): boolean =>
      holds(place, address) && (exact !== null || !this.#index.live.has(textOfPlace(address)));
    cutConnections(this.#parts.exchange, place.family, isOver, exact);
  }
}

interface Made {
  readonly changes: readonly ElementChange[];
  readonly back: readonly ElementChange[];
}

function faultText({ errno }: KernelFault): string {
  const known: Readonly<Record<number, string>> = {
    1: 'the enforcer has no right to (CAP_NET_ADMIN)',
    2: 'the table or set is gone',
    11: 'the kernel did not answer in time',
    12: 'the kernel has no memory for it',
    23: 'the set is full',
  };
  return known[errno] ?? `the kernel refused it (errno ${errno})`;
}
