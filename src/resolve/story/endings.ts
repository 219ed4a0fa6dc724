import { closestAncestor } from '../../policy/decide.ts';
import { denialReason } from '../../policy/explain.ts';
import { FLAG, HEADER_SIZE } from '../../wire/header.ts';
import { EDE, RCODE } from '../../wire/iana.ts';
import { NO_EDE, type ReplyWriter } from '../../wire/reply.ts';
import { EXIT } from '../exit.ts';
import type { InForce } from '../in-force.ts';
import { DROPPED, type Finding, type Observer } from '../ports.ts';
import type { Turn } from './turn.ts';

/** Of a certificate, in a finding. */
const SHOWN_NAMES = 4;

/** How a turn ends without an answer from elsewhere: every ending is counted, and all but a drop is a reply. */
export class Endings {
  inForce: InForce;
  readonly #turn: Turn;
  readonly #writer: ReplyWriter;
  readonly #observer: Observer;

  constructor(inForce: InForce, turn: Turn, writer: ReplyWriter, observer: Observer) {
    this.inForce = inForce;
    this.#turn = turn;
    this.#writer = writer;
    this.#observer = observer;
  }

  drop(): number {
    this.#observer.exit(EXIT.drop);
    return DROPPED;
  }

  /** TC, so that a client of a busy network comes back on TCP, where its address is proved. */
  truncate(exit: number = EXIT.limited): number {
    this.#observer.exit(exit);
    return this.#writer.truncated(this.#turn.query, this.#turn.out);
  }

  /** A denial whose source may be forged is counted apart: it is held against nobody. */
  deny(): number {
    return this.negative(RCODE.NXDOMAIN, this.#denial(), this.#turn.proven ? EXIT.deny : EXIT.deny_unproven);
  }

  /** The name is in the tree, without data of this type; only a refused type is told as blocked. */
  empty(exit: number = EXIT.empty): number {
    return this.negative(RCODE.NOERROR, this.#denial(), exit);
  }

  /** Our own negative answer: AA and one SOA, its owner the closest ancestor in the view (DESIGN §2). */
  negative(rcode: number, reason: string, exit: number): number {
    const { query, decision, view, client, out, limit } = this.#turn;
    const { snapshot } = this.inForce;
    const labels = closestAncestor(snapshot, view, decision, rcode === RCODE.NOERROR);
    this.#writer.begin(query, out, FLAG.AA, limit);
    this.#writer.negativeSoa(labels === 0 ? query.nameLength - 1 : query.labels[query.labelCount - labels]!);
    const ede = reason === '' ? NO_EDE : EDE.BLOCKED;
    // A forged source gains nothing from a denial: three times the question at most.
    const denied = client.transport === 'udp' && exit !== EXIT.withheld;
    const room = denied ? 3 * query.length : limit;
    return this.#end(exit, rcode, ede, reason, room, NO_EDE);
  }

  /** Ends what has been written of our own data. */
  written(exit: number): number {
    return this.#end(exit, RCODE.NOERROR, NO_EDE, '', this.#turn.limit, NO_EDE);
  }

  /** SERVFAIL with up to two EDE codes; `reason` is told with the first. */
  servfail(exit: number, ede: number, reason: string, second: number = NO_EDE): number {
    const { query, out, limit } = this.#turn;
    this.#writer.begin(query, out, 0, limit);
    return this.#end(exit, RCODE.SERVFAIL, ede, reason, limit, second);
  }

  /** FORMERR, NOTIMP, BADVERS, REFUSED: about the message, not the name. */
  refuse(rcode: number, exit: number): number {
    const { query, out, limit } = this.#turn;
    this.#writer.begin(query, out, 0, limit);
    return this.#end(exit, rcode, NO_EDE, '', limit, NO_EDE);
  }

  /**
   * An exception is a bug: it is told, and this one query gets a bare SERVFAIL, whatever state the turn is in. Never throws,
   * not even where the observer is what is broken.
   */
  bug(error: unknown, message: Uint8Array, out: Buffer): number {
    this.tell(error);
    try {
      this.#observer.exit(EXIT.servfail);
    } catch {
      // The observer is what is broken, and has been told.
    }
    out.fill(0, 0, HEADER_SIZE);
    out[0] = message[0]!;
    out[1] = message[1]!;
    out[2] = 0x80 | (message[2]! & 0x79);
    out[3] = 0x80 | RCODE.SERVFAIL;
    return HEADER_SIZE;
  }

  /** Tells of a bug where no reply hangs on it. Never throws. */
  tell(error: unknown): void {
    try {
      this.#observer.bug(error);
    } catch {
      // There is nobody else to tell.
    }
  }

  finding(kind: Finding['kind']): void {
    const { query, standing, disagrees: other, proven, client } = this.#turn;
    const name = query.name.subarray(0, query.nameLength);
    const identity = standing.identity.name;
    const certificate = client.credential?.names.slice(0, SHOWN_NAMES) ?? [];
    this.#observer.finding({ kind, identity, other, certificate, name, type: query.type, unproven: !proven });
  }

  #denial(): string {
    return denialReason(this.#turn.standing.identity, this.#turn.decision);
  }

  #end(exit: number, rcode: number, ede: number, reason: string, room: number, second: number): number {
    this.#observer.exit(exit);
    const told = reason !== '' && this.inForce.replies.edeText;
    return this.#writer.finish(rcode, ede, told ? this.#turn.standing.text(reason) : null, room, second);
  }
}
