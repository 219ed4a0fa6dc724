import { hash } from 'node:crypto';
import type { Judgement } from '../../resolve/client/credential.ts';
import type { EpochSeconds, Seconds } from '../../wire/quantity.ts';

type Accepted = Extract<Judgement, { kind: 'accepted' }>;

/** Chains that are remembered; each takes some 300 octets, and some 50 more for each name. */
const MOST = 10_000;
/** Names of all of them. A certificate has 100 at most, and whoever shows one may show it in chains without end. */
const MOST_NAMES = 50_000;
/** Seconds that OpenSSL's own word of a chain counts for; then it is asked again. */
const VERIFIED_SECONDS: Seconds = 60;

/**
 * Chains that were judged and accepted under the trust of now: a client that comes again is not judged again before its judgement
 * ends. Only what is true of a chain whoever shows it is kept. That a client holds the key is proved in each handshake.
 */
export class TakenChains {
  /** By the hash of all its octets. The first to go stands first. */
  readonly #chains = new Map<string, TakenChain>();
  #names = 0;

  /**
   * What was found of exactly these certificates in this order, where it still counts. `octets`: their DER, one behind the
   * other: each tells its own length, so that no two chains are the same octets.
   */
  find(octets: Buffer, now: EpochSeconds): TakenChain | null {
    const taken = this.#chains.get(keyOf(octets));
    return taken?.counts(now) ? taken : null;
  }

  /** Puts a chain last, where the next to go stands first. */
  add(octets: Buffer, judgement: Accepted, now: EpochSeconds): TakenChain {
    const key = keyOf(octets);
    const taken = judgement instanceof TakenChain ? judgement : new TakenChain(judgement, now);
    this.#drop(key);
    this.#chains.set(key, taken);
    this.#names += taken.credential.names.length;
    for (const oldest of this.#chains.keys()) {
      if (this.#chains.size <= MOST && this.#names <= MOST_NAMES) break;
      this.#drop(oldest);
    }
    return taken;
  }

  /** Trust has changed. */
  clear(): void {
    this.#chains.clear();
    this.#names = 0;
  }

  #drop(key: string): void {
    this.#names -= this.#chains.get(key)?.credential.names.length ?? 0;
    this.#chains.delete(key);
  }
}

/** A judgement, and in which TLS context OpenSSL has verified the same chain last. */
class TakenChain implements Accepted {
  readonly kind = 'accepted';
  readonly credential: Accepted['credential'];
  readonly until: EpochSeconds;
  /** A clock that is set back does not make it older than it is. */
  readonly #since: EpochSeconds;
  #context = 0;
  #verifiedAt: EpochSeconds = 0;

  constructor({ credential, until }: Accepted, now: EpochSeconds) {
    this.credential = credential;
    this.until = until;
    this.#since = now;
  }

  counts(now: EpochSeconds): boolean {
    return this.#since <= now && now < this.until;
  }

  verifiedIn(context: number, now: EpochSeconds): void {
    this.#context = context;
    this.#verifiedAt = now;
  }

  isVerified(context: number, now: EpochSeconds): boolean {
    return context === this.#context && now >= this.#verifiedAt && now - this.#verifiedAt < VERIFIED_SECONDS;
  }
}

function keyOf(octets: Buffer): string {
  return hash('sha256', octets, 'base64');
}
