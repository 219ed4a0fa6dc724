import { addressToText } from '../../policy/address.ts';
import { type AddressWords, firstOf, HeldAddress } from '../../wire/ip-address.ts';
import { nameToText } from '../../wire/name.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import type { Turn } from '../story/turn.ts';
import type { Enforcement, FirewallTerms, GrantWaiter } from './enforcement.ts';
import { GrantBook, MOST_GRANTS, MOST_OF_HOLDER } from './grant-book.ts';
import type { GrantOrder, GrantReason } from './grant-line.ts';
import { hardEnd, lifeOf, portsOf, reasonOf } from './grant-terms.ts';
import { GrantedAnswers } from './granted-answers.ts';
import { GrantedClient, type GrantPlace } from './granted-client.ts';
import { chainOf, ReplyAddresses } from './reply-addresses.ts';

/** What becomes of a reply that holds addresses. */
export const PASS = { GIVE: 0, WAIT: 1, PROVE: 2, REFUSE: 3 } as const;
export type Pass = (typeof PASS)[keyof typeof PASS];

/** Milliseconds beyond a TTL that a grant has left, or it is given anew: a stub may be slow. */
const AHEAD: Milliseconds = 5_000;
/** Ends of rules are whole seconds: counted from another moment within one, the same end is up to a second later. */
const WHOLE_SECOND: Milliseconds = 1_000;
/** A client whose certificate alone says who it is may send for so long after a grant. */
const CERTIFIED: Milliseconds = 86_400_000;

/**
 * The last door of the story: an answer with addresses leaves when the firewall lets its client connect to them. It reads the
 * reply itself, so that no way of answering can pass by it.
 */
export class Gate {
  readonly book: GrantBook;
  readonly #enforcement: Enforcement;
  readonly #addresses = new ReplyAddresses();
  readonly #answers: GrantedAnswers;
  /** The address of the reply that is looked at; not re-entrant. */
  readonly #at: AddressWords = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };
  /** Where the packets of the turn's client are judged; not re-entrant. */
  readonly #place = new HeldAddress();
  /** When the first of what the answer opens ends. */
  #soonest: Monotonic = 0;
  /** What `pass` found missing, of the one who asked and of its lease's address of the other family. */
  readonly #own: Want = { client: null, missing: [] };
  readonly #other: Want = { client: null, missing: [] };
  #until: Monotonic = 0;
  #ports: readonly string[] = [];
  #chain: readonly string[] = [];

  /** `salt`: 32 bits that nobody outside knows. */
  constructor(enforcement: Enforcement, salt: number) {
    this.#enforcement = enforcement;
    this.book = new GrantBook(salt);
    this.#answers = new GrantedAnswers(salt);
  }

  /** Judges the reply of `length` octets that the turn has written. */
  pass(turn: Turn, length: number): Pass {
    const { reply, asker } = turn;
    const addresses = this.#addresses;
    addresses.read(reply.out, length);
    if (addresses.count === 0) return PASS.GIVE;
    const terms = turn.inForce.firewall;
    if (terms === null) return PASS.GIVE;
    const { now } = turn;
    const least = now + 1000 * addresses.ttl + AHEAD;
    // Who shows no certificate is known by his address alone.
    const isPlain = asker.client.credential === null && !addresses.over;
    if (isPlain && this.#answers.find(asker.client, turn.query, addresses, this.book.version) > least)
      return PASS.GIVE;
    const client = this.#clientOf(turn);
    if (client === null) return PASS.GIVE;
    if (addresses.over) return this.#over(turn, client, 'addresses of one name');
    const hard = hardEnd(turn);
    if (hard <= now) return PASS.GIVE;
    this.#soonest = Number.POSITIVE_INFINITY;
    const ports = portsOf(turn, terms);
    this.#look(turn, this.#own, client, least, hard, ports);
    if ((client.family === 4 ? addresses.six : addresses.four) > 0)
      this.#look(turn, this.#other, this.#otherOf(turn, client), least, hard, ports);
    else this.#other.client = null;
    if (this.#other.client === null && this.#other.missing.length > 0) this.#other.missing = [];
    if (this.#own.missing.length + this.#other.missing.length === 0) {
      if (isPlain && Number.isFinite(this.#soonest)) this.#answers.keep(this.#soonest);
      return PASS.GIVE;
    }
    if (!asker.proven) return PASS.PROVE;
    if (!this.#hasRoom(this.#own, now) || !this.#hasRoom(this.#other, now))
      return this.#over(turn, client, 'grants of one client');
    this.#ports = ports;
    this.#chain = chainOf(reply.out, length);
    this.#until = Math.min(hard, now + lifeOf(turn, addresses.ttl));
    return turn.fetched.isRefused || this.#enforcement.down ? this.#lack(turn, client, terms) : PASS.WAIT;
  }

  /** Notes which of the reply's addresses a client may not connect to for long enough. */
  #look(
    turn: Turn,
    want: Want,
    client: GrantedClient | null,
    least: Monotonic,
    hard: Monotonic,
    ports: readonly string[],
  ): void {
    want.client = client;
    if (want.missing.length > 0) want.missing = [];
    if (client === null) return;
    const { count } = this.#addresses;
    const { name, nameLength } = turn.query;
    const at = this.#at;
    for (let i = 0; i < count; i++) {
      this.#addresses.get(i, at);
      if (at.family !== client.family) continue;
      const named = this.book.named(client, at, name, nameLength);
      const left = named === null || !samePorts(named.ports, ports) ? 0 : named.until;
      if (left < this.#soonest) this.#soonest = left;
      if (left <= least && left < hard - WHOLE_SECOND) want.missing.push({ ...at });
    }
  }

  #hasRoom({ client, missing }: Want, now: Monotonic): boolean {
    if (client === null || missing.length === 0) return true;
    const { book } = this;
    const isNew = !book.has(client);
    if (client.size + missing.length > MOST_GRANTS && !isNew) {
      book.prune(client, ({ until }) => until > now);
      // It has gone, if nothing was left of it.
      if (client.size === 0 && !book.has(client)) book.add(client);
    }
    if (client.size + missing.length > MOST_GRANTS) return false;
    const { clients, grants } = book.of(client);
    // What has ended is let go every ten seconds (`GrantReview.look`).
    if (grants + missing.length > MOST_OF_HOLDER.grants) return false;
    if (isNew && clients >= MOST_OF_HOLDER.clients) book.forgetIdle(client);
    return !isNew || book.of(client).clients < MOST_OF_HOLDER.clients;
  }

  /** Asks for what `pass` found missing. `then` is told whether it is in the kernel, once. */
  ask(turn: Turn, then: (good: boolean) => void): void {
    const { now, query } = turn;
    const name = Uint8Array.from(query.name.subarray(0, query.nameLength));
    const until = this.#until;
    const ports = this.#ports;
    const reason = reasonOf(turn, this.#chain);
    const wants = [this.#own, this.#other].flatMap(({ client, missing }) =>
      client === null || missing.length === 0 ? [] : [{ client, missing }],
    );
    const orders = wants.flatMap(({ client, missing }) => [
      ...this.#introduce(client),
      ...missing.map((at) => grantLine(client, nameToText(name), at, ports, until - now, reason)),
    ]);
    this.#own.missing = [];
    this.#other.missing = [];
    let waits = true;
    const tell = (good: boolean): void => {
      if (waits) then(good);
      waits = false;
    };
    const waiter: GrantWaiter = {
      settled: (good) => {
        for (const { client, missing } of wants) {
          // Whoever has ended meanwhile has nothing.
          if (!good || !this.book.has(client)) continue;
          for (const address of missing) this.book.put(client, address, name, ports, until, reason);
        }
        tell(good);
      },
      expired: () => tell(false),
    };
    this.#enforcement.order(orders, waiter);
  }

  /** Enters a client in the book; one that its certificate alone makes known may send from now on. */
  #introduce(client: GrantedClient): GrantOrder[] {
    if (!this.book.has(client)) this.book.add(client);
    return client.certified ? [certifiedLine(client)] : [];
  }

  /** The client of the turn, from the book, or a new one that is not in it yet; null where no packet of it is judged. */
  #clientOf(turn: Turn): GrantedClient | null {
    const { asker } = turn;
    const { client, bound, standing } = asker;
    const named = bound?.client ?? null;
    const place = this.#place;
    place.takeAddress(named === null ? client : firstOf(named));
    place.unmap();
    const { family, w0, w1, w2, w3 } = place;
    const local = family === 4 ? w0 >>> 24 === 127 : w0 === 0 && w1 === 0 && w2 === 0 && w3 === 1;
    if (local || !asker.isKnown) return null;
    const lease = bound === null ? '' : bound.lease;
    const { name } = standing.identity;
    const known = this.book.find(place, lease, name);
    if (known !== null) return known;
    const unnamed = bound === null || (named === null && bound.sources?.length === 0);
    const certified = client.credential !== null && unnamed;
    return new GrantedClient(place, lease, name, certified);
  }

  /** The lease's address of the other family: a job asks for both over one of them. */
  #otherOf({ asker }: Turn, { family, lease, identity }: GrantedClient): GrantedClient | null {
    const { bound } = asker;
    if (bound === null || bound.client != null) return null;
    const source = bound.sources?.find((each) => each.family !== family);
    if (source === undefined) return null;
    const place = firstOf(source);
    return this.book.find(place, lease, identity) ?? new GrantedClient(place, lease, identity, false);
  }

  #lack(turn: Turn, client: GrantedClient, { open }: FirewallTerms): Pass {
    const facts = { client: textOf(client), identity: client.identity, given: open };
    this.#enforcement.found('grant-missing', { ...facts, name: nameOf(turn) });
    return open ? PASS.GIVE : PASS.REFUSE;
  }

  #over(turn: Turn, client: GrantedClient, limit: string): Pass {
    const facts = { client: textOf(client), identity: client.identity, limit, name: nameOf(turn) };
    this.#enforcement.found('grant-limit', facts);
    return PASS.REFUSE;
  }
}

function nameOf({ query }: Turn): string {
  return nameToText(Uint8Array.from(query.name.subarray(0, query.nameLength)));
}

export function samePorts(one: readonly string[], other: readonly string[]): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

export function textOf({ family, w0, w1, w2, w3 }: GrantPlace): string {
  const octets = new Uint8Array(family === 4 ? 4 : 16);
  const words = [w0, w1, w2, w3];
  for (let i = 0; i < octets.length; i++) octets[i] = words[i >> 2]! >>> (24 - 8 * (i & 3));
  return addressToText(octets);
}

export function certifiedLine(client: GrantedClient): GrantOrder {
  const { identity, lease } = client;
  const ttl = CERTIFIED;
  return { op: 'live', client: textOf(client), identity, lease: lease || null, ttl_ms: ttl, certified: true };
}

export function grantLine(
  client: GrantedClient,
  name: string,
  address: GrantPlace,
  ports: readonly string[],
  ttl: Milliseconds,
  { chain, rule, policy }: GrantReason,
): GrantOrder {
  const { identity, lease } = client;
  const who = { identity, lease: lease || null, client: textOf(client) };
  const what = { name, chain, address: textOf(address), ports, ttl_ms: Math.ceil(ttl) };
  return { op: 'grant', ...who, ...what, rule, policy };
}

interface Want {
  client: GrantedClient | null;
  missing: GrantPlace[];
}
