import type { Prefix } from '../wire/prefix.ts';
import type { AddressWords } from './address.ts';

/** Whether an address lies in a prefix of its family. */
export function isWithin(address: Readonly<AddressWords>, { family, words, length }: Prefix): boolean {
  if (family !== address.family) return false;
  const own = [address.w0, address.w1, address.w2, address.w3];
  return words.every((word, i) => {
    const bits = Math.min(32, Math.max(0, length - 32 * i));
    // A shift by 32 would be one by none.
    return bits === 0 || (word ^ own[i]!) >>> (32 - bits) === 0;
  });
}
