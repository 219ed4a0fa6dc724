import { RCODE, TYPE } from '../../wire/iana.ts';
import type { Answer } from '../answer/answer.ts';
import type { Entry } from '../answer/entry.ts';
import { withType } from '../answer/key.ts';

/** Types whose data in the cache shows that a name exists. */
const SHOWING = [
  TYPE.A,
  TYPE.AAAA,
  TYPE.CNAME,
  TYPE.HTTPS,
  TYPE.TXT,
  TYPE.MX,
  TYPE.SRV,
  TYPE.SVCB,
  TYPE.PTR,
  TYPE.NS,
  TYPE.SOA,
  TYPE.CAA,
  TYPE.NAPTR,
  TYPE.TLSA,
  TYPE.SSHFP,
  TYPE.URI,
] as const;
/** Names with a denial that is remembered, and denials of each; the oldest name goes. */
const MAX_NAMES = 1024;
const MAX_KEYS = 32;

/** Where entries are found by their keys' text. */
export interface Shelf {
  /** Good until the next call; null for nothing. */
  lookup(key: string): Entry | null;
  /** What is kept, and says NXDOMAIN, says no data from now on. */
  soften(key: string): void;
  isFresh(entry: Entry): boolean;
}

/**
 * Some authoritative servers say NXDOMAIN of a name that has data of another type, where no data of this type is right.
 * NXDOMAIN would end the name for a stub that asks for both (and below it for a cache, RFC 8020), so what is known of the
 * name decides, in whichever order it came.
 */
export class Existence {
  readonly #shelf: Shelf;
  /** Keys of denials by the name they deny: the key without its type. */
  readonly #denied = new Map<string, string[]>();

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
  }

  /** Whether `judge` has anything to say of an answer; of most it has not. */
  concerns(answer: Answer): boolean {
    return isDenial(answer) || (this.#denied.size > 0 && answer.plain.answers > 0);
  }

  /** What an answer that has just come is kept as. */
  judge(key: string, nameLength: number, answer: Answer): Answer {
    if (isDenial(answer)) {
      if (this.#hasData(key, nameLength)) return soften(answer);
      this.#remember(key, nameLength);
    } else if (this.#denied.size > 0 && answer.plain.answers > 0) {
      this.#correct(key, nameLength);
    }
    return answer;
  }

  #hasData(key: string, nameLength: number): boolean {
    return SHOWING.some((type) => {
      const entry = this.#shelf.lookup(withType(key, nameLength, type));
      if (!entry?.hasAnswer) return false;
      entry.choose(false);
      return entry.answers > 0 && this.#shelf.isFresh(entry);
    });
  }

  #remember(key: string, nameLength: number): void {
    const name = withoutType(key, nameLength);
    const keys = this.#denied.get(name);
    if (keys === undefined) this.#denied.set(name, [key]);
    else if (!keys.includes(key) && keys.length < MAX_KEYS) keys.push(key);
    if (this.#denied.size <= MAX_NAMES) return;
    for (const oldest of this.#denied.keys()) {
      this.#denied.delete(oldest);
      return;
    }
  }

  /** The name has data after all: what said that it is not there says no data from now on. */
  #correct(key: string, nameLength: number): void {
    const name = withoutType(key, nameLength);
    const keys = this.#denied.get(name);
    if (keys === undefined) return;
    this.#denied.delete(name);
    for (const denied of keys) {
      const entry = this.#shelf.lookup(denied);
      if (entry?.hasAnswer && entry.rcode === RCODE.NXDOMAIN && !entry.hasChain) this.#shelf.soften(denied);
    }
  }
}

/** NXDOMAIN of the very name that was asked for. */
export function isDenial(answer: Answer): boolean {
  return answer.rcode === RCODE.NXDOMAIN && answer.chain.length === 0;
}

/** Its proofs are of another answer. */
function soften(answer: Answer): Answer {
  return { ...answer, rcode: RCODE.NOERROR, full: answer.plain, authentic: false };
}

function withoutType(key: string, nameLength: number): string {
  return key.slice(0, nameLength) + key.slice(nameLength + 2);
}
