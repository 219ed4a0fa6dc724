import type { Decision } from '../../policy/decide/decision.ts';
import type { Explanation } from '../../policy/explain/explain.ts';
import { boundOf } from '../../policy/lease/bound.ts';
import type { Filling } from '../../wire/filling.ts';
import type { EpochSeconds, Monotonic, RrType } from '../../wire/quantity.ts';
import { Tally } from '../client/tally.ts';
import { Flights } from '../flights/flights.ts';
import type { Gate } from '../grants/gate.ts';
import type { InForce } from '../in-force.ts';
import { PaidNames } from '../ledger/paid-names.ts';
import { explainNow } from '../local/state.ts';
import { type Answerer, type Client, DROPPED, LATER } from '../ports.ts';
import { bareServfail, drop } from './end.ts';
import { grant } from './grant.ts';
import { isAnswerable } from './refuse.ts';
import { type Pending, Resumption } from './resume.ts';
import { Story } from './story.ts';
import type { StoryPorts } from './story-ports.ts';
import { Turn } from './turn.ts';

/**
 * What stands around the story of a query: its beginning, what was waited for, its one end. `story.ts` names the stages
 * between them.
 */
export class Resolver implements Answerer {
  readonly flights: Flights;
  /** Names that clients have paid for. */
  readonly paid: PaidNames;
  /** Verdicts by lease. */
  readonly tally = new Tally();
  readonly #ports: StoryPorts;
  readonly #turn: Turn;
  readonly #story: Story;
  readonly #gate: Gate | null;
  readonly #lateReply = Buffer.alloc(0x1_0000);
  readonly #resumption = new Resumption((pending) => this.#resume(pending));
  #inForce: InForce;
  #inBatch = false;

  constructor(ports: StoryPorts, inForce: InForce) {
    this.#ports = ports;
    this.flights = new Flights(ports.forwarder, ports.store, ports.clock, ports.observer);
    this.paid = new PaidNames(this.flights);
    this.#story = new Story(ports, this.flights, this.paid, this.tally, this.#resumption);
    this.#gate = ports.gate ?? null;
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
  keepPaidNames(now: Monotonic, epoch: EpochSeconds): void {
    this.paid.sendDue(this.#inForce, now, epoch);
  }

  /** How the reply can be made longer that was written last. */
  get filling(): Readonly<Filling> {
    return this.#turn.reply.writer.filling;
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
    this.#ports.clock.hold?.();
    this.#readClock();
    this.#inBatch = true;
  }

  endBatch(): void {
    this.#inBatch = false;
    this.#ports.clock.release?.();
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
      size = answerable ? this.#story.tell(turn, message, length) : drop(turn);
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
