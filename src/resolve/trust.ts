import { keyOf } from './key.ts';

/** Names kept in all; the oldest goes first. */
const MAX_NAMES = 4096;
/** Milliseconds for which a validator may ask about a chain that it was given. */
const LIFE = 300_000;

/**
 * Targets of chains that an identity was just given, with their ancestors: a validator below us needs their DS and DNSKEY
 * (DESIGN §2). Zones of approved names choose these names, and nobody's free label is among them.
 */
export class TrustTargets {
  readonly #until = new Map<string, number>();
  readonly #scratch = Buffer.alloc(264);

  /** `identity` is Standing.id. */
  remember(identity: number, chain: readonly Uint8Array[], now: number): void {
    for (const name of chain) {
      for (let at = 0; name[at] !== 0; at += 1 + name[at]!) {
        const key = this.#key(identity, name.subarray(at), name.length - at);
        this.#until.delete(key);
        this.#until.set(key, now + LIFE);
      }
    }
    for (const key of this.#until.keys()) {
      if (this.#until.size <= MAX_NAMES) break;
      this.#until.delete(key);
    }
  }

  allows(identity: number, name: Uint8Array, nameLength: number, now: number): boolean {
    return (this.#until.get(this.#key(identity, name, nameLength)) ?? 0) > now;
  }

  #key(identity: number, name: Uint8Array, nameLength: number): string {
    this.#scratch.set(name.subarray(0, nameLength));
    return keyOf(this.#scratch, nameLength, 0, 0, false, identity);
  }
}
