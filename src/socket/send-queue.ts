import { Filling } from '../wire/filling.ts';
import { BATCH, DatagramBatch, HEADER_SIZE } from './datagrams.ts';
import type { Native } from './native.ts';
import { Segments } from './segments.ts';

/** Groups in a row that the kernel may refuse before no more are made. */
const MAX_REFUSED = 64;

const NO_FILLING: Readonly<Filling> = new Filling();

/** Replies that wait for one sendmmsg. */
export class SendQueue {
  readonly batch: DatagramBatch;
  #count = 0;
  readonly #segments: Segments;
  /** Groups that the kernel refused since it took one. */
  #refused = 0;
  readonly #native: Native;
  readonly #fd: number;
  readonly #lost: (replies: number) => void;

  /** `lost` is told how many replies the kernel did not take. */
  constructor(native: Native, fd: number, lost: (replies: number) => void) {
    this.batch = new DatagramBatch(native);
    this.#segments = new Segments(this.batch, (buffer) => native.address(buffer));
    this.#native = native;
    this.#fd = fd;
    this.#lost = lost;
  }

  /** Where the next reply is written. */
  get slot(): Buffer {
    return this.batch.slots[this.#count]!;
  }

  /** The reply in `slot` goes to whoever sent slot `j` of `asked`. */
  answer(length: number, asked: DatagramBatch, j: number, filling: Readonly<Filling> = NO_FILLING): void {
    this.batch.answer(this.#count, length, asked, j);
    this.batch.filling(this.#count, filling);
    this.#add();
  }

  /** `length` is at most SLOT. */
  answerTo(reply: Buffer, length: number, wayBack: Buffer): void {
    const { slot } = this;
    if (length > 256) reply.copy(slot, 0, 0, length);
    else for (let i = 0; i < length; i++) slot[i] = reply[i]!;
    this.batch.answerTo(this.#count, length, wayBack);
    this.batch.filling(this.#count, NO_FILLING);
    this.#add();
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  #add(): void {
    if (++this.#count === BATCH) this.flush();
  }

  /** Sends what waits. A datagram that the kernel refuses is lost, as on a network; the others go. */
  flush(): void {
    const count = this.#count;
    this.#count = 0;
    if (count === 1 && this.batch.firstControlLength === 0) this.#sendOne();
    else if (count === 1 || this.#refused >= MAX_REFUSED) this.#send(0, count);
    else this.#sendGroups(this.#segments.lay(count));
  }

  #sendOne(): void {
    const { batch } = this;
    for (;;) {
      const sent = this.#native.sendOne(this.#fd, batch.first, batch.sends(0), batch.firstAddressLength);
      if (sent === -EINTR) continue;
      if (sent < 0) this.#lost(1);
      return;
    }
  }

  /** Sends slots `from` to `to` - 1, each for itself. */
  #send(from: number, to: number): void {
    let at = from;
    const { headers } = this.batch;
    while (at < to) {
      const rest = at === 0 ? headers : headers.subarray(at * HEADER_SIZE);
      const sent = this.#native.send(this.#fd, rest, to - at);
      if (sent > 0) {
        at += sent;
        continue;
      }
      if (sent === -EINTR) continue;
      // A full send queue refuses the rest too; any other refusal is of the first alone.
      const refused = sent === -EAGAIN ? to - at : 1;
      this.#lost(refused);
      at += refused;
    }
  }

  #sendGroups(groups: number): void {
    const { headers, start, order } = this.#segments;
    let at = 0;
    while (at < groups) {
      const rest = at === 0 ? headers : headers.subarray(at * HEADER_SIZE);
      const sent = this.#native.send(this.#fd, rest, groups - at);
      if (sent > 0) {
        // Fewer groups than datagrams: one at least was taken.
        if (start[at + sent]! - start[at]! > sent) this.#refused = 0;
        at += sent;
        continue;
      }
      if (sent === -EINTR) continue;
      if (sent === -EAGAIN) {
        this.#lost(start[groups]! - start[at]!);
        return;
      }
      // Not every device and path takes a group: its datagrams one by one, then.
      const end = start[at + 1]!;
      if (end - start[at]! === 1) {
        this.#lost(1);
      } else {
        this.#refused++;
        for (let i = start[at]!; i < end; i++) this.#send(order[i]!, order[i]! + 1);
      }
      at++;
    }
  }
}

export const EINTR = 4;
export const EAGAIN = 11;
