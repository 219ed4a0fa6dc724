import { createRequire } from 'node:module';
import type { Milliseconds } from '../wire/quantity.ts';

/**
 * A socket to one of the kernel's own protocols (netlink(7)). Calls wait for the kernel: this is for a process that answers
 * nobody meanwhile.
 */
export interface NetlinkSocket {
  /** Sends one datagram. Returns 0, or -errno. */
  send(octets: Buffer): number;
  /** Waits for one datagram, at most the socket's patience. Returns its length, or -errno (EAGAIN: nothing came). */
  receive(into: Buffer): number;
  /** One datagram where there is one. Returns its length, or -errno (EAGAIN: nothing waits; ENOBUFS: some were lost). */
  poll(into: Buffer): number;
  /** What waits is thrown away. */
  drain(into: Buffer): void;
  close(): void;
}

export const NETLINK_NETFILTER = 12;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_RCVTIMEO = 20;
const SO_PEERCRED = 17;
const MSG_DONTWAIT = 0x40;
const BUFFER = 8 * 2 ** 20;

type Call = (...args: unknown[]) => unknown;

interface Koffi {
  load(path: null): { func(prototype: string): Call };
  errno(): number;
}

/** Opens one; `patience` in milliseconds, `room` in octets for what waits. A text says why it is not to be had. */
export function openNetlink(protocol: number, patience: Milliseconds, room = BUFFER): NetlinkSocket | string {
  const native = loadCalls();
  if (typeof native === 'string') return native;
  const { koffi, socket, send, recv, setsockopt, close } = native;
  const fd = Number(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (fd < 0) return `the system opens no netlink socket (errno ${koffi.errno()})`;
  const value = Buffer.alloc(16);
  value.writeInt32LE(room);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, value, 4);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, 4);
  value.writeBigInt64LE(BigInt(Math.floor(patience / 1000)));
  value.writeBigInt64LE(BigInt((patience % 1000) * 1000), 8);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, value, 16);
  const told = (result: number): number => (result >= 0 ? result : -koffi.errno());
  return {
    send: (octets) => Math.min(0, told(Number(send(fd, octets, octets.length, 0)))),
    receive: (into) => told(Number(recv(fd, into, into.length, 0))),
    poll: (into) => told(Number(recv(fd, into, into.length, MSG_DONTWAIT))),
    drain: (into) => {
      while (Number(recv(fd, into, into.length, MSG_DONTWAIT)) > 0);
    },
    close: () => void close(fd),
  };
}

/** The user at the other end of a connected unix socket (SO_PEERCRED of unix(7)), or null where the system does not say. */
export function peerUser(fd: number): number | null {
  const native = loadCalls();
  if (typeof native === 'string') return null;
  const credentials = Buffer.alloc(12);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(12);
  if (Number(native.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, size)) < 0) return null;
  return credentials.readUInt32LE(4);
}

interface Calls {
  readonly koffi: Koffi;
  readonly socket: Call;
  readonly send: Call;
  readonly recv: Call;
  readonly setsockopt: Call;
  readonly getsockopt: Call;
  readonly close: Call;
}

let calls: Calls | string | null = null;

function loadCalls(): Calls | string {
  calls ??= load();
  return calls;
}

function load(): Calls | string {
  const supported = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
  if (!supported) return `${process.platform} on ${process.arch} has no nftables that namegate knows`;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const lib = koffi.load(null);
    return {
      koffi,
      socket: lib.func('int socket(int, int, int)'),
      send: lib.func('long send(int, void *, size_t, int)'),
      recv: lib.func('long recv(int, void *, size_t, int)'),
      setsockopt: lib.func('int setsockopt(int, int, int, void *, uint32_t)'),
      getsockopt: lib.func('int getsockopt(int, int, int, void *, void *)'),
      close: lib.func('int close(int)'),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
