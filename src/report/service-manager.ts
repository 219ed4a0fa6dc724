import { createRequire } from 'node:module';

/**
 * What a service manager is told of the state of this process: the protocol of sd_notify(3), datagrams of `NAME=value` lines
 * to the socket in NOTIFY_SOCKET. Node has no unix datagrams, so the C library sends them. No call throws or waits.
 */
export class ServiceManager {
  readonly #send: (text: string) => void;
  readonly #monotonic: () => bigint;

  private constructor(send: (text: string) => void, monotonic: () => bigint) {
    this.#send = send;
    this.#monotonic = monotonic;
  }

  /** The one that started this process; null where none waits for a word, or where none can be sent. */
  static find(env: Readonly<Record<string, string | undefined>>): ServiceManager | null {
    const path = env['NOTIFY_SOCKET'] ?? '';
    if (!/^[/@]./.test(path) || process.platform !== 'linux') return null;
    try {
      return new ServiceManager(sender(path), () => process.hrtime.bigint());
    } catch {
      // Without the native library the unit's own timeout says so.
      return null;
    }
  }

  /** It serves. `status` is one line for people. */
  ready(status: string): void {
    this.#send(`READY=1\n${statusLine(status)}`);
  }

  /** It reads its files anew; `ready` tells of the end of that. */
  reloading(): void {
    this.#send(
      `RELOADING=1\nMONOTONIC_USEC=${this.#monotonic() / 1000n}\n${statusLine('reading its files anew')}`,
    );
  }

  stopping(): void {
    this.#send(`STOPPING=1\n${statusLine('draining')}`);
  }

  status(status: string): void {
    this.#send(statusLine(status));
  }
}

function statusLine(status: string): string {
  return `STATUS=${status.replaceAll('\n', ' ')}`;
}

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
/** MSG_DONTWAIT | MSG_NOSIGNAL */
const FLAGS = 0x40 | 0x4000;
/** Octets of sun_path, unix(7). */
const MAX_PATH = 108;

type Call = (...args: unknown[]) => number;

interface Koffi {
  load(path: null): { func(prototype: string): Call };
}

/** Sends to a socket of the file system, or to an abstract one (`@name`). Throws where that cannot be. */
function sender(path: string): (text: string) => void {
  const lib = (createRequire(import.meta.url)('koffi') as Koffi).load(null);
  const socket = lib.func('int socket(int, int, int)');
  const sendto = lib.func('intptr_t sendto(int, void *, size_t, int, void *, uint32_t)');
  const name = Buffer.from(path);
  if (name.length >= MAX_PATH) throw new Error('the path is too long');
  if (name[0] === 0x40) name[0] = 0;
  const address = Buffer.alloc(2 + name.length + (name[0] === 0 ? 0 : 1));
  address.writeUInt16LE(AF_UNIX);
  name.copy(address, 2);
  const fd = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) throw new Error('no socket is to be had');
  return (text) => {
    const octets = Buffer.from(text);
    sendto(fd, octets, octets.length, FLAGS, address, address.length);
  };
}
