import { SLOT } from './datagrams.ts';
import type { OneDatagram } from './native.ts';

const MSG_DONTWAIT = 0x40;

/** What koffi makes of a prototype in C. */
type Call = (...args: unknown[]) => unknown;

/** The calls that take datagrams in and out, many at once or one. None waits. Each returns how much it did, or -errno. */
export class DatagramCalls {
  readonly #recvmmsg: Call;
  readonly #sendmmsg: Call;
  readonly #recvfrom: Call;
  readonly #sendto: Call;
  readonly #errno: () => number;

  constructor(func: (prototype: string) => Call, errno: () => number) {
    this.#recvmmsg = func('int recvmmsg(int, void *, uint32_t, int, void *)');
    this.#sendmmsg = func('int sendmmsg(int, void *, uint32_t, int)');
    this.#recvfrom = func('long recvfrom(int, uintptr_t, size_t, int, uintptr_t, uintptr_t)');
    this.#sendto = func('long sendto(int, uintptr_t, size_t, int, uintptr_t, uint32_t)');
    this.#errno = errno;
  }

  receive(fd: number, headers: Buffer, count: number): number {
    return this.#done(this.#recvmmsg(fd, headers, count, MSG_DONTWAIT, null) as number);
  }

  send(fd: number, headers: Uint8Array, count: number): number {
    return this.#done(this.#sendmmsg(fd, headers, count, MSG_DONTWAIT) as number);
  }

  receiveOne(fd: number, { data, address, addressLength }: OneDatagram): number {
    return this.#done(this.#recvfrom(fd, data, SLOT, MSG_DONTWAIT, address, addressLength) as number);
  }

  sendOne(fd: number, { data, address }: OneDatagram, length: number, addressLength: number): number {
    return this.#done(this.#sendto(fd, data, length, MSG_DONTWAIT, address, addressLength) as number);
  }

  #done(result: number): number {
    return result >= 0 ? result : -this.#errno();
  }
}
