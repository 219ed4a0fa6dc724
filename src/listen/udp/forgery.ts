import type { Spoofable } from '../../settings/settings.ts';
import type { AddressWords } from '../../wire/ip-address.ts';
import { PrefixTable } from '../prefixes.ts';

/** Octet of the header with the TC bit (RFC 1035 §4.1.1). */
const TC_OCTET = 2;
const TC = 0x02;

/** Whether the source of a datagram may be forged. */
export class Forgery {
  /** For every source, where there are no exceptions. */
  readonly always: boolean;
  readonly #except: PrefixTable | null;

  constructor(spoofable: Spoofable) {
    this.always = spoofable !== false;
    this.#except = typeof spoofable === 'boolean' ? null : new PrefixTable(spoofable.except);
  }

  isPossible(source: Readonly<AddressWords>): boolean {
    return this.always && (this.#except === null || !this.#except.holds(source));
  }
}

/** Whether a reply sends its client to TCP. */
export function isTruncated(reply: Uint8Array): boolean {
  return (reply[TC_OCTET]! & TC) !== 0;
}
