import { decide } from '../../policy/decide/decide.ts';
import { Decision, VERDICT } from '../../policy/decide/decision.ts';
import { isTrustType } from '../../wire/iana.ts';
import { labelOffsets } from '../../wire/name.ts';
import type { EpochSeconds, Milliseconds, Monotonic } from '../../wire/quantity.ts';
import type { Key } from '../answer/key.ts';
import type { Flights } from '../flights/flights.ts';
import type { InForce } from '../in-force.ts';
import type { UpstreamQuestion } from '../ports.ts';

/** Names that are kept fresh: in all, of one identity, of one client. */
const MOST = 1024;
const MOST_AN_IDENTITY = 256;
const MOST_A_CLIENT = 32;
/** A name is kept for so long after its last use at least. */
const KEPT: Milliseconds = 3_600_000;
/** Milliseconds before an answer's end at which it is asked for again. */
const LEAD: Milliseconds = 4_000;
/** Questions that one tick sends at most. */
const PER_TICK = 20;

/** Who paid for a name, and has its slot. */
export interface PaidBy {
  /** The first of the keys that paid, for the bound of each client. */
  readonly client: number;
  /** All keys that paid, as one number. */
  readonly payers: number;
  readonly identity: string;
}

interface PaidName {
  readonly key: string;
  question: UpstreamQuestion;
  by: PaidBy;
  /** Where in a tick it is asked for: the order in which clients came tells nothing. */
  readonly order: number;
  /** The hour of its last use, counted from when it was paid for, which is the first. */
  hour: number;
  readonly paidAt: Monotonic;
  /** When it is asked for again. */
  at: Monotonic;
  waiting: boolean;
}

/**
 * Names that a client has paid for are kept fresh by namegate, on its own schedule: that a client asks again then causes no
 * question, so that it tells nobody anything. What a reload no longer approves is let go.
 */
export class PaidNames {
  readonly #flights: Flights;
  readonly #names = new Map<string, PaidName>();
  readonly #perClient = new Map<number, number>();
  readonly #perIdentity = new Map<string, number>();

  constructor(flights: Flights) {
    this.#flights = flights;
  }

  get count(): number {
    return this.#names.size;
  }

  /**
   * Takes a name that was just paid for; false where there is no room, and it will be charged again. `order`: of a keyed
   * hash. Its flight has not begun.
   */
  add(key: string, question: UpstreamQuestion, by: PaidBy, order: number, now: Monotonic): boolean {
    if (this.#names.has(key)) return true;
    if (!this.#hasRoom(by)) return false;
    if (this.#names.size >= MOST && !this.#makeRoom(by.client)) return false;
    this.#names.set(key, { key, question, by, order, hour: 0, paidAt: now, at: 0, waiting: true });
    this.#count(by, 1);
    return true;
  }

  /** Whether the same keys paid for a name that is kept. */
  isPaidBy(key: Key, payers: number): boolean {
    return this.#names.get(key.text)?.by.payers === payers;
  }

  /** Whether a name that somebody else has paid for could be another's. */
  mayTakeOver(key: Key, by: PaidBy): boolean {
    const name = this.#names.get(key.text);
    return name !== undefined && (name.by.client === by.client || this.#hasRoom(by, name.by.identity));
  }

  /** Gives a name to whoever has paid for it in full after another had. */
  takeOver(key: Key, by: PaidBy): void {
    const name = this.#names.get(key.text);
    if (name === undefined) return;
    this.#count(name.by, -1);
    name.by = by;
    this.#count(by, 1);
  }

  /** For the flight that a paid question began, and for renewals: until when what came is kept. */
  landed(key: string, until: Monotonic): void {
    const name = this.#names.get(key);
    if (name === undefined) {
      this.#flights.letGo(key);
      return;
    }
    name.waiting = false;
    name.at = this.#flights.isFailingText(key) ? until : until - LEAD;
  }

  /** Whether a further hour has begun in which nobody has asked for the name yet: that it is asked for tells one bit. */
  owes(key: Key, now: Monotonic): boolean {
    const name = this.#names.size === 0 ? undefined : this.#names.get(key.text);
    return name !== undefined && hourOf(name, now) > name.hour;
  }

  /** Notes that somebody asked for a name that is kept, and has paid what `owes` said. */
  use(key: Key, now: Monotonic): void {
    const name = this.#names.size === 0 ? undefined : this.#names.get(key.text);
    if (name !== undefined) name.hour = hourOf(name, now);
  }

  /** Takes another policy: upstream groups may have other numbers. */
  configure(inForce: InForce, before: InForce): void {
    for (const name of this.#names.values()) {
      const { question } = name;
      const group = inForce.groupOf(question.name, question.name.length);
      if (inForce.groupIds[group] !== before.groupIds[question.group]) this.#drop(name);
      else name.question = { ...question, group };
    }
  }

  /**
   * Sends what is due, failures too: when namegate asks again never depends on when a client asked. Else whoever sees the
   * questions could be told by them, at no cost. To be called a few times a second.
   */
  sendDue(inForce: InForce, now: Monotonic, epoch: EpochSeconds): void {
    const due: PaidName[] = [];
    for (const name of this.#names.values()) {
      if (name.waiting || now < name.at) continue;
      if (now >= endOf(name) || !isApproved(inForce, name, epoch)) this.#drop(name);
      else due.push(name);
    }
    due.sort((a, b) => a.order - b.order);
    for (const name of due.slice(0, PER_TICK)) {
      name.waiting = true;
      this.#flights.renew(name.key, name.question, 'paid', (until) => this.landed(name.key, until));
    }
  }

  /** `leaving`: the identity of a slot that is given up for it. */
  #hasRoom({ client, identity }: PaidBy, leaving = ''): boolean {
    const ofIdentity = (this.#perIdentity.get(identity) ?? 0) - (leaving === identity ? 1 : 0);
    return (this.#perClient.get(client) ?? 0) < MOST_A_CLIENT && ofIdentity < MOST_AN_IDENTITY;
  }

  #count({ client, identity }: PaidBy, by: 1 | -1): void {
    count(this.#perClient, client, by);
    count(this.#perIdentity, identity, by);
  }

  /** Gives up a name of the client that has most; false where that is whoever asks for room. */
  #makeRoom(client: number): boolean {
    let most = client;
    for (const [one, names] of this.#perClient) if (names > (this.#perClient.get(most) ?? 0)) most = one;
    if (most === client) return false;
    for (const name of this.#names.values()) {
      if (name.by.client !== most) continue;
      this.#drop(name);
      return true;
    }
    return false;
  }

  #drop(name: PaidName): void {
    this.#names.delete(name.key);
    this.#count(name.by, -1);
    this.#flights.letGo(name.key);
  }
}

function hourOf({ paidAt }: PaidName, now: Monotonic): number {
  return Math.floor((now - paidAt) / KEPT);
}

/**
 * Whole hours: the moment of the last use would tell more than its hour. In the first nobody pays, so that whether somebody
 * asked in it must tell nothing either: a name is kept for two hours at least.
 */
function endOf({ paidAt, hour }: PaidName): Monotonic {
  return paidAt + (hour + 2) * KEPT;
}

function count<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  const now = (counts.get(key) ?? 0) + by;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}

/** Whether the identity that paid may still ask, at any of its stages. */
function isApproved(inForce: InForce, { by, question }: PaidName, epoch: EpochSeconds): boolean {
  const standing = inForce.standings.named(by.identity);
  const { name, type } = question;
  const subject = { name, labels: scratch, labelCount: labelOffsets(name, scratch) };
  for (const { view } of [standing.identity, ...standing.identity.stages]) {
    // As of a validator: else none of its types is approved where no rule writes them.
    decide(inForce.snapshot, view, subject, type, isTrustType(type), epoch, decision);
    if (decision.verdict === VERDICT.ALLOW) return true;
  }
  return false;
}

/** Not re-entrant. */
const scratch = new Uint8Array(128);
const decision = new Decision();
