import { OUT_OF_BAND } from '../detect/patterns/out-of-band.ts';
import { GROUND } from '../policy/decide/decision.ts';
import type { Underway } from '../resolve/client/standing.ts';
import type { Turn } from '../resolve/story/turn.ts';
import { nameFromText } from '../wire/name.ts';
import type { Milliseconds, Monotonic, Seconds } from '../wire/quantity.ts';

/** Questions of one client, type and domain that are heard in a second. */
export const HEARD_OF_DOMAIN = 64;
/** Domains of one client, beside those of the second before, of which something is heard in a second. */
export const HEARD_DOMAINS = 64;
/** Questions of one identity, and of all, that are heard in a second. */
const HEARD_OF_IDENTITY = 4_000;
const HEARD_OF_ALL = 8_000;
/** Those of an identity that are heard whatever others do. */
const SURE_OF_IDENTITY = 500;
/** Domains and clients that are told apart. Powers of two. */
const PLACES = 16_384;
const CLIENTS = 16_384;
/** What one slot stands for beside its own question. */
const MOST_MORE = 0xffff;
const SECOND_MS: Milliseconds = 1_000;
/** Seconds after which nobody tells any more what was only counted. */
const PATIENCE: Seconds = 2;

/**
 * Says which denied questions detectors hear of, where nobody else takes them. Of a flood they hear the first of each second, by
 * client and domain: what looks like an attempt shows in these. Those between are counted, and the next that is heard stands for
 * them. What none stood for is counted as unheard. A domain is two labels here, so that no list is looked into.
 */
export class FloodGate {
  /** Questions for which none that was heard stood, since the start. */
  unheard = 0;
  readonly #secret: number;
  /** By client and domain: who has the place, in which second, how many were heard in it, and how many were not. */
  readonly #tags = new Int32Array(PLACES);
  readonly #seconds = new Int32Array(PLACES).fill(-1);
  readonly #heard = new Uint16Array(PLACES);
  readonly #more = new Uint32Array(PLACES);
  /** By client: the second, and its new domains in it. */
  readonly #clients = new Int32Array(CLIENTS);
  readonly #clientSeconds = new Int32Array(CLIENTS).fill(-1);
  readonly #domains = new Uint16Array(CLIENTS);
  /** Hashes of the domains of services whose first question tells all. */
  readonly #services = new Set<number>();
  #second = -1;
  #all = 0;
  #isOwing = false;

  /** `secret`: a random word. */
  constructor(secret: number) {
    this.#secret = secret | 0;
    for (const { suffixes } of OUT_OF_BAND) {
      for (const suffix of suffixes) {
        const name = nameFromText(suffix.split('.').slice(-2).join('.'));
        if (name instanceof Uint8Array) this.#services.add(this.#hash(name, 0, name.length));
      }
    }
  }

  /** How many questions a slot of this one stands for; 0 where it gets none and is counted. */
  admit({ asker, query, decision, now }: Turn): number {
    const second = Math.floor(now / SECOND_MS);
    const { client, standing } = asker;
    const { underway } = standing;
    const domain = this.#domainOf(query, 2);
    const { w0, w1, w2, w3 } = client;
    const who = mixed(w0 ^ Math.imul(w1 ^ Math.imul(w2 ^ w3, 0x85eb_ca6b), 0xc2b2_ae35), underway.id);
    const { resembles } = decision;
    const isUrgent = resembles !== '' || decision.ground === GROUND.OTHER_STAGE || this.#services.has(domain);
    // What is urgent has a place of its own: no flood under the same two labels, such as `co.uk`, hides it.
    const own = isUrgent ? ~this.#domainOf(query, resembles === '' ? 2 : labelsOf(resembles)) : domain;
    const tag = mixed(own ^ who, query.type);
    const place = tag & (PLACES - 1);
    if (this.#tags[place] !== tag || this.#seconds[place] === -1) {
      if (!this.#takesDomain(who, second) && !isUrgent) {
        this.unheard++;
        return 0;
      }
      this.unheard += this.#more[place]!;
      this.#more[place] = 0;
      this.#tags[place] = tag;
      this.#seconds[place] = second;
      this.#heard[place] = 0;
    } else if (this.#seconds[place] !== second) {
      this.#seconds[place] = second;
      this.#heard[place] = 0;
    }
    if (this.#heard[place]! >= HEARD_OF_DOMAIN || !this.#hears(underway, second, isUrgent)) {
      this.#more[place]!++;
      this.#isOwing = true;
      return 0;
    }
    this.#heard[place]!++;
    const more = Math.min(MOST_MORE, this.#more[place]!);
    this.#more[place] = this.#more[place]! - more;
    return 1 + more;
  }

  /** Counts as unheard what nobody told for a while. To be called every second or so; `now`: the clock of questions. */
  settle(now: Monotonic): void {
    if (!this.#isOwing) return;
    this.#isOwing = false;
    const oldest = Math.floor(now / SECOND_MS) - PATIENCE;
    for (let place = 0; place < PLACES; place++) {
      if (this.#more[place] === 0) continue;
      if (this.#seconds[place]! >= oldest) {
        this.#isOwing = true;
        continue;
      }
      this.unheard += this.#more[place]!;
      this.#more[place] = 0;
    }
  }

  #takesDomain(who: number, second: number): boolean {
    const place = who & (CLIENTS - 1);
    if (this.#clients[place] !== who || this.#clientSeconds[place] !== second) {
      this.#clients[place] = who;
      this.#clientSeconds[place] = second;
      this.#domains[place] = 0;
    }
    if (this.#domains[place]! >= HEARD_DOMAINS) return false;
    this.#domains[place]!++;
    return true;
  }

  #hears(underway: Underway, second: number, isUrgent: boolean): boolean {
    if (this.#second !== second) {
      this.#second = second;
      this.#all = 0;
    }
    if (underway.heardIn !== second) {
      underway.heardIn = second;
      underway.heard = 0;
    }
    const { heard } = underway;
    const most = isUrgent ? 2 * HEARD_OF_IDENTITY : HEARD_OF_IDENTITY;
    if (heard >= SURE_OF_IDENTITY && (heard >= most || (this.#all >= HEARD_OF_ALL && !isUrgent)))
      return false;
    underway.heard++;
    this.#all++;
    return true;
  }

  /** A hash of the last so many labels. */
  #domainOf({ name, nameLength, labels, labelCount }: Turn['query'], count: number): number {
    return this.#hash(name, labelCount > count ? labels[labelCount - count]! : 0, nameLength);
  }

  #hash(name: Uint8Array, start: number, end: number): number {
    let hash = this.#secret;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ name[i]!, 0x0100_0193) ^ (hash >>> 15);
    return hash;
  }
}

/** `domain`: a registered domain as text, without a final dot. */
function labelsOf(domain: string): number {
  let count = 1;
  for (let i = 0; i < domain.length; i++) if (domain.charCodeAt(i) === 0x2e) count++;
  return count;
}

function mixed(first: number, second: number): number {
  let hash = Math.imul(first ^ (first >>> 16) ^ Math.imul(second + 1, 0x9e37_79b1), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
