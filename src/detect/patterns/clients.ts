import { SharedTable } from '../shared-table.ts';
import type { Thresholds } from './kinds.ts';
import type { Observed, OctetHash, UpstreamOutcome } from './observed.ts';

/** Clients of one identity, and of all: 1.2 KiB each at most, 10 MB in all. */
const MOST_OF_ONE = 4_096;
const MOST_OF_ALL = 8_192;
/** Domains that are told apart; a threshold above it counts as this. */
const MOST_DOMAINS = 128;
const FEW_DOMAINS = 8;
/** Parts into which the time of a storm is cut. */
const PARTS = 6;

/** What one client of an identity asked of late. */
export interface ClientState {
  /** Hash and second of each registered domain that was denied, as a ring. */
  domains: Int32Array;
  count: number;
  /** Of each part of the time: questions, and those that got NXDOMAIN from an upstream. */
  storm: Uint32Array | null;
  part: number;
}

/**
 * The clients of identities, bounded in number: who was silent longest makes room. What such a one was denied of late goes into
 * one that stands for all of its identity that had to go, so that nobody is hidden by a crowd.
 */
export class Clients {
  readonly #hash: OctetHash;
  readonly #table = new SharedTable<ClientState>(MOST_OF_ONE, MOST_OF_ALL);
  readonly #folds = new Map<string, ClientState>();
  /** One that had to go, for the next that comes: a crowd makes no garbage. */
  #spare: ClientState | null = null;

  constructor(hash: OctetHash) {
    this.#hash = hash;
  }

  get count(): number {
    return this.#table.size;
  }

  of(identity: string, claim: string): ClientState {
    let client = this.#table.get(identity, claim);
    // The newest stands last.
    if (client !== undefined) this.#table.delete(identity, claim);
    else {
      client = this.#spare ?? newClient();
      this.#spare = null;
    }
    const evicted = this.#table.add(identity, claim, client);
    if (evicted !== null) {
      this.#fold(evicted.owner, evicted.value);
      this.#spare = emptied(evicted.value);
    }
    return client;
  }

  /** Whether a client was denied too many domains within the time; then it begins anew. */
  isSweeping(client: ClientState, asked: Observed, limits: NonNullable<Thresholds['sweep']>): boolean {
    const { name, at } = asked;
    const start = sweptFrom(asked);
    if (start < 0) return false;
    return addDomain(client, this.#hash(name, start, name.length), Math.floor(at / 1000), limits);
  }

  /** Identities whose clients that had to go swept together. To be called every second or so. */
  *sweptTogether(now: number, limits: NonNullable<Thresholds['sweep']>): Generator<string> {
    for (const [identity, fold] of this.#folds) {
      if (recentDomains(fold, Math.floor(now / 1000), limits.within) < Math.min(MOST_DOMAINS, limits.domains))
        continue;
      this.#folds.delete(identity);
      yield identity;
    }
  }

  #fold(identity: string, { domains, count }: ClientState): void {
    let fold = this.#folds.get(identity);
    if (fold === undefined) {
      fold = newClient();
      this.#folds.set(identity, fold);
    }
    const filled = Math.min(count, domains.length / 2);
    for (let i = 0; i < filled; i++) noteDomain(fold, domains[2 * i]!, domains[2 * i + 1]!);
  }
}

/** Labels of `arpa` and the root, as octets. */
const ARPA = [4, 0x61, 0x72, 0x70, 0x61, 0];

/** Whether a name stands for an address (RFC 1035 §3.5), or for what else is under `arpa`. */
export function isUnderArpa(name: Uint8Array): boolean {
  const start = name.length - ARPA.length;
  return start > 0 && ARPA.every((octet, index) => name[start + index] === octet);
}

/**
 * Where the domain starts that a sweep counts; -1 for a name of one label, which nobody can register. Reverse zones are one: who
 * looks up the names of many addresses sweeps no domains.
 */
function sweptFrom({ name, domain }: Pick<Observed, 'name' | 'domain'>): number {
  if (name[0]! + 2 >= name.length) return -1;
  return isUnderArpa(name) ? name.length - ARPA.length : domain;
}

/** As a new one is. One that had grown is not kept so large. */
function emptied(client: ClientState): ClientState | null {
  if (client.domains.length > 2 * FEW_DOMAINS) return null;
  // What is beyond the count is never read.
  client.count = 0;
  client.storm = null;
  client.part = 0;
  return client;
}

function newClient(): ClientState {
  return { domains: new Int32Array(2 * FEW_DOMAINS), count: 0, storm: null, part: 0 };
}

function addDomain(
  client: ClientState,
  hash: number,
  second: number,
  { domains, within }: NonNullable<Thresholds['sweep']>,
): boolean {
  if (!noteDomain(client, hash, second)) return false;
  // Fewer were ever there.
  if (client.count < Math.min(MOST_DOMAINS, domains)) return false;
  if (recentDomains(client, second, within) < Math.min(MOST_DOMAINS, domains)) return false;
  client.count = 0;
  return true;
}

/** Says whether it is one that was not there. */
function noteDomain(client: ClientState, hash: number, second: number): boolean {
  const places = Math.min(client.count, client.domains.length / 2);
  for (let i = 0; i < places; i++) {
    if (client.domains[2 * i] !== hash) continue;
    client.domains[2 * i + 1] = second;
    return false;
  }
  if (client.count === client.domains.length / 2 && client.count < MOST_DOMAINS) {
    const more = new Int32Array(client.domains.length * 2);
    more.set(client.domains);
    client.domains = more;
  }
  const place = client.count++ % (client.domains.length / 2);
  client.domains[2 * place] = hash;
  client.domains[2 * place + 1] = second;
  return true;
}

function recentDomains({ domains, count }: ClientState, second: number, within: number): number {
  const oldest = second - Math.floor(within / 1000);
  const places = Math.min(count, domains.length / 2);
  let recent = 0;
  for (let i = 0; i < places; i++) if (domains[2 * i + 1]! >= oldest) recent++;
  return recent;
}

/** Counts questions of a client; true where what the upstream does not know has become a storm, which then begins anew. */
export function isStorm(
  client: ClientState,
  { at, count, questions: asked, outcome }: Pick<UpstreamOutcome, 'at' | 'count' | 'questions' | 'outcome'>,
  { questions, share, within }: NonNullable<Thresholds['nxdomain-storm']>,
): boolean {
  client.storm ??= new Uint32Array(2 * PARTS);
  const { storm } = client;
  const part = Math.floor(at / (within / (PARTS - 1)));
  const gone = Math.min(PARTS, Math.max(0, part - client.part));
  for (let i = 1; i <= gone; i++)
    storm.fill(0, 2 * ((client.part + i) % PARTS), 2 * ((client.part + i) % PARTS) + 2);
  client.part = Math.max(part, client.part);
  const place = 2 * (client.part % PARTS);
  storm[place]! += asked;
  if (outcome !== 'missing') return false;
  storm[place + 1]! += count;
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
