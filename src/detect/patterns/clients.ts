import type { EpochMilliseconds } from '../../wire/quantity.ts';
import { MOST_DOMAINS, type Thresholds } from './kinds.ts';
import type { Observed, OctetHash, UpstreamOutcome } from './observed.ts';
import { SharedPlaces } from './shared-places.ts';
import { recentDomains, SweepRings } from './sweep-rings.ts';

/** Clients of one identity, and of all: 200 octets each, and 1 KiB where many domains are denied to one. */
const MOST_OF_ONE = 10_240;
const MOST_OF_ALL = 12_288;
/** Parts into which the time of a storm is cut. */
const PARTS = 6;
const STORM_WORDS = 2 * PARTS;

/**
 * The clients of identities, bounded in number: who was silent longest makes room. What such a one was denied of late goes into
 * one that stands for all of its identity that had to go, so that nobody is hidden by a crowd. A client is known by its place.
 */
export class Clients {
  readonly #hash: OctetHash;
  readonly #places = new SharedPlaces(MOST_OF_ONE, MOST_OF_ALL);
  readonly #rings: SweepRings;
  /** Of each part of the time: questions, and those that got NXDOMAIN from an upstream. */
  readonly #storms = new Uint32Array(MOST_OF_ALL * STORM_WORDS);
  readonly #parts = new Float64Array(MOST_OF_ALL);
  readonly #claims: string[] = [];
  readonly #evict = (place: number): void => this.#rings.fold(place, this.#places.ownerOf(place));

  constructor(hash: OctetHash) {
    this.#hash = hash;
    this.#rings = new SweepRings(MOST_OF_ALL, (place) => this.#places.ownerOf(place));
  }

  get count(): number {
    return this.#places.size;
  }

  of({ identity, who }: Pick<Observed, 'identity' | 'who'>): number {
    const { low, high } = who;
    const known = this.#places.find(identity, low, high);
    if (known >= 0) {
      this.#places.touch(known);
      return known;
    }
    const place = this.#places.take(identity, low, high, this.#evict);
    this.#rings.begin(place);
    this.#storms.fill(0, place * STORM_WORDS, (place + 1) * STORM_WORDS);
    this.#parts[place] = 0;
    this.#claims[place] = '';
    return place;
  }

  /** The claim of a client as text: it is made once. */
  claimOf(place: number, asked: Pick<Observed, 'claim'>): string {
    const known = this.#claims[place] || asked.claim;
    this.#claims[place] = known;
    return known;
  }

  /** Whether a client was denied too many domains within the time; then it begins anew. `hash`: of the registered domain. */
  isSweeping(
    place: number,
    asked: Pick<Observed, 'name' | 'domain' | 'at'>,
    hash: number,
    limits: NonNullable<Thresholds['sweep']>,
  ): boolean {
    const { name, at } = asked;
    const start = sweptFrom(asked);
    if (start < 0) return false;
    const domain = start === asked.domain ? hash : this.#hash(name, start, name.length);
    return this.#rings.sweeps(place, domain, Math.floor(at / 1000), limits);
  }

  /** Identities whose clients that had to go swept together. To be called every second or so. */
  *sweptTogether(now: EpochMilliseconds, limits: NonNullable<Thresholds['sweep']>): Generator<string> {
    for (const [identity, fold] of this.#rings.folds) {
      const recent = recentDomains(
        fold.words,
        0,
        Math.min(fold.count, MOST_DOMAINS),
        Math.floor(now / 1000),
        limits.within,
      );
      if (recent < limits.domains) continue;
      this.#rings.folds.delete(identity);
      yield identity;
    }
  }

  /** Counts questions of a client; true where what the upstream does not know has become a storm, which then begins anew. */
  isStorm(
    place: number,
    { at, count, questions: asked, outcome }: Pick<UpstreamOutcome, 'at' | 'count' | 'questions' | 'outcome'>,
    { questions, share, within }: NonNullable<Thresholds['nxdomain-storm']>,
  ): boolean {
    const storm = this.#storms.subarray(place * STORM_WORDS, (place + 1) * STORM_WORDS);
    const part = Math.floor(at / (within / (PARTS - 1)));
    const before = this.#parts[place]!;
    const gone = Math.min(PARTS, Math.max(0, part - before));
    for (let i = 1; i <= gone; i++) {
      const old = 2 * ((before + i) % PARTS);
      storm.fill(0, old, old + 2);
    }
    this.#parts[place] = Math.max(part, before);
    const now = 2 * (this.#parts[place]! % PARTS);
    storm[now]! += asked;
    if (outcome !== 'missing') return false;
    storm[now + 1]! += count;
    let all = 0;
    let missing = 0;
    for (let i = 0; i < PARTS; i++) {
      all += storm[2 * i]!;
      missing += storm[2 * i + 1]!;
    }
    if (missing < questions || missing * 100 < all * share) return false;
    storm.fill(0);
    return true;
  }
}

/** Labels of `arpa` and the root, as octets. */
const ARPA = [4, 0x61, 0x72, 0x70, 0x61, 0];

/** Whether a name stands for an address (RFC 1035 §3.5), or for what else is under `arpa`. */
export function isUnderArpa(name: Uint8Array): boolean {
  const start = name.length - ARPA.length;
  if (start <= 0) return false;
  for (let i = 0; i < ARPA.length; i++) if (name[start + i] !== ARPA[i]) return false;
  return true;
}

/**
 * Where the domain starts that a sweep counts; -1 for a name of one label, which nobody can register. Reverse zones are one: who
 * looks up the names of many addresses sweeps no domains.
 */
function sweptFrom({ name, domain }: Pick<Observed, 'name' | 'domain'>): number {
  if (name[0]! + 2 >= name.length) return -1;
  return isUnderArpa(name) ? name.length - ARPA.length : domain;
}
