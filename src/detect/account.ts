import { HOLDER, type HolderKind } from './holder.ts';

/** Octets of an address as text: those of IPv6 have at most 39, and `::/64`. */
export const MOST_ADDRESS = 48;

/** A key that pays, as the client and the policy have it. One object is filled again and again, and allocates nothing. */
export class Account {
  kind: HolderKind = HOLDER.LEASE;
  /** 64 bits of a keyed hash of what the key is, signed words. */
  low = 0;
  high = 0;
  /** Units from which it alerts, and beyond which nothing is sent; 0 is off. */
  alert = 0;
  contain = 0;
  /** Several machines have it. */
  isShared = false;
  #text = '';
  readonly #octets = new Uint8Array(MOST_ADDRESS);
  #length = 0;

  /** For people: a lease's id, a name, an address. An address is made text of only here. */
  get subject(): string {
    if (this.#length === 0) return this.#text;
    let text = '';
    for (let i = 0; i < this.#length; i++) text += String.fromCharCode(this.#octets[i]!);
    return text;
  }

  name(text: string): void {
    this.#text = text;
    this.#length = 0;
  }

  /** Takes `length` octets of ASCII from `at` on. */
  nameOctets(octets: Uint8Array, at: number, length: number): void {
    this.#length = Math.min(length, MOST_ADDRESS);
    for (let i = 0; i < this.#length; i++) this.#octets[i] = octets[at + i]!;
  }
}
