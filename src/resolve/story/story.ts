import { decide, GROUND, VERDICT } from '../../policy/decide.ts';
import { REASON } from '../../policy/explain.ts';
import type { LeaseTable } from '../../policy/lease.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import { FLAG, HEADER_SIZE, messageFlags } from '../../wire/header.ts';
import { EDE, RCODE, TYPE } from '../../wire/iana.ts';
import { readQuery } from '../../wire/question.ts';
import { NO_EDE, PADDING_BLOCK, ReplyWriter, UDP_PAYLOAD } from '../../wire/reply.ts';
import type { AnswerStore, Entry } from '../answer/answer.ts';
import type { Cookies } from '../client/cookies.ts';
import { Standings } from '../client/standing.ts';
import { Tally } from '../client/tally.ts';
import { EXIT } from '../exit.ts';
import { Flights } from '../flights/flights.ts';
import { KEY_ROOM, keyOf } from '../flights/key.ts';
import type { InForce } from '../in-force.ts';
import { followRedirects, writeAny, writeLinks, writeLocal, writeSpecial } from '../local/local.ts';
import {
  ANSWER_IT,
  type Answerer,
  type Client,
  type Clock,
  DROP_IT,
  DROPPED,
  type Forwarder,
  LATER,
  type Limits,
  type Observer,
} from '../ports.ts';
import { isAudited } from './audit.ts';
import { grantOf, ttlBound } from './bounds.ts';
import { Endings } from './endings.ts';
import { giveAnswer, withheldBecause } from './give.ts';
import { Recogniser } from './recognise.ts';
import { refusalOf } from './refusal.ts';
import { TrustTargets } from './trust.ts';
import { type Fetched, Pending, Turn } from './turn.ts';

export interface Ports {
  readonly store: AnswerStore;
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly observer: Observer;
  readonly leases: LeaseTable;
  readonly cookies: Cookies;
}

/** Times that one query may wait for an upstream: once, and again when a reload changed what it needs. */
const MAX_ROUNDS = 3;

/** THE story of one query (DESIGN §4), from its octets to its reply. */
export class Resolver implements Answerer {
  readonly flights: Flights;
  /** Verdicts by lease. */
  readonly tally = new Tally();
  readonly #ports: Ports;
  readonly #turn = new Turn();
  readonly #writer = new ReplyWriter();
  readonly #standings = new Standings();
  readonly #trust = new TrustTargets();
  readonly #lateReply = Buffer.alloc(0x1_0000);
  readonly #endings: Endings;
  readonly #recogniser: Recogniser;
  readonly #cookies: Cookies;
  #inForce: InForce;
  #waiting = 0;

  constructor(ports: Ports, inForce: InForce) {
    this.#ports = ports;
    this.flights = new Flights(ports.forwarder, ports.store, ports.clock, ports.observer);
    this.#inForce = inForce;
    this.#cookies = ports.cookies;
    this.#writer.cookie = ports.cookies.reply;
    this.#recogniser = new Recogniser(inForce.snapshot, this.#standings, ports.leases);
    this.#endings = new Endings(inForce, this.#turn, this.#writer, ports.observer);
    this.swap(inForce);
  }

  /** Puts another policy in force, between one query and the next. */
  swap(inForce: InForce): void {
    this.#inForce = inForce;
    this.#endings.inForce = inForce;
    this.#standings.update(inForce.snapshot, inForce.limits.inFlight);
    this.#recogniser.swap(inForce.snapshot);
    this.flights.configure(inForce);
  }

  /** Questions that wait for an upstream. */
  get waiting(): number {
    return this.#waiting;
  }

  answer(message: Buffer, length: number, client: Client, reply: Buffer): number {
    // Replies are never answered (RFC 5358 §4); what has no header cannot be.
    const answerable = length >= HEADER_SIZE && (messageFlags(message) & FLAG.QR) === 0;
    try {
      return answerable ? this.#story(message, length, client, reply, null) : this.#endings.drop();
    } catch (error) {
      const size = this.#endings.bug(error, message, reply);
      return answerable ? size : DROPPED;
    }
  }

  #story(message: Buffer, length: number, client: Client, reply: Buffer, fetched: Fetched | null): number {
    const turn = this.#begin(client, reply, fetched);
    const { query, decision, standing } = turn;
    const snapshot = this.#inForce.snapshot;
    const known = standing.identity.index >= 0;

    const admitted = fetched !== null || known ? ANSWER_IT : this.#admitUnknown(turn);
    if (admitted === DROP_IT) return this.#endings.drop();
    const fault = readQuery(message, length, query);
    turn.proven = this.#cookies.judge(query, client, turn.epoch) || !client.spoofable;
    if (client.transport === 'udp') turn.limit = Math.min(query.udpSize, UDP_PAYLOAD);
    if (admitted !== ANSWER_IT) return this.#endings.truncate();

    const refusal = refusalOf(query, fault);
    if (refusal !== null) return this.#endings.refuse(refusal.rcode, refusal.exit);
    // Whoever forges a source must not use up what its owner may ask.
    const counted = fetched === null && turn.proven;
    if (counted && known && !this.#ports.limits.identity(standing.identity.index, turn.now)) {
      return this.#endings.servfail(EXIT.limited, EDE.OTHER, REASON.LIMIT);
    }

    const dnssec = query.dnssecOk || (query.flags & FLAG.CD) !== 0;
    decide(snapshot, turn.view, query, query.type, dnssec, turn.epoch, decision);
    if (turn.doubt !== null) this.#endings.finding(turn.doubt);
    if (counted && turn.bound !== null) this.tally.count(turn.bound.lease, decision.verdict);
    switch (decision.verdict) {
      case VERDICT.LOCAL:
        return this.#local(snapshot);
      case VERDICT.ALLOW:
        return query.type === TYPE.ANY ? this.#any() : this.#forward(query.name, query.nameLength, null);
      default:
        if (dnssec && this.#isTrustQuestion()) return this.#forward(query.name, query.nameLength, null);
        if (isAudited(this.#turn)) return this.#audited();
        return decision.verdict === VERDICT.EMPTY ? this.#endings.empty() : this.#endings.deny();
    }
  }

  #begin(client: Client, reply: Buffer, fetched: Fetched | null): Turn {
    const turn = this.#turn;
    const { clock } = this.#ports;
    turn.client = client;
    turn.out = reply;
    turn.limit = client.transport === 'udp' ? 512 : 0xffff;
    turn.now = clock.monotonic();
    turn.epoch = clock.epoch();
    turn.fetched = fetched;
    this.#recogniser.recognise(client, turn);
    this.#writer.padding = client.transport === 'tls' ? PADDING_BLOCK : 0;
    this.#writer.keepalive = client.transport === 'udp' ? 0 : this.#inForce.keepalive;
    return turn;
  }

  #admitUnknown(turn: Turn): number {
    return turn.client.transport === 'udp' ? this.#ports.limits.unknown(turn.client, turn.now) : ANSWER_IT;
  }

  #local(snapshot: Snapshot): number {
    const { query, decision, out, limit } = this.#turn;
    const writer = this.#writer;
    const cap = this.#cap();
    if (decision.ground === GROUND.SPECIAL) {
      writer.begin(query, out, FLAG.AA, limit);
      writeSpecial(this.#turn, this.#inForce, writer, cap);
    } else {
      if (query.type === TYPE.ANY) return this.#any();
      const local = snapshot.locals.get(decision.node)!;
      if (local.redirect !== null) return this.#redirect(snapshot, local.redirect);
      writer.begin(query, out, FLAG.AA, limit);
      writeLocal(writer, HEADER_SIZE, local, query.type, cap);
    }
    return writer.isEmpty ? this.#endings.empty(EXIT.local) : this.#endings.written(EXIT.local);
  }

  #redirect(snapshot: Snapshot, first: NonNullable<Parameters<typeof followRedirects>[1]>): number {
    const { query, out, limit } = this.#turn;
    const writer = this.#writer;
    const end = followRedirects(snapshot, first);
    if (end.local === null && query.type !== TYPE.CNAME) {
      const target = end.last.to;
      this.#target.set(target);
      return this.#forward(this.#target, target.length, end);
    }
    writer.begin(query, out, FLAG.AA, limit);
    const links = query.type === TYPE.CNAME ? end.links.slice(0, 1) : end.links;
    const owner = writeLinks(writer, links, this.#cap());
    const answers = writer.answers;
    if (end.local !== null && query.type !== TYPE.CNAME)
      writeLocal(writer, owner, end.local, query.type, this.#cap());
    // No data of this type at the end of the chain: its SOA's owner is the root, an ancestor of every target.
    if (query.type !== TYPE.CNAME && writer.answers === answers) writer.negativeSoa(query.nameLength - 1);
    return this.#endings.written(EXIT.local);
  }

  readonly #target = Buffer.alloc(KEY_ROOM);

  /** RFC 8482 §4.2. */
  #any(): number {
    const { query, out, limit } = this.#turn;
    this.#writer.begin(query, out, FLAG.AA, limit);
    writeAny(this.#writer, this.#cap());
    return this.#endings.written(EXIT.local);
  }

  /** What an audited identity may not resolve is resolved, and recorded once: when it goes out, or is there already. */
  #audited(): number {
    const { query, fetched } = this.#turn;
    if (fetched === null) this.#endings.finding('would_deny');
    if (query.type === TYPE.ANY) return this.#any();
    return this.#forward(query.name, query.nameLength, null);
  }

  /** From the store, from what was waited for, or from an upstream later. `redirect` leads from the question to `name`. */
  #forward(name: Buffer, nameLength: number, redirect: ReturnType<typeof followRedirects> | null): number {
    const { query, standing, fetched, now } = this.#turn;
    const group = this.#inForce.groupOf(name, nameLength);
    const cd = (query.flags & FLAG.CD) !== 0;
    let key = this.#key(name, nameLength, group, cd, 0);
    // A renewed answer serves everyone, CD or not: nothing that a client sends may cause a question.
    if (this.flights.renewing && cd) {
      const renewed = this.#key(name, nameLength, group, false, 0);
      if (this.flights.isRenewed(renewed)) key = renewed;
    }
    if (this.#inForce.cache.share === 'identity' && !this.flights.isRenewed(key)) {
      key = this.#key(name, nameLength, group, cd, standing.id);
    }
    const waited = fetched !== null && fetched.key === key;
    const entry = waited ? fetched.entry : this.flights.lookup(key);
    if (entry !== undefined) {
      const failing = waited ? entry.failure !== null : this.flights.isFailing(entry, now);
      const fresh = waited ? !failing && !fetched.stale : this.flights.isFresh(entry, now);
      if (fresh && entry.answer !== null)
        return this.#give(entry, false, waited ? EXIT.forwarded : EXIT.hit, redirect);
      const stale = waited ? fetched.stale : failing || this.flights.isSlow(key);
      if (stale && this.flights.mayServeStale(entry, now))
        return this.#give(entry, true, EXIT.stale, redirect);
      if (failing) return this.#failed(entry, waited);
    }
    return this.#defer(key, name, nameLength, group, cd);
  }

  #key(name: Buffer, nameLength: number, group: number, cd: boolean, identity: number): string {
    return keyOf(name, nameLength, this.#turn.query.type, this.#inForce.groupIds[group]!, cd, identity);
  }

  #give(
    entry: Entry,
    stale: boolean,
    exit: number,
    redirect: ReturnType<typeof followRedirects> | null,
  ): number {
    const turn = this.#turn;
    const { snapshot } = this.#inForce;
    const { query, view, decision } = turn;
    const answer = entry.answer!;
    const grant = grantOf(turn, snapshot.rules, redirect?.last.private);
    const withheld = withheldBecause(answer, snapshot, view, grant, turn.epoch);
    if (withheld === REASON.TARGET && isAudited(this.#turn)) {
      // The target would be denied; the name that led here has been recorded if it would be too.
      if (decision.verdict === VERDICT.ALLOW || decision.verdict === VERDICT.LOCAL)
        this.#endings.finding('would_deny');
    } else if (withheld !== null) {
      this.#endings.finding(withheld === REASON.PRIVATE_ADDRESS ? 'private-address' : 'unapproved-target');
      return this.#endings.negative(RCODE.NOERROR, withheld, EXIT.withheld);
    }
    const validating = query.dnssecOk || (query.flags & FLAG.CD) !== 0;
    if (validating && answer.chain.length > 0) this.#trust.remember(turn, answer.chain);
    const length = giveAnswer(turn, snapshot, this.#writer, entry, stale, this.#cap(), redirect);
    if (length < 0) return this.#endings.servfail(EXIT.servfail, EDE.OTHER, '');
    this.#ports.observer.exit(exit);
    return length;
  }

  #cap(): number {
    return ttlBound(this.#turn, this.#inForce.replies);
  }

  #isTrustQuestion(): boolean {
    const { query, decision } = this.#turn;
    if (query.type !== TYPE.DS && query.type !== TYPE.DNSKEY) return false;
    // A special name stays one, and so does a name with local data.
    const free = decision.ground === GROUND.NOTHING || decision.ground === GROUND.ABOVE;
    return free && this.#trust.allows(this.#turn);
  }

  #defer(key: string, name: Buffer, nameLength: number, group: number, checkingDisabled: boolean): number {
    const turn = this.#turn;
    const { client, standing } = turn;
    // A forged source must not make us ask (RFC 7873 §1); on TCP it cannot be forged.
    if (!turn.proven) return this.#endings.truncate(EXIT.unproven);
    if (client instanceof Pending && client.rounds >= MAX_ROUNDS)
      return this.#endings.servfail(EXIT.servfail, EDE.OTHER, '');
    if (this.#waiting >= this.#inForce.limits.inFlight || standing.inFlight >= standing.share) {
      return this.#endings.servfail(EXIT.limited, EDE.OTHER, REASON.SHARE);
    }
    const pending = new Pending(turn, client);
    const question = {
      group,
      name: copyOf(name, nameLength),
      type: turn.query.type,
      checkingDisabled,
    };
    pending.resume = this.#resumed;
    this.flights.join(key, question, pending);
    this.#waiting++;
    standing.inFlight++;
    return LATER;
  }

  readonly #resumed = (pending: Pending, fetched: Fetched): void => this.#resume(pending, fetched);

  /** The story goes on, from its beginning and under the policy of now: it gives the answer only if that approves. */
  #resume(pending: Pending, fetched: Fetched): void {
    this.#waiting--;
    pending.standing.inFlight--;
    const reply = this.#lateReply;
    let length: number;
    try {
      length = this.#story(pending.query, pending.query.length, pending, reply, fetched);
    } catch (error) {
      length = this.#endings.bug(error, pending.query, reply);
    }
    try {
      if (length > 0) pending.defer().send(reply, length);
      else if (length === DROPPED) pending.defer().drop();
    } catch (error) {
      // This reply is lost; others wait for the same answer.
      this.#endings.tell(error);
    }
  }

  #failed(entry: Entry, waited: boolean): number {
    return this.#endings.servfail(EXIT.servfail, entry.failure!.ede, '', waited ? NO_EDE : EDE.CACHED_ERROR);
  }
}

/** `Uint8Array.from` and `subarray` cost several times as much for so few octets. */
function copyOf(octets: Uint8Array, length: number): Uint8Array {
  const copy = new Uint8Array(length);
  for (let i = 0; i < length; i++) copy[i] = octets[i]!;
  return copy;
}
