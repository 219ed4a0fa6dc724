import { VERDICT } from '../../policy/decision.ts';
import { MAX_NAME } from '../../wire/name.ts';
import type { Turn } from './turn.ts';

/** Names kept in all; the oldest goes first. */
const MAX_NAMES = 4096;
/** Milliseconds for which a validator may ask about a chain that it was given. */
const LIFE = 300_000;

/**
 * Targets of chains that an identity was just given, with their ancestors: a validator below us needs their DS and DNSKEY
 * . Zones of approved names choose these names, and nobody's free label is among them. What a reload takes from
 * an identity, its view or its audit, it takes from here too, and another stage has its own: `Standing.trust` is another number.
 */
export class TrustTargets {
  readonly #until = new Map<string, number>();
  readonly #scratch = Buffer.alloc(MAX_NAME + 4);

  /** Remembers for whoever has the turn, and no longer than what approved the answer lasts. */
  remember(turn: Turn, chain: readonly Uint8Array[]): void {
    const { decision, now, nextEpoch } = turn;
    const { standing, view, bound } = turn.asker;
    const approved = decision.verdict === VERDICT.ALLOW || decision.verdict === VERDICT.LOCAL;
    const left = (approved ? decision.until : standing.identity.auditUntil) - nextEpoch;
    if (left <= 0) return;
    const until = Math.min(now + Math.min(LIFE, left * 1000), bound?.endsAt ?? Number.POSITIVE_INFINITY);
    const trust = standing.trust(view);
    for (const name of chain) {
      for (let at = 0; name[at] !== 0; at += 1 + name[at]!) {
        const key = this.#key(trust, name.subarray(at), name.length - at);
        this.#until.delete(key);
        this.#until.set(key, until);
      }
    }
    for (const key of this.#until.keys()) {
      if (this.#until.size <= MAX_NAMES) break;
      this.#until.delete(key);
    }
  }

  allows({ asker, query, now }: Turn): boolean {
    const { standing, view } = asker;
    return (this.#until.get(this.#key(standing.trust(view), query.name, query.nameLength)) ?? 0) > now;
  }

  #key(trust: number, name: Uint8Array, nameLength: number): string {
    this.#scratch.set(name.subarray(0, nameLength));
    this.#scratch.writeUInt32BE(trust, nameLength);
    return this.#scratch.toString('latin1', 0, nameLength + 4);
  }
}
