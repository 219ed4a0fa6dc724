import { NETLINK_NETFILTER, type NetlinkSocket, openNetlink } from '../../socket/netlink.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { NetfilterExchange } from './netlink-exchange.ts';
import { attributesOf, messagesOf, type NetlinkWriter } from './netlink-message.ts';
import { type RefusedPacket, readPacket } from './packet.ts';

/** Messages and attributes of the packet log (linux/netfilter/nfnetlink_log.h). */
const SUBSYSTEM = 4 << 8;
const PACKET = SUBSYSTEM;
const CONFIG = SUBSYSTEM | 1;
const SETTING = { COMMAND: 1, MODE: 2, BUFFER: 3, TIMEOUT: 4, THRESHOLD: 5 } as const;
const BIND = 1;
const COPY_PACKET = 2;
const PAYLOAD = 9;

const PATIENCE_MS: Milliseconds = 1_000;
/** Octets of a packet that are copied: its headers. */
const COPIED = 96;
/** Octets that wait in the kernel at most. What comes then is lost, and counted. */
const WAITING = 2 ** 20;
const DATAGRAM = 16_384;
/** Who has an address may change: what is told is to be told soon. */
const TIMEOUT_CENTISECONDS = 2;
const PACKETS_AT_ONCE = 16;
const EBUSY = 16;
const ENOBUFS = 105;

/** The packets that rules tell of to one NFLOG group. Nothing here waits. */
export class PacketLog {
  readonly #socket: NetlinkSocket;
  readonly #into = Buffer.alloc(2 ** 17);

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** A text says why the group is not to be had. */
  static open(group: number): PacketLog | string {
    const socket = openNetlink(NETLINK_NETFILTER, PATIENCE_MS, WAITING);
    if (typeof socket === 'string') return socket;
    const errno = new NetfilterExchange(socket).ask(CONFIG, 0, writeSettings, group);
    if (errno === 0) return new PacketLog(socket);
    socket.close();
    return errno === EBUSY
      ? `another program has the NFLOG group ${group}`
      : `the kernel gives no NFLOG group ${group} (errno ${errno})`;
  }

  /** Reads what waits, at most `most` datagrams of some 16 packets. `take` has each packet during the call. */
  read(most: number, take: (packet: RefusedPacket) => void): void {
    for (let i = 0; i < most; i++) {
      const length = this.#socket.poll(this.#into);
      // Some were lost: whoever compares with the counter of the rules sees how many.
      if (length === -ENOBUFS) continue;
      if (length < 0) return;
      for (const { type, body } of messagesOf(this.#into.subarray(0, length))) {
        if (type !== PACKET) continue;
        const payload = attributesOf(body.subarray(4)).get(PAYLOAD);
        const packet = payload === undefined ? null : readPacket(payload);
        if (packet !== null) take(packet);
      }
    }
  }

  close(): void {
    this.#socket.close();
  }
}

function writeSettings(writer: NetlinkWriter): void {
  writer.put(SETTING.COMMAND, Uint8Array.of(BIND));
  const mode = Buffer.alloc(6);
  mode.writeUInt32BE(COPIED);
  mode[4] = COPY_PACKET;
  writer.put(SETTING.MODE, mode);
  writer.u32(SETTING.BUFFER, DATAGRAM);
  writer.u32(SETTING.TIMEOUT, TIMEOUT_CENTISECONDS);
  writer.u32(SETTING.THRESHOLD, PACKETS_AT_ONCE);
}
