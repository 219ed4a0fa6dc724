import { createRequire } from 'node:module';
import { isIPv6 } from 'node:net';
import { DatagramCalls } from './datagram-calls.ts';
import type { Native, OneDatagram, Poll, UdpSocket, Watch } from './native.ts';
import { ProgramPages } from './program-pages.ts';
import { ADDRESS_SIZE, AF_INET, AF_INET6, socketAddress } from './socket-address.ts';

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IP = 0;
const IP_PKTINFO = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
/** struct epoll_event is packed on x64 alone; its data stands last. */
const EVENT_SIZE = process.arch === 'x64' ? 12 : 16;
const EVENTS = 64;
const POLLIN = 1;
const UV_POLL = 8;
const UV_READABLE = 1;
const MADV_DONTNEED = 4;
/** The largest pages of a system that Node runs on. What is a multiple of them is one of smaller pages too. */
const PAGE = 65_536n;

type Call = ((...args: unknown[]) => unknown) & { async(...args: unknown[]): void };

interface Koffi {
  load(path: null): { func(prototype: string): Call };
  proto(prototype: string): unknown;
  pointer(type: unknown): unknown;
  register(callback: () => void, type: unknown): unknown;
  unregister(callback: unknown): void;
  address(value: ArrayBufferView): bigint;
  errno(): number;
  os: { readonly errno: Readonly<Record<string, number>> };
}

/** Loads the native calls, or says in a text why they are not to be had. */
export function loadNative(): Native | string {
  const supported = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
  if (!supported) return `${process.platform} on ${process.arch}`;
  try {
    return new LinuxNative(createRequire(import.meta.url)('koffi') as Koffi);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

class LinuxNative implements Native {
  readonly #koffi: Koffi;
  readonly #socket: Call;
  readonly #bind: Call;
  readonly #connect: Call;
  readonly #interfaceIndex: Call;
  readonly #getsockname: Call;
  readonly #setsockopt: Call;
  readonly #getsockopt: Call;
  readonly #close: Call;
  readonly #usleep: Call;
  readonly #pollOnce: Call;
  readonly #datagrams: DatagramCalls;
  readonly #uv: { readonly size: number } & Readonly<
    Record<'loop' | 'init' | 'start' | 'stop' | 'unref' | 'close', Call>
  >;
  readonly #epoll: Readonly<Record<'create' | 'control' | 'wait', Call>>;
  readonly #trim: Call | null;
  readonly #madvise: Call;
  readonly #programPages: ProgramPages;
  readonly #emptying = new Set<ArrayBufferView>();
  readonly #pollCallback: unknown;
  readonly #closeCallback: unknown;

  constructor(koffi: Koffi) {
    this.#koffi = koffi;
    const lib = koffi.load(null);
    const func = (prototype: string): Call => lib.func(prototype);
    this.#socket = func('int socket(int, int, int)');
    this.#bind = func('int bind(int, void *, uint32_t)');
    this.#connect = func('int connect(int, void *, uint32_t)');
    this.#interfaceIndex = func('uint32_t if_nametoindex(const char *)');
    this.#getsockname = func('int getsockname(int, void *, void *)');
    this.#setsockopt = func('int setsockopt(int, int, int, void *, uint32_t)');
    this.#getsockopt = func('int getsockopt(int, int, int, void *, void *)');
    this.#close = func('int close(int)');
    this.#usleep = func('int usleep(uint32_t)');
    this.#pollOnce = func('int poll(void *, unsigned long, int)');
    this.#datagrams = new DatagramCalls(func, () => koffi.errno());
    this.#trim = optional(() => func('int malloc_trim(size_t)'));
    this.#madvise = func('int madvise(uintptr_t, size_t, int)');
    this.#programPages = new ProgramPages((...told) => this.#madvise.async(...told));
    this.#pollCallback = koffi.pointer(koffi.proto('void namegate_poll(void *, int, int)'));
    this.#closeCallback = koffi.pointer(koffi.proto('void namegate_closed(void *)'));
    this.#uv = {
      size: Number(func('size_t uv_handle_size(int)')(UV_POLL)),
      loop: func('void *uv_default_loop()'),
      init: func('int uv_poll_init(void *, void *, int)'),
      start: func('int uv_poll_start(void *, int, void *)'),
      stop: func('int uv_poll_stop(void *)'),
      unref: func('void uv_unref(void *)'),
      close: func('void uv_close(void *, void *)'),
    };
    this.#epoll = {
      create: func('int epoll_create1(int)'),
      control: func('int epoll_ctl(int, int, int, void *)'),
      wait: func('int epoll_wait(int, void *, int, int)'),
    };
  }

  openUdp(host: string, port: number, receiveBuffer: number): UdpSocket | NodeJS.ErrnoException {
    const six = isIPv6(host);
    const fd = Number(this.#socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0) return this.#error('socket', host, port);
    const wildcard = host === '0.0.0.0' || host === '::';
    if (six) this.#set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (wildcard) this.#set(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVPKTINFO : IP_PKTINFO, 1);
    // Beyond net.core.rmem_max only an administrator may go.
    if (this.#set(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer) < 0)
      this.#set(fd, SOL_SOCKET, SO_RCVBUF, receiveBuffer);
    const address = socketAddress(host, port);
    if (Number(this.#bind(fd, address, six ? 28 : 16)) < 0) {
      const error = this.#error('bind', host, port);
      this.#close(fd);
      return error;
    }
    const bound = Buffer.alloc(64);
    const size = Buffer.alloc(64);
    size.writeUInt32LE(28);
    this.#getsockname(fd, bound, size);
    const value = Buffer.alloc(64);
    size.writeUInt32LE(4);
    this.#getsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, size);
    let open = true;
    return {
      fd,
      port: bound.readUInt16BE(2),
      receiveBuffer: value.readUInt32LE(),
      wildcard,
      close: () => {
        if (open) this.#close(fd);
        open = false;
      },
    };
  }

  socketAddress(host: string, port: number): Buffer {
    const [address = '', zone] = host.split('%');
    const scope = zone === undefined ? 0 : Number(this.#interfaceIndex(zone)) || Number(zone) || 0;
    return socketAddress(address, port, scope).subarray(0, isIPv6(address) ? ADDRESS_SIZE : 16);
  }

  openConnected(address: Buffer): number | string {
    const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const fd = Number(this.#socket(address.readUInt16LE(), type, 0));
    if (fd < 0) return this.errorName(this.#koffi.errno());
    // Not bound before: the kernel then chooses a random port of its range, and connects it, in one call.
    if (Number(this.#connect(fd, address, address.length)) === 0) return fd;
    const code = this.errorName(this.#koffi.errno());
    this.#close(fd);
    return code;
  }

  close(fd: number): void {
    this.#close(fd);
  }

  isReadable(fd: number): boolean {
    // struct pollfd
    const asked = Buffer.alloc(8);
    asked.writeInt32LE(fd);
    asked.writeInt16LE(POLLIN, 4);
    return Number(this.#pollOnce(asked, 1, 0)) > 0 && (asked.readInt16LE(6) & POLLIN) !== 0;
  }

  errorName(errno: number): string {
    const known = Object.entries(this.#koffi.os.errno).find(([, value]) => value === errno);
    return known?.[0] ?? `errno ${errno}`;
  }

  receive(fd: number, headers: Buffer, count: number): number {
    return this.#datagrams.receive(fd, headers, count);
  }

  send(fd: number, headers: Uint8Array, count: number): number {
    return this.#datagrams.send(fd, headers, count);
  }

  receiveOne(fd: number, datagram: OneDatagram): number {
    return this.#datagrams.receiveOne(fd, datagram);
  }

  sendOne(fd: number, datagram: OneDatagram, length: number, addressLength: number): number {
    return this.#datagrams.sendOne(fd, datagram, length, addressLength);
  }

  poll(fd: number, wake: () => void): Poll {
    return this.#poll(fd, wake, false);
  }

  watch(wake: () => void): Watch {
    const { create, control, wait } = this.#epoll;
    const fd = Number(create(EPOLL_CLOEXEC));
    if (fd < 0) throw new Error(`epoll_create1: ${this.errorName(this.#koffi.errno())}`);
    const event = Buffer.alloc(EVENT_SIZE);
    const events = Buffer.alloc(EVENT_SIZE * EVENTS);
    const poll = this.#poll(fd, wake, true);
    return {
      add: (added) => {
        event.writeUInt32LE(EPOLLIN);
        event.writeInt32LE(added, EVENT_SIZE - 8);
        return Number(control(fd, EPOLL_CTL_ADD, added, event)) === 0 ? 0 : -this.#koffi.errno();
      },
      ready: (descriptors) => {
        const count = Number(wait(fd, events, Math.min(EVENTS, descriptors.length), 0));
        for (let i = 0; i < count; i++) descriptors[i] = events.readInt32LE(i * EVENT_SIZE + EVENT_SIZE - 8);
        return Math.max(0, count);
      },
      close: async () => {
        await poll.close();
        this.#close(fd);
      },
    };
  }

  #poll(fd: number, wake: () => void, background: boolean): Poll {
    const { loop, init, start, stop, unref, close } = this.#uv;
    const koffi = this.#koffi;
    // libuv keeps pointers into the handle until it is closed.
    const handle = Buffer.alloc(Math.max(4096, this.#uv.size));
    const started = Number(init(loop(), handle, fd));
    if (started < 0) throw new Error(`uv_poll_init: ${started}`);
    const onPoll = koffi.register(wake, this.#pollCallback);
    start(handle, UV_READABLE, onPoll);
    if (background) unref(handle);
    let closing: Promise<void> | null = null;
    return {
      close: () => {
        closing ??= new Promise<void>((resolve) => {
          stop(handle);
          const onClosed = koffi.register(() => {
            // The callback itself is still running: what it stands on goes a turn later.
            setImmediate(() => {
              handle.fill(0);
              koffi.unregister(onPoll);
              koffi.unregister(onClosed);
              resolve();
            });
          }, this.#closeCallback);
          close(handle, onClosed);
        });
        return closing;
      },
    };
  }

  pause(microseconds: number): void {
    this.#usleep(microseconds);
  }

  address(buffer: Uint8Array | Uint32Array): bigint {
    return BigInt(this.#koffi.address(buffer));
  }

  trim(): void {
    this.#trim?.async(0, () => {});
  }

  giveBackMemory(): void {
    this.trim();
    this.#programPages.giveBack();
  }

  emptyArray(array: Uint8Array | Uint32Array): void {
    const start = this.address(array);
    const from = (start + PAGE - 1n) & -PAGE;
    const octets = Number(((start + BigInt(array.byteLength)) & -PAGE) - from);
    if (octets <= 0) return;
    // V8 may not free what the thread is at: the addresses could be another's by then.
    this.#emptying.add(array);
    this.#madvise.async(from, octets, MADV_DONTNEED, () => this.#emptying.delete(array));
  }

  #set(fd: number, level: number, option: number, value: number): number {
    const octets = Buffer.alloc(64);
    octets.writeInt32LE(value);
    return Number(this.#setsockopt(fd, level, option, octets, 4));
  }

  #error(syscall: string, address: string, port: number): NodeJS.ErrnoException {
    const errno = this.#koffi.errno();
    const code = this.errorName(errno);
    const error: NodeJS.ErrnoException = new Error(`${syscall} ${code} ${address}:${port}`);
    return Object.assign(error, { code, syscall, address, port, errno: -errno });
  }
}

/** musl has no malloc_trim. */
function optional<T>(find: () => T): T | null {
  try {
    return find();
  } catch {
    return null;
  }
}
