/** Who asks from an address at some moment, slowly: what leases bind it to, else its static identity. */
import { ASKERS } from './leak-story.ts';
import type { Identity, Policy } from './policy.ts';

export interface SlowLease {
  readonly id: string;
  /** Whose address it binds, an index into ASKERS. */
  readonly asker: number;
  readonly identity: string;
  /** Null: the first stage, where the identity has any. */
  readonly stage: string | null;
  /** Milliseconds of the test's clock. */
  readonly endsAt: number;
  /** Milliseconds after its end in which the address is nobody's. */
  readonly quarantine: number;
}

export interface Who {
  /** Null: `unknown`. */
  readonly identity: Identity | null;
  /** Index of the stage, or null for none. */
  readonly stage: number | null;
  /** When the lease ends that says so; infinity without one. */
  readonly endsAt: number;
}

const NOBODY: Who = { identity: null, stage: null, endsAt: Number.POSITIVE_INFINITY };

export class SlowLeases {
  /** Every lease whose quarantine may not be over. */
  #leases: SlowLease[] = [];

  /** Whether it could be opened: an address has one live lease at a time. */
  open(lease: SlowLease, now: number): boolean {
    this.#leases = this.#leases.filter(({ endsAt, quarantine }) => endsAt + quarantine > now);
    if (this.#live(lease.asker, now) !== undefined) return false;
    this.#leases.push(lease);
    return true;
  }

  /** Puts the live lease with this id at another stage; false where there is none. */
  advance(id: string, stage: string, now: number): boolean {
    return this.#change(id, now, { stage });
  }

  /** Ends the live lease with this id; false where there is none. */
  end(id: string, now: number): boolean {
    return this.#change(id, now, { endsAt: now });
  }

  who(policy: Policy, asker: number, now: number): Who {
    const lease = this.#live(asker, now);
    const named = (name: string): Identity | null =>
      policy.identities.find((identity) => identity.name === name) ?? null;
    if (lease === undefined) {
      const quarantined = this.#leases.some(
        (one) => one.asker === asker && now < one.endsAt + one.quarantine,
      );
      return quarantined ? NOBODY : { ...NOBODY, identity: named(ASKERS[asker]!.name) };
    }
    const identity = named(lease.identity);
    const stages = identity?.stages ?? [];
    const stage = lease.stage === null ? 0 : stages.findIndex(({ name }) => name === lease.stage);
    // A lease without a stage starts at the first; of what a reload has taken away nobody is left.
    if (identity === null || (lease.stage !== null && stage < 0)) return { ...NOBODY, endsAt: lease.endsAt };
    return { identity, stage: stages.length === 0 ? null : stage, endsAt: lease.endsAt };
  }

  #live(asker: number, now: number): SlowLease | undefined {
    return this.#leases.find((lease) => lease.asker === asker && now < lease.endsAt);
  }

  #change(id: string, now: number, change: Partial<SlowLease>): boolean {
    const at = this.#leases.findIndex((lease) => lease.id === id && now < lease.endsAt);
    if (at < 0) return false;
    this.#leases[at] = { ...this.#leases[at]!, ...change };
    return true;
  }
}
