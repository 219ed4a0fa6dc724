import type { ForwardListener, UpstreamQuestion } from '../resolve/ports.ts';
import { isTruncated } from '../socket/reply-match.ts';
import type { Monotonic } from '../wire/quantity.ts';
import { Asking } from './asking.ts';
import type { Attempt } from './attempt.ts';
import type { BatchedUdp } from './batched-udp.ts';
import { Exchange } from './exchange.ts';
import { disguise, lengthWithOpt, lowerQuestion, plainCopy, putQuery } from './query.ts';
import { Route } from './route.ts';
import { REPLIED, type Running } from './running.ts';
import { isAnswer, readSaid } from './said.ts';
import { SlotWheel } from './slot-wheel.ts';
import { SLOT_SIZE, type Slots } from './slots.ts';
import type { Sockets } from './sockets.ts';
import type { Server } from './upstream-server.ts';
import type { SlotListener } from './way.ts';
import type { Wheel } from './wheel.ts';

/**
 * The first try of each question over UDP: a slot, from which it is answered without an object of its own. What meets anything
 * else than one good reply in time becomes an `Asking` that goes on from there: silence, another server, TCP, a server without
 * OPT, another case of letters, forged replies, a socket's error.
 */
export class FirstTries implements SlotListener {
  readonly #udp: BatchedUdp;
  readonly #slots: Slots;
  readonly #sockets: Sockets;
  readonly #wheel: Wheel;
  readonly #running: Set<Running>;
  readonly #deadlines: SlotWheel;

  constructor(udp: BatchedUdp, sockets: Sockets, wheel: Wheel, running: Set<Running>) {
    this.#udp = udp;
    this.#slots = udp.slots;
    this.#sockets = sockets;
    this.#wheel = wheel;
    this.#running = running;
    const due = (slot: number, now: Monotonic): void => this.#due(slot, now);
    this.#deadlines = new SlotWheel(udp.slots.size, sockets.time, () => udp.read(), due);
    udp.listener = this;
  }

  /** Questions that are slots. */
  get count(): number {
    return this.#slots.taken;
  }

  /** Asks the first of `servers`; false where the question needs an `Asking` from the start. */
  ask(
    servers: readonly Server[],
    question: UpstreamQuestion,
    listener: ForwardListener,
    ticket: number,
    now: Monotonic,
  ): boolean {
    const slots = this.#slots;
    const server = servers[0];
    if (server === undefined || server.opt.plain || slots.isFull) return false;
    const route = server.udp;
    if (!(route instanceof Route)) return false;
    const slot = slots.take();
    const start = slot * SLOT_SIZE;
    const questionEnd = putQuery(question, slots.octets, start);
    disguise(slots.octets, start, questionEnd, server.mixesCase(now));
    slots.questionEnd[slot] = questionEnd;
    slots.length[slot] = lengthWithOpt(questionEnd);
    slots.sentAt[slot] = now;
    slots.retryAt[slot] = now + server.health.retryAfter();
    slots.servers[slot] = servers;
    slots.listener[slot] = listener;
    slots.ticket[slot] = ticket;
    server.counts.asked++;
    const fault = this.#udp.askSlot(route, slot, now);
    if (fault === null) this.#deadlines.set(slot, this.#dueAt(slot), now);
    else this.#failLater(slot, fault, now);
    return true;
  }

  /** Nobody is called before `ask` returns. */
  #failLater(slot: number, fault: string, now: Monotonic): void {
    const attempt = this.#goOn(slot, now);
    setImmediate(() => attempt.udpFailed(fault));
  }

  slotReply(slot: number, message: Buffer, match: 'same' | 'case' | 'bare', now: Monotonic): void {
    const slots = this.#slots;
    const server = slots.servers[slot]![0]!;
    const listener = slots.listener[slot]!;
    const ticket = slots.ticket[slot]!;
    if (
      !this.#isPlain(slot, message, match, server) ||
      listener.accept(message, server.verified, ticket) !== 'good'
    ) {
      this.#goOn(slot, now).udpReply(Buffer.from(message), match);
      return;
    }
    server.wrongIds = 0;
    const rtt = now - slots.sentAt[slot]!;
    this.#end(slot);
    server.answered(now, rtt);
    server.heardOpt();
    this.#sockets.counters.replies++;
    listener.done(REPLIED, ticket);
  }

  /** Whether a reply may be judged as it is; its question is in lower case then. */
  #isPlain(slot: number, message: Buffer, match: 'same' | 'case' | 'bare', server: Server): boolean {
    if (match === 'bare' || (match === 'case' && !server.foldsCase) || isTruncated(message)) return false;
    const questionEnd = this.#slots.questionEnd[slot]!;
    if (!isAnswer(readSaid(message, questionEnd).code)) return false;
    lowerQuestion(message, questionEnd);
    return true;
  }

  slotWrong(slot: number): void {
    this.#goOn(slot, this.#sockets.time.now()).udpWrong();
  }

  slotFailed(slot: number, code: string): void {
    this.#goOn(slot, this.#sockets.time.now()).udpFailed(code);
  }

  slotForged(slot: number): void {
    this.#goOn(slot, this.#sockets.time.now()).udpForged();
  }

  #due(slot: number, now: Monotonic): void {
    const at = this.#dueAt(slot);
    if (now < at) {
      this.#deadlines.set(slot, at, now);
      return;
    }
    const asking = this.#makeAsking(slot);
    this.#follow(asking, slot, now);
    this.#wheel.clear(asking);
    asking.due(now);
  }

  /** When something other than a reply has to happen: another server, the word that it is slow, the end. */
  #dueAt(slot: number): Monotonic {
    const { slow, end } = this.#sockets.timing;
    return Math.min(this.#slots.retryAt[slot]!, this.#slots.sentAt[slot]! + Math.min(slow, end));
  }

  /** The question goes on as an `Asking`; returns its attempt, which hears of what came. */
  #goOn(slot: number, now: Monotonic): Attempt {
    return this.#follow(this.#makeAsking(slot), slot, now);
  }

  #makeAsking(slot: number): Asking {
    const { octets, questionEnd, servers, listener, ticket } = this.#slots;
    const query = plainCopy(octets, slot * SLOT_SIZE, questionEnd[slot]!);
    return new Asking(
      servers[slot]!,
      query,
      listener[slot]!,
      ticket[slot]!,
      this.#sockets,
      this.#wheel,
      this.#running,
    );
  }

  /** Gives the slot back; where its question still waits at a port, the asking's attempt waits there. */
  #follow(asking: Asking, slot: number, now: Monotonic): Attempt {
    const slots = this.#slots;
    const port = slots.port[slot]!;
    const start = slot * SLOT_SIZE;
    const sent = Buffer.from(slots.octets.subarray(start, start + slots.length[slot]!));
    const exchange = port === null ? null : new Exchange(sent, slots.questionEnd[slot]!, null, port, slot);
    const sentAt = slots.sentAt[slot]!;
    const firstRetry = slots.retryAt[slot]! - sentAt;
    this.#deadlines.clear(slot);
    slots.free(slot);
    return asking.follow(sentAt, firstRetry, exchange, now);
  }

  /** A good reply has come. */
  #end(slot: number): void {
    const slots = this.#slots;
    const port = slots.port[slot] ?? null;
    const entry = slots.entry[slot]!;
    this.#deadlines.clear(slot);
    slots.free(slot);
    port?.leave(entry);
  }

  /** The forwarder closes: what is under way fails. */
  stop(): void {
    const slots = this.#slots;
    for (let slot = 0; slot < slots.size && slots.taken > 0; slot++) {
      const listener = slots.listener[slot] ?? null;
      if (listener === null) continue;
      const ticket = slots.ticket[slot]!;
      this.#end(slot);
      listener.done({ kind: 'failure', reason: 'network' }, ticket);
    }
  }
}
