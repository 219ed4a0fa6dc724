import { REASON } from '../../policy/explain/reason.ts';
import { unreachable } from '../../wire/quantity.ts';
import { readQuery } from '../../wire/question.ts';
import type { Tally } from '../client/tally.ts';
import { EXIT } from '../exit.ts';
import type { Flights } from '../flights/flights.ts';
import type { PaidNames } from '../ledger/paid-names.ts';
import { ANSWER_IT, DROP_IT } from '../ports.ts';
import { decideQuestion } from './deciding.ts';
import { deny, drop, empty, limited, refuse, truncate } from './end.ts';
import { failed, forward } from './forward.ts';
import { give } from './give.ts';
import { HELD } from './held.ts';
import { replyAny, replyLocally } from './local-reply.ts';
import { lookUp } from './lookup.ts';
import { Recogniser } from './recognise.ts';
import { refusalOf } from './refuse.ts';
import type { Resumption } from './resume.ts';
import type { StoryPorts } from './story-ports.ts';
import { TrustTargets } from './trust.ts';
import { COURSE, type Turn } from './turn.ts';

/**
 * THE story of one query, from its octets to its reply. `tell` names every stage, top to bottom. `resolver.ts` begins it,
 * tells it again when what it waited for is there, and leads what it returns through the one door and to the one end.
 */
export class Story {
  readonly #ports: StoryPorts;
  readonly #flights: Flights;
  readonly #paid: PaidNames;
  readonly #tally: Tally;
  readonly #resumption: Resumption;
  readonly #recogniser: Recogniser;
  readonly #trust: TrustTargets;

  constructor(ports: StoryPorts, flights: Flights, paid: PaidNames, tally: Tally, resumption: Resumption) {
    this.#ports = ports;
    this.#flights = flights;
    this.#paid = paid;
    this.#tally = tally;
    this.#resumption = resumption;
    this.#recogniser = new Recogniser(ports.leases, ports.cookies);
    this.#trust = new TrustTargets(ports.charges);
  }

  /** The reply's length, DROPPED, or LATER where the query was put by. A message that is no query never comes here. */
  tell(turn: Turn, message: Buffer, length: number): number {
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
        return replyLocally(turn, this.#flights, this.#ports.charges);
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
    const held = lookUp(turn, this.#flights);
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
    const length = forward(turn, this.#flights, this.#resumption, this.#ports.charges, this.#paid);
    if (turn.departure.isOverspent) this.#ports.observer.overspent(turn);
    return length;
  }

  /**
   * A name that is kept fresh since somebody paid for it costs a bit in each further hour in which it is asked for, and more
   * for whoever did not pay for it. Whoever cannot pay does not keep it.
   */
  #use(turn: Turn): void {
    const key = turn.wanted.key!;
    const { charges } = this.#ports;
    if (charges !== null && this.#paid.owes(key, turn.now) && !charges.chargeHour(turn, this.#paid)) return;
    this.#paid.use(key, turn.now);
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
      this.#tally.count(bound.lease, turn.decision.verdict, proven, turn.decision.expected >= 0);
    this.#ports.observer.decided(turn);
  }
}
