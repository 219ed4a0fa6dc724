import { MAX_FRAME } from '../wire/framing.ts';

/** Octets of the length in front of each message (RFC 1035 §4.2.2). */
export const PREFIX = 2;

/** Where the answers of one turn are laid out, each behind its length, so that they leave in one write. */
export class ReplyBatch {
  /** Where the answerer writes. */
  readonly reply: Buffer = Buffer.allocUnsafeSlow(MAX_FRAME);
  readonly octets: Buffer;
  used = 0;

  /** `full`: octets at which a turn ends; one more answer fits always. */
  constructor(full: number) {
    this.octets = Buffer.allocUnsafeSlow(full + PREFIX + MAX_FRAME);
  }

  append(reply: Buffer, length: number): void {
    this.octets.writeUInt16BE(length, this.used);
    reply.copy(this.octets, this.used + PREFIX, 0, length);
    this.used += PREFIX + length;
  }
}
