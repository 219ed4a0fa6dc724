import { byLabel, counter, type Samples } from '../metric/metric.ts';
import { ANSWER_IT, type Client, DROP_IT, type Limits, TRUNCATE_IT } from '../resolve/ports.ts';
import { WordHash } from '../wire/half-siphash.ts';
import { isMapped } from '../wire/ip-address.ts';
import type { Milliseconds, Monotonic, Times } from '../wire/quantity.ts';

export interface IdentityRate {
  readonly name: string;
  /** Queries a second, or 0 for no limit. */
  readonly qps: number;
  /** Queries that may come at once; at least 1 where `qps` is set. */
  readonly burst: number;
}

export interface RateSettings {
  /** In the order of the snapshot: `identity` takes the index. */
  readonly identities: readonly IdentityRate[];
  /** UDP answers a second to one /24 (IPv4) or /56 (IPv6) that no identity claims. */
  readonly unknownQps: number;
}

/**
 * How often clients are answered. Pure arithmetic: `now` is milliseconds that never go back, `key` two random
 * 32-bit words that nobody outside knows. Nothing here grows with what clients send.
 */
export class RateLimits implements Limits {
  readonly #identities: TokenBuckets;
  readonly #unknown: PrefixCounts;

  constructor(key: readonly [number, number] | Uint32Array) {
    this.#identities = new TokenBuckets();
    this.#unknown = new PrefixCounts(key[0]!, key[1]!);
  }

  /** Answers to `unknown` that were cut or dropped, since the start. */
  get truncated(): number {
    return this.#unknown.truncated;
  }

  get dropped(): number {
    return this.#unknown.dropped;
  }

  *samples(): Generator<Samples> {
    const { truncated, dropped } = this;
    yield byLabel(UNKNOWN, Object.entries({ truncated, dropped }));
  }

  /** Takes new settings, in the turn in which the new snapshot comes into force. An identity keeps its tokens by its name. */
  configure(settings: RateSettings): void {
    this.#identities.configure(settings.identities);
    this.#unknown.rate = settings.unknownQps;
  }

  /** Whether a query of this identity is within its `qps` and `burst`; true for an index that has no limit. */
  identity(index: number, now: Monotonic): boolean {
    return this.#identities.take(index, now);
  }

  /** ANSWER_IT, TRUNCATE_IT or DROP_IT for an answer over UDP to this client, which is `unknown`. */
  unknown(client: Client, now: Monotonic): 0 | 1 | 2 {
    return this.#unknown.judge(client, now);
  }
}

const UNKNOWN = counter(
  'namegate_unknown_limited_total',
  'Questions over UDP of clients that no identity claims, beyond `limits.unknown_qps`: sent to TCP, or dropped.',
  'outcome',
);

/** One bucket an identity: `burst` tokens when full, `qps` more each second. */
class TokenBuckets {
  #names: readonly string[] = [];
  #qps = new Float64Array(0);
  #burst = new Float64Array(0);
  #tokens = new Float64Array(0);
  #filledAt: Times<Monotonic> = new Float64Array(0);

  configure(identities: readonly IdentityRate[]): void {
    // Queries wait meanwhile, and few of many identities have a limit.
    const before = new Map<string, number>();
    this.#names.forEach((name, index) => {
      if (this.#qps[index]! > 0) before.set(name, index);
    });
    const tokens = new Float64Array(identities.length);
    const filledAt: Times<Monotonic> = new Float64Array(identities.length);
    identities.forEach(({ name, qps, burst }, index) => {
      if (qps === 0) return;
      const old = before.get(name);
      // A reload is not a way to new tokens. One that had no limit till now starts full.
      tokens[index] = old === undefined ? burst : Math.min(this.#tokens[old]!, burst);
      filledAt[index] = old === undefined ? 0 : this.#filledAt[old]!;
    });
    this.#names = identities.map(({ name }) => name);
    this.#qps = Float64Array.from(identities, ({ qps }) => qps);
    this.#burst = Float64Array.from(identities, ({ burst }) => Math.max(1, burst));
    this.#tokens = tokens;
    this.#filledAt = filledAt;
  }

  take(index: number, now: Monotonic): boolean {
    const qps = this.#qps[index] ?? 0;
    if (qps === 0) return true;
    const since = now - this.#filledAt[index]!;
    const tokens = Math.min(this.#burst[index]!, this.#tokens[index]! + (since * qps) / 1000);
    this.#filledAt[index] = now;
    this.#tokens[index] = tokens >= 1 ? tokens - 1 : tokens;
    return tokens >= 1;
  }
}

const WINDOW_MS: Milliseconds = 1000;
const ROWS = 4;
const SLOTS = 16_384;
const SLOT_BITS = 14;

/**
 * Answers to each prefix in the present second, in one table of fixed size (256 KiB): a count-min sketch with
 * conservative update (Estan and Varghese, 2002). A prefix has a slot in each of the four rows; its count is the
 * least of the four.
 *
 * - Never too few: whatever else is sent, no prefix gets more than `rate` whole answers in a second, so nobody's
 *   address can be flooded through us.
 * - Seldom too many: a prefix suffers for others only where all four of its slots were raised to `rate` by them.
 *   F forged queries a second raise at most F/rate slots of a row, so the chance is at most (F/(rate·16,384))^4:
 *   at rate 20, 0.9 % under 100,000 a second, about what this socket can read, and 0.002 % under 20,000.
 *   The slots are drawn anew each second by a keyed hash, so it cannot be aimed, and bad luck lasts a second;
 *   and half of what is over the rate still leads to TCP.
 */
class PrefixCounts {
  rate = 0;
  truncated = 0;
  dropped = 0;
  readonly #hash: WordHash;
  readonly #counts = new Uint32Array(ROWS * SLOTS);
  readonly #slots = new Uint32Array(ROWS);
  #window = 0;
  #windowStart: Monotonic = Number.NEGATIVE_INFINITY;

  constructor(key0: number, key1: number) {
    this.#hash = new WordHash(key0, key1);
  }

  judge(client: Client, now: Monotonic): 0 | 1 | 2 {
    if (now - this.#windowStart >= WINDOW_MS) {
      this.#windowStart = now;
      this.#window = (this.#window + 1) | 0;
      this.#counts.fill(0);
    }
    this.#locate(client);
    const counts = this.#counts;
    const slots = this.#slots;
    let count = counts[slots[0]!]!;
    for (let row = 1; row < ROWS; row++) count = Math.min(count, counts[slots[row]!]!);
    for (let row = 0; row < ROWS; row++) if (counts[slots[row]!] === count) counts[slots[row]!] = count + 1;
    if (count < this.rate) return ANSWER_IT;
    // The first one over is cut, so that a client that is just over goes on over TCP without a timeout.
    if (((count - this.rate) & 1) === 0) {
      this.truncated++;
      return TRUNCATE_IT;
    }
    this.dropped++;
    return DROP_IT;
  }

  #locate(client: Client): void {
    const hash = this.#hash;
    if (client.family === 4) hash.run(this.#window, client.w0 >>> 8, 0xffff_ffff);
    else if (isMapped(client)) hash.run(this.#window, client.w3 >>> 8, 0xffff_ffff);
    // The 24 bits of a /56's second word never are all ones in 32.
    else hash.run(this.#window, client.w0, client.w1 >>> 8);
    const mask = SLOTS - 1;
    this.#slots[0] = hash.first & mask;
    this.#slots[1] = SLOTS + ((hash.first >>> SLOT_BITS) & mask);
    this.#slots[2] = 2 * SLOTS + (hash.second & mask);
    this.#slots[3] = 3 * SLOTS + ((hash.second >>> SLOT_BITS) & mask);
  }
}
