import type { GrantOrder, HeldLine } from '../resolve/grants/grant-line.ts';
import type { Milliseconds, SinceBoot } from '../wire/quantity.ts';
import { clientPlaceOf, holds, isPrefix, setOf, textOfPlace } from './client-place.ts';
import { keptFromReturning } from './cut-flows.ts';
import { GrantIndex } from './grant-index.ts';
import type { GrantJournal } from './grant-journal.ts';
import { GrantOrigins } from './grant-origins.ts';
import { cutConnections } from './kernel/connections.ts';
import type { ElementChange, SetElements } from './kernel/elements.ts';
import { fingerprint } from './kernel/fingerprint.ts';
import { faultText, type NetfilterExchange } from './kernel/netlink-exchange.ts';
import { LivePrefixes, prefixOf } from './live-prefixes.ts';
import { changesOf, keysOf } from './orders.ts';
import { type SkeletonTerms, skeleton } from './table-skeleton.ts';

export interface FirewallParts {
  readonly exchange: NetfilterExchange;
  readonly elements: SetElements;
  /** Runs a script of nft(8); null, or what is wrong. */
  readonly nft: (script: string) => string | null;
  /** Monotonic milliseconds since the machine started. */
  readonly now: () => SinceBoot;
  /** Keeps for what grants were given; null where nothing does. */
  readonly journal: GrantJournal | null;
}

/** Milliseconds of silence after which a UDP flow that was cut may be begun from outside, as any may. */
const REVIVED_MS: Milliseconds = 3_600_000;
/** Elements that are taken out in one transaction. */
const AT_ONCE = 256;
/** Milliseconds that a grant may have left beyond what was told of it: less is how long the telling took. */
const TELLING_MS: Milliseconds = 1_000;

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
  readonly #prefixes = new LivePrefixes();
  #prefixesWritten = '';
  /** Everybody who is live has been told since the start: until then the kernel's prefixes stay beside those that were. */
  #isComplete = false;
  /** Connections may be older than the rules. */
  #isNew = false;
  readonly #origins = new GrantOrigins();
  /** Grants that were told since the resolver began to tell all, by set and key, and until when; null where all is told. */
  #told: Map<string, SinceBoot> | null = null;

  constructor(parts: FirewallParts) {
    this.#parts = parts;
    parts.journal?.open(this.#origins, parts.now());
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
      ? skeleton(terms) + this.#index.script(now()) + this.#prefixes.script(this.#isComplete)
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
    const prefixes = orders.filter((order) => this.#prefixes.note(order)).length > 0;
    const results: (string | null)[] = [];
    const changes: ElementChange[] = [];
    const back: ElementChange[] = [];
    let journal = '';
    for (const order of orders) {
      const made = this.#make(order, now);
      results.push(typeof made === 'string' ? made : null);
      if (typeof made === 'string') continue;
      changes.push(...made.changes);
      back.unshift(...made.back);
      journal += this.#noteOrigin(order, now);
    }
    // Before the kernel is told: an origin without a grant is nothing, and a grant without an origin does not outlive a restart.
    this.#parts.journal?.append(journal);
    if (this.#parts.elements.commit(changes).length > 0) {
      // One bad part adds nothing of all: each by itself then.
      this.#index.note(back, now);
      orders.forEach((order, i) => {
        if (results[i] === null) results[i] = this.#applyOne(order, now);
      });
    }
    const wrong = prefixes ? this.#writePrefixes() : null;
    orders.forEach((order, i) => {
      if (wrong !== null && prefixOf(order) !== null) results[i] ??= wrong;
      if (order.op === 'end' && results[i] === null) results[i] = this.#cut(order.client);
    });
    return results;
  }

  /** A resolver begins to tell all. One that tells it `again` has told of every grant, or is about to. */
  begin(again: boolean): void {
    if (!again) this.#told = new Map();
  }

  /** All that the kernel holds of which it is known for what it was given. */
  held(): Iterable<HeldLine> {
    const now = this.#parts.now();
    return this.#origins.held(now, ({ client, address, ports }) =>
      Math.max(0, ...keysOf(client, address, ports).map((key) => this.#index.until(client, key))),
    );
  }

  /**
   * All that is live and granted has been told: grants that were not are over. The first time, connections that are older than
   * the rules are judged. `dropped`: grants that are over, or for less long.
   */
  settle(): { readonly wrong: string | null; readonly dropped: number } {
    this.#isComplete = true;
    const over = this.#untold(this.#parts.now());
    let wrong: string | null = null;
    for (let at = 0; at < over.length; at += AT_ONCE)
      wrong = this.#change(over.slice(at, at + AT_ONCE)) ?? wrong;
    wrong = this.#writePrefixes() ?? wrong;
    if (this.#isNew) {
      this.#isNew = false;
      const prefixes = [...this.#prefixes.all()];
      const isGoverned = (address: Uint8Array): boolean =>
        this.#index.live.has(textOfPlace(address)) || prefixes.some((prefix) => holds(prefix, address));
      for (const family of [4, 6] as const) wrong = this.#cutFlows(family, isGoverned, null) ?? wrong;
    }
    return { wrong, dropped: over.length };
  }

  /** What takes out the grants that were not told, and gives those that were told for less long that end. */
  #untold(now: SinceBoot): ElementChange[] {
    const told = this.#told;
    this.#told = null;
    if (told === null) return [];
    const over: ElementChange[] = [];
    for (const client of this.#index.clients())
      for (const { set, key, until } of this.#index.of(client)) {
        const end = told.get(`${set} ${key.toString('latin1')}`) ?? 0;
        if (end + TELLING_MS < until) over.push({ set, key, ttl: end > now ? end - now : null });
      }
    return over;
  }

  #change(changes: readonly ElementChange[]): string | null {
    const back = this.#index.note(changes, this.#parts.now());
    const [fault] = this.#parts.elements.commit(changes);
    if (fault === undefined) return null;
    this.#index.note(back, this.#parts.now());
    return faultText(fault);
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
    const before = [...this.#index.live.keys(), ...this.#prefixes.texts()].filter((text) => !told.has(text));
    return [...new Set([...clients, ...before])];
  }

  /** Lets go of what has ended. */
  sweep(): void {
    const now = this.#parts.now();
    this.#index.sweep(now);
    this.#origins.sweep(now);
    this.#parts.journal?.tidy(this.#origins);
  }

  /** Notes for what an order is. Returns the lines of the journal. */
  #noteOrigin(order: GrantOrder, now: SinceBoot): string {
    if (order.op === 'grant' && this.#told !== null)
      for (const key of keysOf(order.client, order.address, order.ports)) {
        const place = `${setOf(key.length === 16 ? 4 : 6, 'grants')} ${key.toString('latin1')}`;
        this.#told.set(place, Math.max(now + order.ttl_ms, this.#told.get(place) ?? 0));
      }
    if (order.op !== 'end') return this.#origins.note(order, now);
    const place = clientPlaceOf(order.client);
    if (place === null) return '';
    // Who is live by an address of its own inside a prefix goes on.
    const isOver = (client: string): boolean => {
      if (!isPrefix(place)) return client === place.text;
      const own = clientPlaceOf(client);
      return own !== null && holds(place, own.octets) && !this.#index.live.has(client);
    };
    const over = isPrefix(place) ? [...this.#origins.clients()].filter(isOver) : [place.text];
    return over.map((client) => this.#origins.end(client)).join('');
  }

  #make(order: GrantOrder, now: SinceBoot): Made | string {
    const changes = changesOf(order, this.#index, now, this.#told === null ? 0 : TELLING_MS);
    return typeof changes === 'string' ? changes : { changes, back: this.#index.note(changes, now) };
  }

  #applyOne(order: GrantOrder, now: SinceBoot): string | null {
    const made = this.#make(order, now);
    if (typeof made === 'string') return made;
    const [fault] = this.#parts.elements.commit(made.changes);
    if (fault === undefined) return null;
    this.#index.note(made.back, now);
    return faultText(fault);
  }

  #writePrefixes(): string | null {
    const script = this.#prefixes.script(this.#isComplete);
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

  #cut(client: string): string | null {
    const place = clientPlaceOf(client);
    if (place === null) return null;
    const exact = isPrefix(place) ? null : place.octets;
    // Who is live by an address of its own inside a prefix goes on.
    const isOver = (address: Uint8Array): boolean =>
      holds(place, address) && (exact !== null || !this.#index.live.has(textOfPlace(address)));
    return this.#cutFlows(place.family, isOver, exact);
  }

  /** Connections end, and none of UDP comes back from outside. Returns what is wrong, or null. */
  #cutFlows(
    family: 4 | 6,
    isOver: (address: Uint8Array) => boolean,
    exact: Uint8Array | null,
  ): string | null {
    const { exchange, elements } = this.#parts;
    const set = setOf(family, 'cut');
    let wrong: string | null = null;
    cutConnections(exchange, family, isOver, exact, (flows) => {
      const { kept, over } = keptFromReturning(flows, family, this.#terms?.listeners ?? []);
      if (over > 0) wrong = `${over} UDP flows of a client that has too many may be revived from outside`;
      for (let at = 0; at < kept.length; at += AT_ONCE) {
        const changes = kept.slice(at, at + AT_ONCE).map((key) => ({ set, key, ttl: REVIVED_MS }));
        const [fault] = elements.commit(changes);
        if (fault !== undefined) wrong = `a UDP flow may be revived from outside: ${faultText(fault)}`;
      }
    });
    return wrong;
  }
}

interface Made {
  readonly changes: readonly ElementChange[];
  readonly back: readonly ElementChange[];
}
