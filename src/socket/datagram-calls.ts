const MSG_DONTWAIT = 0x40;

/** What koffi makes of a prototype in C. */
type Call = (...args: unknown[]) => unknown;

/** The calls that take datagrams in and out, many at once. None waits. Each returns how much it did, or -errno. */
export class DatagramCalls {
  readonly #recvmmsg: Call;
  readonly #sendmmsg: Call;
  readonly #errno: () => number;

  constructor(func: (prototype: string) => Call, errno: () => number) {
    this.#recvmmsg = func('int recvmmsg(int, void *, uint32_t, int, void *)');
    this.#sendmmsg = func('int sendmmsg(int, void *, uint32_t, int)');
    this.#errno = errno;
  }

  receive(fd: number, headers: Buffer, count: number): number {
    return this.#done(this.#recvmmsg(fd, headers, count, MSG_DONTWAIT, null) as number);
  }

  send(fd: number, headers: Uint8Array, count: number): number {
    return this.#done(this.#sendmmsg(fd, headers, count, MSG_DONTWAIT) as number);
  }

  #done(result: number): number {
    return result >= 0 ? result : -this.#errno();
  }
}
