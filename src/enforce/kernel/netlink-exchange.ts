import { NETLINK_NETFILTER, type NetlinkSocket, openNetlink } from '../../socket/netlink.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { messagesOf, type NetlinkMessage, NetlinkWriter } from './netlink-message.ts';

/** Milliseconds that the kernel has: another program's large commit holds the same lock. */
const PATIENCE_MS: Milliseconds = 5_000;

export const NLM = { REQUEST: 1, ACK: 4, EXCL: 0x200, CREATE: 0x400, DUMP: 0x300 } as const;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;
const SUBSYSTEM_NFTABLES = 10;
const NFPROTO_INET = 1;
const DUMP_INTERRUPTED = 0x10;
const EAGAIN = 11;
const EINTR = 4;

/** Type of a message of nf_tables (linux/netfilter/nf_tables.h). */
export function nfTables(message: number): number {
  return (SUBSYSTEM_NFTABLES << 8) | message;
}

/** What the kernel said against a transaction: errno, and which of its messages it is about; -1 for the whole. */
export interface KernelFault {
  readonly errno: number;
  readonly message: number;
}

/** Questions to netfilter, one at a time, and its answers. */
export class NetfilterExchange {
  readonly #socket: NetlinkSocket;
  readonly #writer = new NetlinkWriter();
  readonly #into = Buffer.alloc(2 ** 20);
  #sequence = 1;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** A text says why there is none. */
  static open(): NetfilterExchange | string {
    const socket = openNetlink(NETLINK_NETFILTER, PATIENCE_MS);
    return typeof socket === 'string' ? socket : new NetfilterExchange(socket);
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * One transaction of nf_tables: all of it, or nothing. Each of `writes` writes one message with `begin` done and `end` to
   * come. Returns what was wrong, in the order of the messages; empty where all is in force.
   */
  commit(writes: readonly TransactionPart[]): KernelFault[] {
    const writer = this.#writer;
    writer.clear();
    const first = this.#sequence;
    writer.begin(BATCH_BEGIN, NLM.REQUEST, first, 0, SUBSYSTEM_NFTABLES);
    writer.end();
    writes.forEach(({ message, flags, write }, index) => {
      const ack = index === writes.length - 1 ? NLM.ACK : 0;
      writer.begin(nfTables(message), NLM.REQUEST | flags | ack, first + 1 + index, NFPROTO_INET);
      write(writer);
      writer.end();
    });
    const last = first + writes.length;
    writer.begin(BATCH_END, NLM.REQUEST, last + 1, 0, SUBSYSTEM_NFTABLES);
    writer.end();
    this.#sequence = last + 2;
    return this.#send(writer.written()) ?? this.#verdict(first, last);
  }

  /** Everything that a dump gives, message by message. Throws where the kernel does not answer. */
  dump(
    type: number,
    family: number,
    write: (writer: NetlinkWriter) => void,
    take: (body: Buffer) => void,
  ): void {
    for (let tries = 0; tries < 5; tries++) if (this.#dumpOnce(type, family, write, take)) return;
    throw new Error('the kernel gives no whole list: it changes all the time');
  }

  #dumpOnce(
    type: number,
    family: number,
    write: (writer: NetlinkWriter) => void,
    take: (body: Buffer) => void,
  ): boolean {
    const writer = this.#writer;
    writer.clear();
    const sequence = this.#sequence++;
    writer.begin(type, NLM.REQUEST | NLM.DUMP, sequence, family);
    write(writer);
    writer.end();
    const fault = this.#send(writer.written());
    if (fault !== null) throw systemError('a list', fault[0]!.errno);
    const bodies: Buffer[] = [];
    let whole = true;
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & DUMP_INTERRUPTED) !== 0) whole = false;
        if (message.type === NLMSG_DONE) {
          if (whole) for (const body of bodies) take(body);
          return whole;
        }
        if (message.type === NLMSG_ERROR) {
          const errno = -message.body.readInt32LE(0);
          if (errno !== EAGAIN && errno !== EINTR) throw systemError('a list', errno);
          return false;
        }
        bodies.push(Buffer.from(message.body));
      }
    }
  }

  /** One request with an acknowledgement; `resource`: what it is about, where that has a number. Returns 0 or errno. */
  ask(type: number, family: number, write: (writer: NetlinkWriter) => void, resource = 0): number {
    const writer = this.#writer;
    writer.clear();
    const sequence = this.#sequence++;
    writer.begin(type, NLM.REQUEST | NLM.ACK, sequence, family, resource);
    write(writer);
    writer.end();
    const fault = this.#send(writer.written()) ?? this.#verdict(sequence, sequence);
    return fault[0]?.errno ?? 0;
  }

  #send(octets: Buffer): KernelFault[] | null {
    this.#socket.drain(this.#into);
    const sent = this.#socket.send(octets);
    return sent < 0 ? [{ errno: -sent, message: -1 }] : null;
  }

  /** Faults come before the acknowledgement of the last message; one about the first is about the commit as a whole. */
  #verdict(first: number, last: number): KernelFault[] {
    const faults: KernelFault[] = [];
    for (;;) {
      let messages: NetlinkMessage[];
      try {
        messages = this.#receive();
      } catch (error) {
        return [...faults, { errno: (error as { errno?: number }).errno ?? EAGAIN, message: -1 }];
      }
      for (const { type, sequence, body } of messages) {
        if (type !== NLMSG_ERROR || sequence < first || sequence > last) continue;
        const errno = -body.readInt32LE(0);
        if (errno !== 0) faults.push({ errno, message: sequence - first - 1 });
        if (sequence === last || (sequence === first && errno !== 0)) return faults;
      }
    }
  }

  #receive(): NetlinkMessage[] {
    for (;;) {
      const length = this.#socket.receive(this.#into);
      if (length >= 0) return [...messagesOf(this.#into.subarray(0, length))];
      if (length !== -EINTR) throw systemError('an answer', -length);
    }
  }
}

/** One message of a transaction. */
export interface TransactionPart {
  readonly message: number;
  readonly flags: number;
  readonly write: (writer: NetlinkWriter) => void;
}

function systemError(what: string, errno: number): Error {
  return Object.assign(new Error(`the kernel gave no good answer to ${what} (errno ${errno})`), { errno });
}

/** What the kernel said, for people. */
export function faultText({ errno }: KernelFault): string {
  const known: Readonly<Record<number, string>> = {
    1: 'the enforcer has no right to (CAP_NET_ADMIN)',
    2: 'the table or set is gone',
    11: 'the kernel did not answer in time',
    12: 'the kernel has no memory for it',
    23: 'the set is full',
  };
  return known[errno] ?? `the kernel refused it (errno ${errno})`;
}
