import type { EpochSeconds, Seconds } from '../../wire/quantity.ts';
import type { Query } from '../../wire/question.ts';
import type { Client } from '../ports.ts';
import { SipHash } from './siphash.ts';

/** Octets of a client cookie, and of the whole option data that we write: client cookie and server cookie. */
const CLIENT = 8;
const WHOLE = 24;
export const COOKIE_SIZE = WHOLE;
/** Seconds that a server cookie is good for, that it may be ahead of us, and after which a new one is given (RFC 9018 §4.3). */
const LIFE: Seconds = 3600;
const AHEAD = 300;
const RENEW = 1800;
const VERSION = 1;

/**
 * DNS cookies (RFC 7873) in the interoperable form of RFC 9018: a client that shows a server cookie of ours has received
 * something at its address. Secrets come in as values; the one before stays good, so that a change breaks nobody.
 */
export class Cookies {
  #present: SipHash;
  #before: SipHash | null = null;
  /** What is hashed: client cookie, version, reserved, timestamp, address (RFC 9018 §4.4). */
  readonly #input = Buffer.alloc(CLIENT + 8 + 16);

  /** `secret`: 16 octets that nobody outside knows. */
  constructor(secret: Uint8Array) {
    this.#present = new SipHash(secret);
  }

  /** Takes a new secret. To be called less often than once in LIFE. */
  roll(secret: Uint8Array): void {
    this.#before = this.#present;
    this.#present = new SipHash(secret);
  }

  /**
   * Whether the query shows a server cookie that we gave this address within the hour. Where it has a cookie, fills `out`
   * with option data for its reply: COOKIE_SIZE octets.
   */
  judge(query: Query, client: Client, epoch: EpochSeconds, out: Buffer): boolean {
    if (query.cookieLength === 0) return false;
    const { message, cookieAt, cookieLength } = query;
    const input = this.#input;
    for (let i = 0; i < CLIENT; i++) input[i] = message[cookieAt + i]!;
    const length = this.#address(client);
    const now = Math.floor(epoch) >>> 0;
    let proof = false;
    let age = 0;
    if (cookieLength === WHOLE && message[cookieAt + CLIENT] === VERSION) {
      for (let i = CLIENT; i < CLIENT + 8; i++) input[i] = message[cookieAt + i]!;
      // Serial arithmetic (RFC 1982): the 32 bits wrap in 2106.
      age = (now - input.readUInt32BE(CLIENT + 4)) | 0;
      if (age <= LIFE && age >= -AHEAD) {
        proof = matches(this.#present, input, length, message, cookieAt + CLIENT + 8);
        if (!proof && this.#before !== null) {
          proof = matches(this.#before, input, length, message, cookieAt + CLIENT + 8);
          age = RENEW + 1;
        }
      }
    }
    if (!proof || age > RENEW || age < 0) {
      input[CLIENT] = VERSION;
      input[CLIENT + 1] = 0;
      input[CLIENT + 2] = 0;
      input[CLIENT + 3] = 0;
      input.writeUInt32BE(now, CLIENT + 4);
    }
    this.#present.run(input, length);
    input.copy(out, 0, 0, CLIENT + 8);
    out.writeInt32LE(this.#present.low, CLIENT + 8);
    out.writeInt32LE(this.#present.high, CLIENT + 12);
    return proof;
  }

  /** Puts the client's address at the end of the input, an IPv4-mapped one as IPv4; returns the input's length. */
  #address({ family, w0, w1, w2, w3 }: Client): number {
    const input = this.#input;
    const at = CLIENT + 8;
    if (family === 4 || (w0 === 0 && w1 === 0 && w2 === 0xffff)) {
      input.writeUInt32BE(family === 4 ? w0 : w3, at);
      return at + 4;
    }
    input.writeUInt32BE(w0, at);
    input.writeUInt32BE(w1, at + 4);
    input.writeUInt32BE(w2, at + 8);
    input.writeUInt32BE(w3, at + 12);
    return at + 16;
  }
}

/** Whether the eight octets at `at` are the hash of the input; every octet is looked at. */
function matches(hash: SipHash, input: Uint8Array, length: number, message: Uint8Array, at: number): boolean {
  hash.run(input, length);
  let differs = 0;
  for (let i = 0; i < 4; i++) {
    differs |= message[at + i]! ^ ((hash.low >>> (8 * i)) & 0xff);
    differs |= message[at + 4 + i]! ^ ((hash.high >>> (8 * i)) & 0xff);
  }
  return differs === 0;
}
