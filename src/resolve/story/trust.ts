import { approvesName } from '../../policy/decide/beside.ts';
import { VERDICT } from '../../policy/decide/decision.ts';
import { WildcardsAbove, wildcardsAbove } from '../../policy/decide/wildcards.ts';
import { labelOffsets, MAX_NAME } from '../../wire/name.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import type { Charges } from '../ledger/charges.ts';
import type { TrustTarget } from './trust-target.ts';
import type { Turn } from './turn.ts';

/** Names kept in all; the oldest goes first. */
const MAX_NAMES = 4096;
/** Milliseconds for which a validator may ask about a chain that it was given. */
const LIFE: Milliseconds = 300_000;

const FREE = new Uint8Array(0);

/**
 * Targets of chains that an identity was just given, with their ancestors: a validator below us needs their DS and DNSKEY.
 * Whoever owns a name under a wildcard chooses these names, and which of them is asked about tells him something: so a
 * wildcard's are charged to it. A written-out name's are remembered only where they lie under a name that the view
 * approves. What a reload takes from an identity, its view or its audit, it takes from here too, and another stage has its
 * own: `Standing.trust` is another number.
 */
export class TrustTargets {
  readonly #targets = new Map<string, TrustTarget>();
  readonly #scratch = Buffer.alloc(MAX_NAME + 4);
  readonly #above = new WildcardsAbove();
  readonly #charges: Charges | null;

  constructor(charges: Charges | null) {
    this.#charges = charges;
  }

  /** Remembers for whoever has the turn, and no longer than what approved the answer lasts. */
  remember(turn: Turn, chain: readonly Uint8Array[]): void {
    const { decision, now, nextEpoch } = turn;
    const { standing, view, bound } = turn.asker;
    const approved = decision.verdict === VERDICT.ALLOW || decision.verdict === VERDICT.LOCAL;
    const left = (approved ? decision.until : standing.identity.auditUntil) - nextEpoch;
    if (left <= 0) return;
    const until = Math.min(now + Math.min(LIFE, left * 1000), bound?.endsAt ?? Number.POSITIVE_INFINITY);
    const trust = standing.trust(view);
    const [base = FREE, ...wider] = approved ? this.#basesOf(turn) : [];
    // Nothing may leave for whoever is contained: nor does what would be asked about come into being.
    if (base.length > 0 && this.#charges?.isHeld(turn)) return;
    const { rules } = turn.inForce.snapshot;
    const terms = decision.rule < 0 ? null : rules.terms[rules.term[decision.rule]!]!;
    for (const name of chain) {
      if (approved && base.length === 0 && !isBelowApproved(turn, name)) continue;
      for (let at = 0; name[at] !== 0; at += 1 + name[at]!) {
        const key = this.#key(trust, name.subarray(at), name.length - at);
        const before = this.#targets.get(key);
        // What is free for this client stays so: two answers lead to one name.
        const free = before !== undefined && before.base.length === 0 && before.until > now;
        this.#targets.delete(key);
        this.#targets.set(key, { until, base: free ? FREE : base, wider: free ? [] : wider, terms });
      }
    }
    for (const key of this.#targets.keys()) {
      if (this.#targets.size <= MAX_NAMES) break;
      this.#targets.delete(key);
    }
  }

  /** What a validator may ask about, or null. */
  find({ asker, query, now }: Turn): TrustTarget | null {
    const { standing, view } = asker;
    const target = this.#targets.get(this.#key(standing.trust(view), query.name, query.nameLength));
    return target === undefined || target.until <= now ? null : target;
  }

  /** Bases of the wildcard that decided the question and of wider ones, in wire form; none where none did. */
  #basesOf({ inForce, asker, decision, epoch, query }: Turn): Uint8Array[] {
    wildcardsAbove(inForce.snapshot, asker.view, decision, epoch, this.#above);
    return Array.from(this.#above.labels.subarray(0, this.#above.count), (labels) => {
      const start = labels === 0 ? query.nameLength - 1 : query.labels[query.labelCount - labels]!;
      // A Buffer's own `slice` would be a view of what the next query overwrites.
      return Uint8Array.prototype.slice.call(query.name, start, query.nameLength);
    });
  }

  #key(trust: number, name: Uint8Array, nameLength: number): string {
    this.#scratch.set(name.subarray(0, nameLength));
    this.#scratch.writeUInt32BE(trust, nameLength);
    return this.#scratch.toString('latin1', 0, nameLength + 4);
  }
}

/** Whether a name lies at or under one that the view approves. */
function isBelowApproved({ inForce, asker, epoch }: Turn, name: Uint8Array): boolean {
  for (let at = 0; name[at] !== 0; at += 1 + name[at]!) {
    const own = name.subarray(at);
    const subject = { name: own, labels, labelCount: labelOffsets(own, labels) };
    if (approvesName(inForce.snapshot, asker.view, subject, epoch)) return true;
  }
  return false;
}

/** Not re-entrant. */
const labels = new Uint8Array(128);
