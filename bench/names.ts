/** The names that the loads ask for, the same on every run. */

/** Zones that the upstream serves: approved names stand in the first, wildcard names in the second. */
export const APPROVED_ZONE = 'bench.example';
export const WILDCARD_ZONE = 'miss.example';

/** Approved names, written out one by one in every server's policy. */
export const APPROVED: readonly string[] = Array.from(
  { length: 1000 },
  (_, i) => `api-${String(i).padStart(3, '0')}.svc-${i % 17}.${APPROVED_ZONE}`,
);

/** The zone file of APPROVED_ZONE. */
export function approvedZone(): string {
  const records = APPROVED.map((name, i) => `${name}. A 192.0.2.${1 + (i % 254)}`);
  return [...soa(APPROVED_ZONE), ...records, ''].join('\n');
}

/** The zone file of WILDCARD_ZONE: every name of one label in front has an address. */
export function wildcardZone(): string {
  return [...soa(WILDCARD_ZONE), `*.${WILDCARD_ZONE}. A 192.0.2.1`, ''].join('\n');
}

function soa(zone: string): string[] {
  return [
    '$TTL 3600',
    `${zone}. SOA ns.${zone}. host.${zone}. 1 3600 600 86400 300`,
    `${zone}. NS ns.${zone}.`,
  ].concat(`ns.${zone}. A 192.0.2.53`);
}

/** Deterministic pseudo-random numbers (xorshift32): the loads of two runs are the same. */
export class Dice {
  #state: number;

  /** `seed`: any integer but 0. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 32 bits. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  /** 0 to `bound` - 1. */
  below(bound: number): number {
    return this.next() % bound;
  }

  /** 8 to 16 letters and digits. */
  label(): string {
    let text = '';
    for (let left = 8 + this.below(9); left > 0; left--) text += ALPHABET[this.below(36)];
    return text;
  }
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/**
 * A name that no policy approves: under the approved zone, under a zone that the policy has never heard of, or deep in
 * one, as data that leaves through DNS would look.
 */
export function deniedName(dice: Dice): string {
  switch (dice.below(3)) {
    case 0:
      return `${dice.label()}.${APPROVED_ZONE}`;
    case 1:
      return `${dice.label()}.${dice.label()}.test`;
    default:
      return `${dice.label()}.${dice.label()}.${dice.label()}.evil.invalid`;
  }
}
