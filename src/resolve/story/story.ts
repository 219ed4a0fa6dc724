import type { Decision } from '../../policy/decide/decision.ts';
import type { Explanation } from '../../policy/explain/explain.ts';
import { REASON } from '../../policy/explain/reason.ts';
import { boundOf } from '../../policy/lease/lease.ts';
import { type Milliseconds, type RrType, type Seconds, unreachable } from '../../wire/quantity.ts';
import { readQuery } from '../../wire/question.ts';
import { Tally } from '../client/tally.ts';
import { EXIT } from '../exit.ts';
import { Flights } from '../flights/flights.ts';
import type { Gate } from '../grants/gate.ts';
import type { InForce } from '../in-force.ts';
import { PaidNames } from '../ledger/paid-names.ts';
import { explainNow } from '../local/state.ts';
import { ANSWER_IT, type Answerer, type Client, DROP_IT, DROPPED, LATER } from '../ports.ts';
import { decideQuestion } from './deciding.ts';
import { bareServfail, deny, drop, empty, limited, refuse, truncate } from './end.ts';
import { failed, forward } from './forward.ts';
import { give } from './give.ts';
import { grant } from './grant.ts';
import { HELD } from './held.ts';
import { replyAny, replyLocally } from './local-reply.ts';
import { lookUp } from './lookup.ts';
import { Recogniser } from './recognise.ts';
import { isAnswerable, refusalOf } from './refuse.ts';
import { type Pending, Resumption } from './resume.ts';
import type { StoryPorts } from './story-ports.ts';
import { TrustTargets } from './trust.ts';
import { COURSE, Turn } from './turn.ts';

/** THE story of one query, from its octets to its reply. `#tell` names every stage, top to bottom. */
export class Resolver implements Answerer {
  readonly flights: Flights;
  /** Names that clients have paid for. */
  readonly paid: PaidNames;
  /** Verdicts by lease. */
  readonly tally = new Tally();
  readonly #ports: StoryPorts;
  readonly #turn: Turn;
  readonly #recogniser: Recogniser;
  readonly #trust: TrustTargets;
  readonly #gate: Gate | null;
  readonly #lateReply = Buffer.alloc(0x1_0000);
  readonly #resumption = new Resumption((pending) => this.#resume(pending));
  #inForce: InForce;
  #inBatch = false;

  constructor(ports: StoryPorts, inForce: InForce) {
    this.#ports = ports;
    this.flights = new Flights(ports.forwarder, ports.store, ports.clock, ports.observer);
    this.paid = new PaidNames(this.flights);
    this.#trust = new TrustTargets(ports.charges);
    this.#gate = ports.gate ?? null;
    this.#recogniser = new Recogniser(ports.leases, ports.cookies);
    this.#inForce = inForce;
    this.#turn = new Turn(inForce);
    this.swap(inForce);
  }

  /** Puts another policy in force, between one query and the next. Cannot fail. */
  swap(inForce: InForce): void {
    this.paid.configure(inForce, this.#inForce);
    this.#inForce = inForce;
    this.flights.configure(inForce);
  }

  /** Asks for paid names that are due; to be called a few times a second. */
  keepPaidNames(now: Milliseconds, epoch: Seconds): void {
    this.paid.tick(this.#inForce, now, epoch);
  }

  /** Questions that wait for an upstream. */
  get waiting(): number {
    return this.#resumption.waiting;
  }

  /**
   * Explains a question of an identity at a stage (null for none), or of a lease of it, beside all queries: from what is in
   * force, what is kept and what is charged, asking nobody. `name`: a wire name in lower case; `lease`: its id, null for none.
   */
  explain(
    identity: string,
    stage: string | null,
    lease: string | null,
    name: Uint8Array,
    type: RrType,
  ): Explanation {
    const inForce = this.#inForce;
    const { clock, leases, charges } = this.#ports;
    const standing = inForce.standings.named(identity);
    const entered = standing.identity.stages.find((each) => each.name === stage) ?? null;
    const [now, epoch] = [clock.monotonic(), Math.floor(clock.epoch())];
    const held = lease === null ? null : leases.get(lease);
    const { view } = entered ?? standing.identity;
    const asker = { standing, view, bound: held === null ? null : boundOf(held), client: null };
    const purse = { inForce, now, epoch, asker };
    const contained = (wanted: Uint8Array, decided: Decision): boolean =>
      charges?.isContained(purse, wanted, decided) ?? false;
    const moment = { inForce, standing, stage: entered, now, epoch, contained };
    return explainNow(moment, this.flights, name, type, { contact: inForce.replies.contact });
  }

  beginBatch(): void {
    this.#readClock();
    this.#inBatch = true;
  }

  endBatch(): void {
    this.#inBatch = false;
    this.#ports.observer.left(this.#turn.now);
  }

  answer(message: Buffer, length: number, client: Client, reply: Buffer): number {
    if (!this.#inBatch) this.#readClock();
    this.#turn.begin(this.#inForce, client, reply);
    const size = this.#run(message, length, reply);
    if (!this.#inBatch) this.#ports.observer.left(this.#turn.now);
    return size;
  }

  /** The story goes on, from its beginning and under the policy of now: it gives the answer only if that approves. */
  #resume(pending: Pending): void {
    const reply = this.#lateReply;
    this.#readClock();
    this.#turn.begin(this.#inForce, pending, reply);
    pending.tell(this.#turn.fetched);
    const length = this.#run(pending.query, pending.length, reply);
    try {
      if (length > 0) pending.defer().send(reply, length);
      else if (length === DROPPED) pending.defer().drop();
    } catch (error) {
      // This reply is lost; others wait for the same answer.
      this.#bug(error);
    }
  }

  /** One end of a query: what was told is observed once, and an exception is a bug that costs this one query its answer. */
  #run(message: Buffer, length: number, reply: Buffer): number {
    const turn = this.#turn;
    const answerable = isAnswerable(message, length);
    let size: number;
    try {
      size = answerable ? this.#tell(turn, message, length) : drop(turn);
      if (this.#gate !== null && size > 0)
        size = grant(turn, size, this.#gate, this.flights, this.#resumption);
    } catch (error) {
      this.#bug(error);
      size = bareServfail(turn, message, reply);
    }
    if (size === LATER) {
      if (turn.fetched.round === 0) this.#waits(turn);
      return LATER;
    }
    try {
      this.#ports.observer.ended(turn, size);
    } catch (error) {
      this.#bug(error);
      if (size !== DROPPED) size = bareServfail(turn, message, reply);
    }
    return size;
  }

  #tell(turn: Turn, message: Buffer, length: number): number {
    const first = turn.fetched.round === 0;
    this.#recogniser.recognise(turn);

    const admitted = first ? this.#admit(turn) : ANSWER_IT;
    if (admitted === DROP_IT) return drop(turn);

    const fault = readQuery(message, length, turn.query);
    turn.reply.widen(turn.asker.client, turn.query.udpSize);
    this.#recogniser.prove(turn);
    if (!turn.asker.proven) turn.reply.confine(length);
    if (admitted !== ANSWER_IT) return truncate(turn, EXIT.limited);

    const refusal = refusalOf(turn.query, fault);
    if (refusal !== null) return refuse(turn, refusal);
    if (first && !this.#isWithinRate(turn)) return limited(turn, REASON.LIMIT);

    const course = decideQuestion(turn, this.#trust);
    if (first) this.#decided(turn);

    switch (course) {
      case COURSE.LOCAL:
        return replyLocally(turn, this.flights, this.#ports.charges);
      case COURSE.ANY:
        return replyAny(turn);
      case COURSE.FETCH:
        return this.#fetch(turn);
      case COURSE.EMPTY:
        return empty(turn, EXIT.empty);
      case COURSE.DENY:
        return deny(turn);
      case COURSE.NONE:
        throw new Error('a question was decided, and nothing follows');
      default:
        return unreachable(course);
    }
  }

  #fetch(turn: Turn): number {
    const held = lookUp(turn, this.flights);
    if (turn.wanted.entry?.renewed && turn.fetched.round === 0) this.#use(turn);
    switch (held) {
      case HELD.FRESH:
        return give(turn, false, turn.wanted.waited ? EXIT.forwarded : EXIT.hit, this.#trust);
      case HELD.STALE:
        return give(turn, true, EXIT.stale, this.#trust);
      case HELD.FAILED:
        return failed(turn);
      case HELD.NOTHING:
        if (turn.fetched.round > 0) this.#recogniser.doubtLater(turn);
        return this.#forward(turn);
      default:
        return unreachable(held);
    }
  }

  #forward(turn: Turn): number {
    const length = forward(turn, this.flights, this.#resumption, this.#ports.charges, this.paid);
    if (turn.course.isOverspent) this.#ports.observer.overspent(turn);
    return length;
  }

  /**
   * A name that is kept fresh since somebody paid for it costs a bit in each further hour in which it is asked for, and more
   * for whoever did not pay for it. Whoever cannot pay does not keep it.
   */
  #use(turn: Turn): void {
    const key = turn.wanted.key!;
    const { charges } = this.#ports;
    if (charges !== null && this.paid.owes(key, turn.now) && !charges.chargeHour(turn, this.paid)) return;
    this.paid.use(key, turn.now);
  }

  /** A client that no identity claims is answered within its network's rate: ANSWER_IT, TRUNCATE_IT or DROP_IT. */
  #admit({ asker, now }: Turn): number {
    if (asker.isKnown || asker.client.transport !== 'udp') return ANSWER_IT;
    return this.#ports.limits.unknown(asker.client, now);
  }

  /** Whoever forges a source must not use up what its owner may ask. */
  #isWithinRate({ asker, now }: Turn): boolean {
    if (!asker.proven || !asker.isKnown) return true;
    return this.#ports.limits.identity(asker.standing.identity.index, now);
  }

  #decided(turn: Turn): void {
    const { bound, proven } = turn.asker;
    if (bound !== null)
      this.tally.count(bound.lease, turn.decision.verdict, proven, turn.decision.expected >= 0);
    this.#ports.observer.decided(turn);
  }

  #waits(turn: Turn): void {
    try {
      this.#ports.observer.waits?.(turn);
    } catch (error) {
      this.#bug(error);
    }
  }

  #readClock(): void {
    const { clock } = this.#ports;
    this.#turn.readClock(clock.monotonic(), clock.epoch());
  }

  #bug(error: unknown): void {
    try {
      this.#ports.observer.bug(error);
    } catch {
      // There is nobody else to tell.
    }
  }
}
