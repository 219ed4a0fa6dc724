import { addressText } from '../socket/address-words.ts';
import { firstOf } from '../wire/ip-address.ts';
import type { Prefix } from '../wire/prefix.ts';

/** `10.20.0.0/16`. */
export function prefixText(prefix: Prefix): string {
  return `${addressText(firstOf(prefix))}/${prefix.length}`;
}
