/**
 * Messages of netlink and their attributes (netlink(7), linux/netlink.h): in the machine's order of octets, which is little
 * endian here, but for what netfilter puts into attributes in network order.
 */

/** Writes messages one behind the other into a buffer that grows. */
export class NetlinkWriter {
  octets: Buffer = Buffer.alloc(65_536);
  length = 0;
  #message = 0;

  clear(): void {
    this.length = 0;
  }

  /** The header, and netfilter's own of four octets behind it; `resource` in network order. */
  begin(type: number, flags: number, sequence: number, family: number, resource = 0): void {
    this.#room(20);
    const at = this.length;
    this.#message = at;
    this.octets.writeUInt16LE(type, at + 4);
    this.octets.writeUInt16LE(flags, at + 6);
    this.octets.writeUInt32LE(sequence, at + 8);
    this.octets.writeUInt32LE(0, at + 12);
    this.octets[at + 16] = family;
    this.octets[at + 17] = 0;
    this.octets.writeUInt16BE(resource, at + 18);
    this.length = at + 20;
  }

  end(): void {
    this.octets.writeUInt32LE(this.length - this.#message, this.#message);
  }

  /** An attribute of these octets. */
  put(type: number, value: Uint8Array): void {
    const padded = (value.length + 3) & ~3;
    this.#room(4 + padded);
    const at = this.length;
    this.octets.writeUInt16LE(4 + value.length, at);
    this.octets.writeUInt16LE(type, at + 2);
    this.octets.fill(0, at + 4, at + 4 + padded);
    this.octets.set(value, at + 4);
    this.length = at + 4 + padded;
  }

  /** A text with the octet 0 behind it. */
  text(type: number, text: string): void {
    this.put(type, Buffer.from(`${text}\0`, 'latin1'));
  }

  u32(type: number, value: number): void {
    scratch.writeUInt32BE(value);
    this.put(type, scratch.subarray(0, 4));
  }

  u64(type: number, value: number): void {
    scratch.writeBigUInt64BE(BigInt(value));
    this.put(type, scratch);
  }

  /** Opens an attribute of attributes; `close` wants what this returns. */
  nest(type: number): number {
    this.#room(4);
    const at = this.length;
    this.octets.writeUInt16LE(type | NESTED, at + 2);
    this.length = at + 4;
    return at;
  }

  close(at: number): void {
    this.octets.writeUInt16LE(this.length - at, at);
  }

  /** All that was written; good until the next `clear`. */
  written(): Buffer {
    return this.octets.subarray(0, this.length);
  }

  #room(count: number): void {
    if (this.length + count <= this.octets.length) return;
    const larger = Buffer.alloc(2 * this.octets.length + count);
    this.octets.copy(larger, 0, 0, this.length);
    this.octets = larger;
  }
}

const scratch = Buffer.alloc(8);
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

/** One message of a datagram. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** What stands behind the header. */
  readonly body: Buffer;
}

/** The messages of a datagram; what is cut off is left out. */
export function* messagesOf(datagram: Buffer): Generator<NetlinkMessage> {
  for (let at = 0; at + 16 <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < 16 || at + length > datagram.length) return;
    yield {
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + 16, at + length),
    };
    at += (length + 3) & ~3;
  }
}

/** Attributes by type; the last of a type counts. Those that are cut off are left out. */
export function attributesOf(octets: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (const { type, value } of eachAttribute(octets)) found.set(type, value);
  return found;
}

export function* eachAttribute(
  octets: Buffer,
): Generator<{ readonly type: number; readonly value: Buffer; readonly whole: Buffer }> {
  for (let at = 0; at + 4 <= octets.length; ) {
    const length = octets.readUInt16LE(at);
    if (length < 4 || at + length > octets.length) return;
    const type = octets.readUInt16LE(at + 2) & TYPE_MASK;
    yield { type, value: octets.subarray(at + 4, at + length), whole: octets.subarray(at, at + length) };
    at += (length + 3) & ~3;
  }
}
