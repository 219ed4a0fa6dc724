/** The fixed header of a message (RFC 1035 §4.1.1, RFC 2535 §6.1 for AD and CD). */

export const HEADER_SIZE = 12;

/** Bits of the flags word, octets 2 and 3. */
export const FLAG = {
  QR: 0x8000,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  AD: 0x0020,
  CD: 0x0010,
} as const;

export const OPCODE_MASK = 0x7800;
export const RCODE_MASK = 0x000f;

export function readUint16(message: Uint8Array, at: number): number {
  return (message[at]! << 8) | message[at + 1]!;
}

export function readUint32(message: Uint8Array, at: number): number {
  return ((message[at]! << 24) | (message[at + 1]! << 16) | (message[at + 2]! << 8) | message[at + 3]!) >>> 0;
}

export function writeUint16(message: Uint8Array, at: number, value: number): void {
  message[at] = value >>> 8;
  message[at + 1] = value;
}

export function writeUint32(message: Uint8Array, at: number, value: number): void {
  message[at] = value >>> 24;
  message[at + 1] = value >>> 16;
  message[at + 2] = value >>> 8;
  message[at + 3] = value;
}

export function messageId(message: Uint8Array): number {
  return readUint16(message, 0);
}

export function messageFlags(message: Uint8Array): number {
  return readUint16(message, 2);
}

export function opcodeOf(flags: number): number {
  return (flags & OPCODE_MASK) >>> 11;
}

/** Entries of a section: 0 question, 1 answer, 2 authority, 3 additional. */
export function sectionCount(message: Uint8Array, section: 0 | 1 | 2 | 3): number {
  return readUint16(message, 4 + 2 * section);
}
