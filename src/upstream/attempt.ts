import { endOfQuestion, isTruncated, type Match } from '../socket/reply-match.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import { type AttemptFault, type AttemptForm, declined, faultOf } from './attempt-fault.ts';
import type { AttemptOwner } from './attempt-owner.ts';
import { CaseDoubt, type DoubtOwner } from './case-doubt.ts';
import type { Exchange } from './exchange.ts';
import { lowerQuestion, type Query, withoutOpt } from './query.ts';
import { isAnswer, readSaid, type Said, saidText } from './said.ts';
import type { StreamUser, Ticket } from './server-stream.ts';
import type { Sockets } from './sockets.ts';
import { udpAsk, wrongAllowance } from './udp-form.ts';
import type { Server } from './upstream-server.ts';
import { MAX_WRONG, type UdpExchange, type UdpListener, type UdpRoute } from './way.ts';

/** Ports that one question is asked from anew, each after one that forged replies had found. */
const MAX_MOVES = 3;
/** Replies under wrong IDs, and none under the right one, after which TCP is asked beside UDP. */
const MANY_WRONG_IDS = 3;

/**
 * One question to one server, over what it takes: UDP, and TCP after a reply that is truncated, cut, or right in all but
 * case; or a stream from the start. It tells the server's health what it saw. Waits until it is cancelled.
 */
export class Attempt implements UdpListener, StreamUser, DoubtOwner {
  readonly server: Server;
  readonly plain: boolean;
  readonly #query: Query;
  readonly #owner: AttemptOwner<Attempt>;
  readonly #sockets: Sockets;
  readonly #form: AttemptForm;
  #sentAt: Monotonic = 0;
  /** The wait for what was asked last began here: later than `#sentAt` once UDP has been left for TCP. */
  #since: Monotonic = 0;
  /** The question as it was sent: the same case over UDP and over the TCP that follows. */
  #sent: Query;
  #udp: UdpExchange | null = null;
  #ticket: Ticket | null = null;
  #reconnects = 0;
  /** A UDP reply was right in all but case; null while none was. */
  #doubt: CaseDoubt | null = null;
  /** TCP is asked after UDP, or was. */
  #tcpAsked = false;
  /** What came over UDP that is no answer; empty while nothing did. */
  #note = '';
  #moves = 0;
  #over = false;

  constructor(
    server: Server,
    query: Query,
    owner: AttemptOwner<Attempt>,
    sockets: Sockets,
    form: AttemptForm,
  ) {
    this.server = server;
    this.plain = form.plain;
    this.#query = form.plain ? withoutOpt(query) : query;
    this.#sent = this.#query;
    this.#owner = owner;
    this.#sockets = sockets;
    this.#form = form;
  }

  start(now: Monotonic): void {
    this.#sentAt = now;
    this.#since = now;
    this.server.counts.asked++;
    if (this.server.setting.protocol !== 'udp') {
      this.#askStream(now);
      return;
    }
    const target = this.server.udp;
    if (target === null) {
      process.nextTick(() => this.#fail(faultOf('network', 'EINVAL', this.server), 'EINVAL'));
      return;
    }
    this.#askUdp(target, MAX_WRONG, now);
  }

  /** Goes on with what was sent as a slot; null where it stands at no port any more. */
  follow(sentAt: Monotonic, exchange: Exchange | null): void {
    this.#sentAt = sentAt;
    this.#since = sentAt;
    this.#udp = exchange;
    if (exchange === null) return;
    this.#sent = exchange;
    exchange.listener = this;
  }

  #askUdp(target: UdpRoute, maxWrong: number, now: Monotonic): void {
    const how = udpAsk(this.server.mixesCase(now), this.#moves > 0, maxWrong, this.#form.background);
    this.#udp = target.ask(this.#query, this, how, now);
    this.#sent = this.#udp;
  }

  /** Nobody waits any more. */
  cancel(now: Monotonic): void {
    if (this.#over) return;
    this.#close();
    this.server.silent(now, this.#sentAt, this.#since, this.silence);
  }

  /** What there is to say while no answer has come. */
  get silence(): string {
    return this.#note === '' ? 'no reply' : this.#note;
  }

  /** Whether asking the same server again could help: not where a connection that is alive holds the question. */
  isRepeatable(now: Monotonic): boolean {
    return this.#doubt?.isChecking !== true && (this.#ticket === null || this.#ticket.isStalled(now));
  }

  /** There is no answer yet, though somebody is to be asked again. */
  late(now: Monotonic): void {
    if (this.#over) return;
    if (this.#doubt?.isChecking) this.#doubt.late(now);
    else this.#checkCase(now);
  }

  udpReply(message: Buffer, match: Exclude<Match, 'none'>): void {
    if (this.#over) return;
    const now = this.#sockets.time.now();
    if (match === 'bare') {
      this.#hinted(message, now);
      return;
    }
    if (match === 'case' && !this.server.foldsCase) {
      // The UDP wait goes on beside what tells.
      if (this.#doubt !== null) this.#sockets.counters.mismatched++;
      this.#doubt ??= new CaseDoubt(this.server, this.#query, this.#sockets, !this.#form.background, this);
      this.#askTcpBeside('a reply in another case of letters', now);
      return;
    }
    this.server.wrongIds = 0;
    this.believed(message, now, now - this.#sentAt);
  }

  /** A reply over UDP is taken for the server's. */
  believed(message: Buffer, now: Monotonic, rtt: Milliseconds): void {
    const said = readSaid(message, this.#sent.questionEnd);
    if (isTruncated(message) && (isAnswer(said.code) || said.code < 0)) {
      this.#leaveUdp('truncated over UDP', now);
    } else {
      this.#judge(message, said, now, rtt);
    }
  }

  /** TCP has failed, or is silent. */
  #checkCase(now: Monotonic): void {
    if (this.#udp !== null && this.#moves === 0) this.#doubt?.begin(now);
  }

  /** A reply without a question proves no more than its ID: the UDP wait goes on beside what it leads to. */
  #hinted(message: Buffer, now: Monotonic): void {
    if (isTruncated(message)) {
      this.#askTcpBeside('truncated over UDP, without the question', now);
      return;
    }
    const why = saidText(readSaid(message, message.length));
    if (this.#note === '') this.#note = `${why} without the question`;
    if (!this.plain) this.#owner.unversed(this, this.#note);
  }

  /** UDP has said what it has to say. Silence over TCP counts from here: a server that is heard over UDP alone is of no use. */
  #leaveUdp(note: string, now: Monotonic): void {
    this.#udp?.close();
    this.#udp = null;
    this.#doubt?.end();
    this.#doubt = null;
    this.#note = note;
    this.#since = now;
    if (this.#ticket === null) this.#askTcp(now);
  }

  #askTcpBeside(note: string, now: Monotonic): void {
    this.#note = note;
    if (!this.#tcpAsked) this.#askTcp(now);
  }

  udpFailed(code: string): void {
    this.#udp = null;
    // TCP may be asked beside it, and decides.
    if (this.#ticket === null) this.#fail(faultOf('network', code, this.server), code);
  }

  /** Somebody guesses, or the server is broken: in both cases TCP tells, once it happens again and again. */
  udpWrong(): void {
    if (this.#over) return;
    this.server.wrongIds++;
    if (this.#note === '') this.#note = 'replies under wrong IDs';
    if (this.server.wrongIds >= MANY_WRONG_IDS && !this.#tcpAsked)
      this.#askTcpBeside('replies under wrong IDs', this.#sockets.time.now());
  }

  /**
   * Somebody guesses (RFC 5452 §9.3). The question goes out again from a port that is its own, so that who is not meant
   * is out of it; where that is found too, it goes out from another, and beside it over TCP. When all have been found,
   * the next server is asked, or this one again in its time.
   */
  udpForged(): void {
    this.#udp = null;
    if (this.#over) return;
    this.#doubt?.end();
    const now = this.#sockets.time.now();
    const { udp } = this.server;
    if (this.#moves++ < MAX_MOVES && udp !== null)
      this.#askUdp(udp, wrongAllowance(this.#query, !this.server.foldsCase), now);
    if (this.#moves > 1) this.#askTcpBeside('replies under wrong IDs', now);
    if (this.#udp === null && this.#ticket === null) this.#owner.doubted();
  }

  streamReply(message: Buffer, same: boolean, rtt: Milliseconds): void {
    this.#ticket = null;
    if (this.#over) return;
    if (this.#doubt !== null && !same) this.server.rememberFolding();
    const said = readSaid(message, endOfQuestion(message, this.#sent.questionEnd));
    if (isTruncated(message) && isAnswer(said.code))
      this.#fail(faultOf('refused', 'truncated over a stream', this.server));
    else
      this.#judge(message, said, this.#sockets.time.now(), this.server.setting.protocol === 'udp' ? -1 : rtt);
  }

  streamLost(code: string, broken: boolean, hope: number): void {
    this.#ticket = null;
    if (this.#over) return;
    if (this.#reconnects++ < hope) this.#askStream(this.#sockets.time.now());
    else this.#streamFailed(broken ? 'refused' : 'network', code);
  }

  /** Where TCP was to tell and cannot, what came over UDP counts for nothing, or a forger could end the wait. */
  #streamFailed(reason: 'network' | 'refused', code: string): void {
    if (this.#over) return;
    const note = this.#note === '' ? code : `${this.#note}, and TCP failed: ${code}`;
    if (this.#udp === null && this.#moves <= MAX_MOVES) {
      this.#fail(faultOf(this.#wasCut ? 'malformed' : reason, note, this.server), code);
    } else {
      this.#note = note;
      this.#checkCase(this.#sockets.time.now());
      this.#owner.doubted();
    }
  }

  /** The UDP reply was malformed, or of no use. */
  #wasCut = false;

  #judge(message: Buffer, said: Said, now: Monotonic, rtt: Milliseconds): void {
    if (said.code >= 0 && !isAnswer(said.code)) {
      this.#fail(declined(said, this.server, this.plain));
      return;
    }
    lowerQuestion(message, this.#query.questionEnd);
    const { server } = this;
    const acceptance = said.code < 0 ? 'bad' : this.#owner.accept(message, server.verified);
    if (acceptance === 'bad') {
      this.#useless(said.code < 0 ? 'malformed reply' : 'unusable reply', now);
      return;
    }
    this.#close();
    server.answered(now, rtt);
    if (!this.plain) server.heardOpt();
    else if (this.#form.plainWhy !== '') server.rememberPlain(now, this.#form.plainWhy);
    this.#owner.replied(this, message, acceptance === 'poor');
  }

  /** Something on the way may have cut a datagram; a stream brings it whole. */
  #useless(what: string, now: Monotonic): void {
    if (this.#tcpAsked || this.server.setting.protocol !== 'udp') {
      this.#fail(faultOf('malformed', what, this.server));
      return;
    }
    this.#wasCut = true;
    this.#leaveUdp(`${what} over UDP`, now);
    this.#owner.doubted();
  }

  #askTcp(now: Monotonic): void {
    this.#tcpAsked = true;
    this.#sockets.counters.overTcp++;
    this.#askStream(now);
  }

  #askStream(now: Monotonic): void {
    const ticket = this.server.streams.ask(this.#sent, this, this.#form.background, now);
    if (typeof ticket === 'string') process.nextTick(() => this.#streamFailed('network', ticket));
    else this.#ticket = ticket;
  }

  /** `code` is the system's, where the network failed. */
  #fail(fault: AttemptFault, code = ''): void {
    if (this.#over) return;
    this.#close();
    const now = this.#sockets.time.now();
    const { detail } = fault.cause;
    if (fault.reason === 'network') this.server.broken(now, code, detail);
    // That OPT is not understood is no failure of the server's while it answers without.
    else if (fault.withoutOpt !== 'likely') this.server.refused(now, detail, this.#form.again);
    this.#owner.failed(this, fault);
  }

  #close(): void {
    this.#over = true;
    this.#udp?.close();
    this.#udp = null;
    this.#doubt?.end();
    const ticket = this.#ticket;
    this.#ticket = null;
    ticket?.cancel();
  }
}
