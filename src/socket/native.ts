/**
 * The C library's batched socket calls, and libuv's poll handles in Node's own event loop. Linux on 64 bits, little
 * endian: the layouts below are that ABI's. `loadNative` (linux-native.ts) returns a text
 * elsewhere, or where koffi does not load.
 */
export interface Native {
  /** A bound, non-blocking UDP socket, or the system's error as a value with `code` and `syscall`. */
  openUdp(host: string, port: number, receiveBuffer: number): UdpSocket | NodeJS.ErrnoException;
  /** Returns how many were received, or -errno. */
  receive(fd: number, headers: Buffer, count: number): number;
  /** Returns how many were sent, or -errno of the first. */
  send(fd: number, headers: Uint8Array, count: number): number;
  /** One datagram without the messages around it: into or out of `datagram`. Returns its octets, or -errno. */
  receiveOne(fd: number, datagram: OneDatagram): number;
  sendOne(fd: number, datagram: OneDatagram, length: number, addressLength: number): number;
  /** struct sockaddr_in or sockaddr_in6 of a literal address, an IPv6 one perhaps with `%scope`. */
  socketAddress(host: string, port: number): Buffer;
  /**
   * A non-blocking UDP socket on a port of the kernel's random choice, connected to the address: its descriptor, or the
   * system's error code.
   */
  openConnected(address: Buffer): number | string;
  close(fd: number): void;
  /** Whether something waits to be read, at this moment. */
  isReadable(fd: number): boolean;
  /** The name of an error number: `ECONNREFUSED`. */
  errorName(errno: number): string;
  /** Calls `wake` on each turn of the event loop on which the descriptor can be read. `wake` must not throw. */
  poll(fd: number, wake: () => void): Poll;
  /** Many sockets watched as one. Keeps no process alive. Throws where the system refuses it. */
  watch(wake: () => void): Watch;
  address(buffer: Buffer): bigint;
  /** Stops this thread for so many microseconds, and for what the system's timer slack adds (50 by default). */
  pause(microseconds: number): void;
  /** Gives back to the system what was freed and glibc keeps, in a thread of libuv's (malloc_trim(3)). */
  trim(): void;
  /** The same, and pages of the program's own file, many of which only a start needs (madvise(2)). */
  giveBackMemory(): void;
  /**
   * Gives the whole pages of an array back to the system, in a thread of libuv's (madvise(2)). They read as zeros afterwards.
   * The array must stand in memory of its own: one of V8's, not in a mapped file.
   */
  emptyArray(array: Uint8Array | Uint32Array): void;
}

/** Where one datagram stands: addresses in memory, as `address` gives them. */
export interface OneDatagram {
  readonly data: number;
  readonly address: number;
  /** Of the address's length, 32 bits, which says how much room there is before a datagram is received. */
  readonly addressLength: number;
}

export interface UdpSocket {
  readonly fd: number;
  readonly port: number;
  /** Octets, as the kernel counts them. */
  readonly receiveBuffer: number;
  /** Control messages say which address was asked (IP_PKTINFO, IPV6_PKTINFO). */
  readonly wildcard: boolean;
  close(): void;
}

export interface Poll {
  /** Ends the wakes at once; resolves when the handle is closed. The descriptor is the caller's to close, after that. */
  close(): Promise<void>;
}

/** One epoll descriptor over sockets that come and go: adding one is one system call, and closing it takes it off. */
export interface Watch {
  /** Returns 0, or -errno. */
  add(fd: number): number;
  /** Fills in the descriptors that can be read or have failed, as many as fit; returns how many. */
  ready(descriptors: Int32Array): number;
  close(): Promise<void>;
}
