import type { IpAddress } from '../wire/ip-address.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';

/** Networks that are remembered, so that each is told once an hour. */
const MAX_NETWORKS = 1024;
const TELL_AGAIN_MS: Milliseconds = 3_600_000;
/** Networks that are told a minute: whoever forges sources has as many as he wants. */
const A_MINUTE = 10;
const MINUTE_MS: Milliseconds = 60_000;

/** Says of which unknown clients the log tells: one of each network (/24, /48) an hour, and few a minute. */
export class UnknownClients {
  /** Questions of networks that were not told, since the last that was. */
  suppressed = 0;
  readonly #told = new Map<number, Monotonic>();
  #minute: Monotonic = Number.NEGATIVE_INFINITY;
  #tellings = 0;

  /** Whether this client's network is to be told now; `now`: monotonic milliseconds. */
  isNew(client: IpAddress, now: Monotonic): boolean {
    const network = networkOf(client);
    const told = this.#told.get(network);
    if (told !== undefined && now - told < TELL_AGAIN_MS) return false;
    if (now - this.#minute >= MINUTE_MS) {
      this.#minute = now;
      this.#tellings = 0;
    }
    if (this.#tellings >= A_MINUTE || (told === undefined && !this.#makeRoom(now))) {
      this.suppressed++;
      return false;
    }
    this.#tellings++;
    this.#told.delete(network);
    this.#told.set(network, now);
    return true;
  }

  /** The oldest stands first: insertion order is time order. */
  #makeRoom(now: Monotonic): boolean {
    if (this.#told.size < MAX_NETWORKS) return true;
    for (const [network, told] of this.#told) {
      if (now - told < TELL_AGAIN_MS) return false;
      this.#told.delete(network);
      return true;
    }
    return true;
  }
}

/** A number for a /24 or a /48; a mapped address is its IPv4 address. */
function networkOf({ family, w0, w1, w2, w3 }: IpAddress): number {
  if (family === 4) return w0 >>> 8;
  if (w0 === 0 && w1 === 0 && w2 === 0xffff) return w3 >>> 8;
  return 2 ** 24 + w0 * 2 ** 16 + (w1 >>> 16);
}
