import type { EpochMilliseconds } from '../../wire/quantity.ts';
import type { Thresholds } from './kinds.ts';
import type { Observed, OctetHash } from './observed.ts';

/** Names of one identity that are remembered; one that uses more is told of none. */
const MOST_NAMES = 4_096;
const MOST_IDENTITIES = 4_096;
/** Names of all identities: 16 octets each. */
const MOST_OF_ALL = 262_144;
/** Leases that are told apart, by the last ones. */
const LAST_LEASES = 64;

/** What an identity has used, in the form that is kept. */
export interface Acquainted {
  /** Milliseconds since 1970. */
  readonly since: EpochMilliseconds;
  readonly leases: number;
  /** Hashes of names; null where there were too many. */
  readonly names: readonly number[] | null;
}

interface Identity {
  readonly since: EpochMilliseconds;
  leases: number;
  readonly lastLeases: string[];
  /** Null where there were too many. */
  names: Set<number> | null;
}

/**
 * The approved names that each identity has used. Of names under a wildcard or family their registered domain stands for all.
 * The hash is the same from one run to the next, for what is known is kept.
 */
export class Acquaintance {
  /** Identities of which something changed. */
  readonly changed = new Set<string>();
  readonly #hash: OctetHash;
  readonly #identities = new Map<string, Identity>();
  #names = 0;

  constructor(hash: OctetHash) {
    this.#hash = hash;
  }

  /** Whether an allowed question is a first contact that is to be told. */
  isFirst(asked: Observed, limits: NonNullable<Thresholds['first-contact']>): boolean {
    const { identity, at, lease, name, isOfPattern, domain } = asked;
    const known = this.#of(identity, at);
    if (known === null) return false;
    this.#noteLease(known, identity, lease);
    if (known.names === null) return false;
    const hash = this.#hash(name, isOfPattern ? domain : 0, name.length);
    if (known.names.has(hash)) return false;
    this.changed.add(identity);
    if (known.names.size >= MOST_NAMES || this.#names >= MOST_OF_ALL) {
      this.#names -= known.names.size;
      known.names = null;
      return false;
    }
    known.names.add(hash);
    this.#names++;
    return at - known.since >= limits.history && known.leases >= limits.leases;
  }

  kept(identity: string): Acquainted | null {
    const known = this.#identities.get(identity);
    if (known === undefined) return null;
    return {
      since: known.since,
      leases: known.leases,
      names: known.names === null ? null : [...known.names],
    };
  }

  restore(identity: string, { since, leases, names }: Acquainted): void {
    const isFull = names === null || this.#names + names.length > MOST_OF_ALL;
    if (!isFull) this.#names += names.length;
    this.#identities.set(identity, { since, leases, lastLeases: [], names: isFull ? null : new Set(names) });
  }

  #of(identity: string, at: EpochMilliseconds): Identity | null {
    let known = this.#identities.get(identity);
    if (known === undefined) {
      if (this.#identities.size >= MOST_IDENTITIES) return null;
      known = { since: at, leases: 0, lastLeases: [], names: new Set() };
      this.#identities.set(identity, known);
      this.changed.add(identity);
    }
    return known;
  }

  #noteLease(known: Identity, identity: string, lease: string): void {
    if (lease === '' || known.lastLeases.includes(lease)) return;
    known.leases++;
    known.lastLeases.push(lease);
    if (known.lastLeases.length > LAST_LEASES) known.lastLeases.shift();
    this.changed.add(identity);
  }
}
