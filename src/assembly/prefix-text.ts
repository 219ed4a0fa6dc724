import { addressText } from '../socket/address-words.ts';
import type { Prefix } from '../wire/prefix.ts';

/** `10.20.0.0/16`. */
export function prefixText({ family, words, length }: Prefix): string {
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
  return `${addressText({ family, w0, w1, w2, w3 })}/${length}`;
}
