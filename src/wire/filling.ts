import { writeUint16 } from './header.ts';

/**
 * How a reply can be made longer and say the same: its last octets are a text for people (EXTRA-TEXT, RFC 8914 §2), and spaces
 * behind it mean nothing. Over UDP the padding of RFC 7830 is not allowed (its §6).
 */
export class Filling {
  /** Octets that the reply may have at most; 0 where it ends in no text. */
  most = 0;
  /** Where its OPT record begins; and the option of the text, the record's last. */
  opt = 0;
  option = 0;
}

const SPACE = 0x20;

/** Makes a reply of `length` octets, of which `opt` and `option` say where the text stands, one of `wanted`. */
export function fillReply(
  reply: Uint8Array,
  length: number,
  wanted: number,
  opt: number,
  option: number,
): void {
  for (let at = length; at < wanted; at++) reply[at] = SPACE;
  writeUint16(reply, opt + 9, wanted - opt - 11);
  writeUint16(reply, option + 2, wanted - option - 4);
}
