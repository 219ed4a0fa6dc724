import { HEADER_SIZE } from '../wire/header.ts';
import { RCODE } from '../wire/iana.ts';
import { countLetters, isTruncated, type Query, replyCode } from './query.ts';
import type { Server } from './server.ts';
import type { Sockets } from './sockets.ts';
import type { StreamUser, Ticket } from './stream.ts';
import { MAX_WRONG, type UdpExchange, type UdpListener, type UdpRoute } from './way.ts';

/** Who wants the answer. Of `replied` and `failed` one is called, once, and never from within `start`. */
export interface AttemptOwner {
  /** False: the reply's content cannot be used. */
  isUsable(message: Buffer, verified: boolean): boolean;
  replied(attempt: Attempt, message: Buffer): void;
  failed(attempt: Attempt, reason: 'network' | 'refused'): void;
  /** The attempt goes on, with little hope: a reply came that cannot be told from a forged one. Never from within `start`. */
  doubted(): void;
}

/** New connections for one question, each after one that answered somebody else and ended. */
const MAX_RECONNECTS = 16;
/** Ports that one question is asked from anew, each after one that forged replies had found. */
const MAX_MOVES = 3;
/** With so many, every ID may be tried. */
const MOST_LETTERS = 11;

/**
 * One question to one server, over what it takes: UDP, and TCP after a reply that is truncated, or right in all but
 * case; or a stream from the start. It tells the server's health what it saw. Waits until it is cancelled.
 */
export class Attempt implements UdpListener, StreamUser {
  readonly server: Server;
  readonly #query: Query;
  readonly #owner: AttemptOwner;
  readonly #sockets: Sockets;
  /** Keeps no process alive: for a probe. */
  readonly #background: boolean;
  #sentAt = 0;
  /** The question as it was sent: the same case over UDP and over the TCP that follows. */
  #sent: Query;
  #udp: UdpExchange | null = null;
  #ticket: Ticket | null = null;
  #reconnects = 0;
  /** A UDP reply was right in all but case. */
  #caseInDoubt = false;
  /** TCP is asked after UDP, or was. */
  #tcpAsked = false;
  #moves = 0;
  #over = false;

  constructor(server: Server, query: Query, owner: AttemptOwner, sockets: Sockets, background: boolean) {
    this.server = server;
    this.#query = query;
    this.#sent = query;
    this.#owner = owner;
    this.#sockets = sockets;
    this.#background = background;
  }

  start(now: number): void {
    this.#sentAt = now;
    this.#sockets.counters.attempts++;
    if (this.server.setting.protocol !== 'udp') {
      this.#askStream(now);
      return;
    }
    const target = this.server.udp;
    if (target === null) {
      this.#failLater('EINVAL');
      return;
    }
    this.#askUdp(target, MAX_WRONG, now);
  }

  #askUdp(target: UdpRoute, maxWrong: number, now: number): void {
    const alone = this.#moves > 0;
    const how = { mix: !this.server.foldsCase, alone, maxWrong, background: this.#background };
    this.#udp = target.ask(this.#query, this, how, now);
    this.#sent = this.#udp;
  }

  /** Nobody waits any more. */
  cancel(now: number): void {
    if (this.#over) return;
    this.#close();
    this.server.silent(now, this.#sentAt);
  }

  /** Whether asking the same server again could help: not where a connection that is alive holds the question. */
  isRepeatable(now: number): boolean {
    return this.#ticket === null || this.#ticket.stream.isStalled(now);
  }

  udpReply(message: Buffer, match: 'same' | 'case'): void {
    if (this.#over) return;
    const now = performance.now();
    if (match === 'case' && !this.server.foldsCase) {
      // Forged, or from a server that folds case: TCP tells. The UDP wait goes on beside it.
      if (this.#caseInDoubt) this.#sockets.counters.mismatched++;
      this.#caseInDoubt = true;
      if (!this.#tcpAsked) this.#askTcp(now);
      return;
    }
    const code = replyCode(message, this.#sent.questionEnd);
    if (isTruncated(message) && (isAnswer(code) || code < 0)) {
      this.#udp?.close();
      this.#udp = null;
      this.#caseInDoubt = false;
      // Silence over TCP counts from here. That UDP was heard does not: a server that only truncates is of no use.
      this.#sentAt = now;
      if (this.#ticket === null) this.#askTcp(now);
    } else {
      this.#judge(message, code, now, now - this.#sentAt);
    }
  }

  udpFailed(code: string): void {
    this.#udp = null;
    // TCP may be asked beside it, and decides.
    if (this.#ticket === null) this.#fail('network', code);
  }

  /**
   * Somebody guesses (RFC 5452 §9.3). The question goes out again from a port that is its own, so that who is not meant
   * is out of it; where that is found too, it goes out from another, and beside it over TCP. When all have been found,
   * the next server is asked, or this one again in its time.
   */
  udpForged(): void {
    this.#udp = null;
    if (this.#over) return;
    const now = performance.now();
    const { udp } = this.server;
    if (this.#moves++ < MAX_MOVES && udp !== null) this.#askUdp(udp, this.#allowance(), now);
    if (this.#moves > 1 && !this.#tcpAsked) this.#askTcp(now);
    else if (this.#udp === null && this.#ticket === null) this.#owner.doubted();
  }

  /** A guess has to meet the case of all letters too: as many more are let pass, and the chance stays 1 in 2,048. */
  #allowance(): number {
    const letters = this.server.foldsCase ? 0 : countLetters(this.#query);
    return MAX_WRONG * 2 ** Math.min(MOST_LETTERS, letters);
  }

  streamReply(message: Buffer, same: boolean, rtt: number): void {
    this.#ticket = null;
    if (this.#over) return;
    if (this.#caseInDoubt && !same) this.server.rememberFolding();
    const code = replyCode(message, this.#sent.questionEnd);
    if (isTruncated(message) && isAnswer(code)) this.#fail('refused', 'truncated over a stream');
    else this.#judge(message, code, performance.now(), this.server.setting.protocol === 'udp' ? -1 : rtt);
  }

  streamLost(code: string, broken: boolean, again: boolean): void {
    this.#ticket = null;
    if (this.#over) return;
    if (again && this.#reconnects++ < MAX_RECONNECTS) this.#askStream(performance.now());
    else this.#streamFailed(broken ? 'refused' : 'network', code);
  }

  /** Where TCP was to tell and cannot, what came over UDP counts for nothing, or a forger could end the wait. */
  #streamFailed(reason: 'network' | 'refused', code: string): void {
    if (this.#over) return;
    if (this.#udp === null && this.#moves <= MAX_MOVES) this.#fail(reason, code);
    else this.#owner.doubted();
  }

  #judge(message: Buffer, code: number, now: number, rtt: number): void {
    if (!isAnswer(code)) {
      this.#fail('refused', codeText(code));
      return;
    }
    // Names may point into the question: the case that we mixed into it is nobody else's business.
    const { octets, questionEnd } = this.#query;
    for (let at = HEADER_SIZE; at < questionEnd; at++) message[at] = octets[at]!;
    if (!this.#owner.isUsable(message, this.server.verified)) {
      this.#fail('refused', 'unusable reply');
      return;
    }
    this.#close();
    this.server.answered(now, rtt);
    this.#owner.replied(this, message);
  }

  #askTcp(now: number): void {
    this.#tcpAsked = true;
    this.#sockets.counters.overTcp++;
    this.#askStream(now);
  }

  #askStream(now: number): void {
    const ticket = this.server.streams.ask(this.#sent, this, this.#background, now);
    if (typeof ticket === 'string') process.nextTick(() => this.#streamFailed('network', ticket));
    else this.#ticket = ticket;
  }

  #failLater(code: string): void {
    process.nextTick(() => this.#fail('network', code));
  }

  #fail(reason: 'network' | 'refused', detail: string): void {
    if (this.#over) return;
    this.#close();
    const now = performance.now();
    if (reason === 'network') this.server.broken(now, detail);
    else this.server.refused(now, detail);
    this.#owner.failed(this, reason);
  }

  #close(): void {
    this.#over = true;
    this.#udp?.close();
    this.#udp = null;
    const ticket = this.#ticket;
    this.#ticket = null;
    ticket?.stream.cancel(ticket.id);
  }
}

/** Every other RCODE is the server's trouble, not the name's answer. */
function isAnswer(code: number): boolean {
  return code === RCODE.NOERROR || code === RCODE.NXDOMAIN;
}

function codeText(code: number): string {
  if (code < 0) return 'malformed reply';
  const known = Object.entries(RCODE).find(([, value]) => value === code);
  return known === undefined ? `RCODE ${code}` : known[0];
}
