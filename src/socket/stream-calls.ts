import { createRequire } from 'node:module';
import type { Milliseconds } from '../wire/quantity.ts';

/** Calls of the C library on connected streams that Node does not offer. Each thread loads them for itself. */
export interface StreamCalls {
  /**
   * Ends a TCP connection with ETIMEDOUT once something sent was not acknowledged by the other machine for so many milliseconds
   * (TCP_USER_TIMEOUT, tcp(7)): otherwise the kernel goes on trying for a quarter of an hour.
   */
  setUserTimeout(descriptor: number, milliseconds: Milliseconds): void;
  /** Writes to a socket what it takes at once; gives how many octets, or -errno: EAGAIN where it takes none. */
  sendNow(descriptor: number, octets: Buffer): number;
  /** The name of an error number: `EPIPE`. */
  errorName(errno: number): string;
}

const IPPROTO_TCP = 6;
const TCP_USER_TIMEOUT = 18;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

interface Koffi {
  load(path: null): { func(prototype: string): (...args: unknown[]) => unknown };
  errno(): number;
  os: { readonly errno: Readonly<Record<string, number>> };
}

let loaded: StreamCalls | null | undefined;

/** Null where they are not to be had: not on Linux with 64 bits, or without koffi. */
export function streamCalls(): StreamCalls | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): StreamCalls | null {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  let koffi: Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi') as Koffi;
  } catch {
    return null;
  }
  const lib = koffi.load(null);
  const setsockopt = lib.func('int setsockopt(int, int, int, void *, uint32_t)');
  const send = lib.func('long send(int, void *, size_t, int)');
  const names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));
  return {
    setUserTimeout(descriptor, milliseconds) {
      const value = Buffer.alloc(4);
      value.writeUInt32LE(milliseconds);
      setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, value, 4);
    },
    sendNow(descriptor, octets) {
      const sent = Number(send(descriptor, octets, octets.length, MSG_DONTWAIT | MSG_NOSIGNAL));
      return sent < 0 ? -koffi.errno() : sent;
    },
    errorName: (errno) => names.get(errno) ?? `errno ${errno}`,
  };
}
