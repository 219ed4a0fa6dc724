/** Replays questions through the ledger as the resolver would: what is kept costs nothing, what leaves is charged. */
import { Bill } from '../../src/detect/bill.ts';
import { TICK_MS, UNITS_A_BIT } from '../../src/detect/charge.ts';
import { HOLDER, type Holder, type HolderKind, LONGEST_WAIT } from '../../src/detect/holder.ts';
import { Ledger } from '../../src/detect/ledger.ts';
import { nameFromText } from '../../src/wire/name.ts';
import type { Asked } from './traces.ts';

const OCTET = 8 * UNITS_A_BIT;
/** Octets: the defaults of a client, its claim, its identity and wildcard, its identity. */
export const DEFAULTS = {
  client: { alert: 512, contain: 1024 },
  claim: { alert: 2048, contain: 4096 },
  wildcard: { alert: 4096, contain: 0 },
  identity: { alert: 16_384, contain: 0 },
};

export interface ReplayOptions {
  /** Wildcards that are approved, as `**.BASE`; what lies under none of them is denied, and a base itself is free. */
  readonly bases: ReadonlySet<string>;
  /** Without it nothing is refused, and balances show how far a client would go. */
  readonly contain: boolean;
  /** Types that each wildcard approves. */
  readonly types: number;
  /** Seconds for which an answer is kept. */
  readonly ttl: number;
}

/** One client and wildcard. */
export interface ClientZone {
  readonly client: string;
  readonly base: string;
  asked: number;
  charged: number;
  refused: number;
  /** Octets charged at most in one window. */
  most: number;
  /** The question at which it alerted and at which it was contained (1 is the first), or 0, and the octets charged by then. */
  alertAt: number;
  alertOctets: number;
  containAt: number;
  containOctets: number;
  /** Octets of payload that left, in the window that let most through. */
  payload: number;
  readonly names: Set<string>;
}

/** Names that are kept fresh after they were paid for: so many a client, an hour after their last use. */
const FRESH_NAMES = 32;
const FRESH_SECONDS = 3600;

export function replay(asked: readonly Asked[], options: ReplayOptions): ClientZone[] {
  const ledger = new Ledger();
  const bill = new Bill();
  const zones = new Map<string, ClientZone>();
  const kept = new Map<string, number>();
  const fresh = new Map<string, Map<string, number>>();
  const payloads = new Map<ClientZone, [number, number][]>();
  for (const question of asked) {
    const base = baseOf(question, options.bases);
    if (base === null || base === question.text.replace(/\.$/, '')) continue;
    const zone = zoneOf(zones, question.client, base);
    zone.asked++;
    zone.names.add(question.text);
    const key = `${question.text} ${question.type}`;
    if (!hasOnlyHostLabels(question.name)) {
      zone.refused++;
      continue;
    }
    const now = question.seconds;
    const paid = freshNamesOf(fresh, question.client);
    if ((kept.get(key) ?? -1) > now || (paid.get(key) ?? Number.NEGATIVE_INFINITY) > now) {
      if (paid.has(key)) paid.set(key, now + FRESH_SECONDS);
      continue;
    }
    const tick = Math.floor((now * 1000) / TICK_MS) + LONGEST_WAIT;
    fill(bill, question, base, options);
    if (!ledger.charge(bill, tick)) {
      zone.refused++;
    } else {
      zone.charged++;
      kept.set(key, now + options.ttl);
      paid.delete(key);
      paid.set(key, now + FRESH_SECONDS);
      if (paid.size > FRESH_NAMES) paid.delete(paid.keys().next().value!);
      notePayload(payloads, zone, question);
    }
    note(zone, holderOf(ledger, question.client, base), tick);
    ledger.crossings.length = 0;
    ledger.unwritten.clear();
  }
  return [...zones.values()];
}

function note(zone: ClientZone, holder: Holder | undefined, tick: number): void {
  if (holder === undefined) return;
  const octets = holder.balance(tick) / OCTET;
  if (octets > zone.most) zone.most = octets;
  if (holder.alertedAt >= 0 && zone.alertAt === 0) {
    zone.alertAt = zone.asked;
    zone.alertOctets = octets;
  }
  if (holder.containedAt >= 0 && zone.containAt === 0) {
    zone.containAt = zone.asked;
    zone.containOctets = octets;
  }
}

/** The payload of a day is what is bounded, so the day that let most through is shown. */
function notePayload(payloads: Map<ClientZone, [number, number][]>, zone: ClientZone, asked: Asked): void {
  if (asked.payload === null) return;
  const list = payloads.get(zone) ?? [];
  payloads.set(zone, list);
  list.push([asked.seconds, asked.payload]);
  while (list[0]![0] <= asked.seconds - 86_400) list.shift();
  zone.payload = Math.max(
    zone.payload,
    list.reduce((sum, [, octets]) => sum + octets, 0),
  );
}

function fill(bill: Bill, asked: Asked, base: string, { contain, types }: ReplayOptions): void {
  bill.begin();
  bill.name = asked.name;
  bill.nameLength = asked.name.length;
  [bill.nameLow, bill.nameHigh] = hashOf(asked.name);
  bill.types = types;
  bill.identity = 'trace';
  const octets = nameFromText(base) as Uint8Array;
  bill.addBase(octets, octets.length, ...hashOf(octets));
  const { client, claim, wildcard, identity } = DEFAULTS;
  const bound = (octets: number) => (contain ? octets * OCTET : 0);
  const add = (kind: HolderKind, key: string, name: string, alert: number, bound: number): void =>
    bill.addAccount(kind, ...hashOf(Buffer.from(`${kind} ${key}`)), alert * OCTET, bound).name(name);
  add(HOLDER.CLIENT, asked.client, asked.client, client.alert, bound(client.contain));
  add(HOLDER.CLAIM, asked.client, asked.client, claim.alert, bound(claim.contain));
  add(HOLDER.WILDCARD, '', 'trace', wildcard.alert, 0);
  add(HOLDER.IDENTITY, '', 'trace', identity.alert, 0);
}

function holderOf(ledger: Ledger, client: string, base: string): Holder | undefined {
  const [low, high] = hashOf(Buffer.from(`${HOLDER.CLIENT} ${client}`));
  const [baseLow, baseHigh] = hashOf(nameFromText(base) as Uint8Array);
  return ledger.holders.find(HOLDER.CLIENT, low ^ baseLow, high ^ baseHigh) ?? undefined;
}

function freshNamesOf(fresh: Map<string, Map<string, number>>, client: string): Map<string, number> {
  const names = fresh.get(client) ?? new Map<string, number>();
  fresh.set(client, names);
  return names;
}

function zoneOf(zones: Map<string, ClientZone>, client: string, base: string): ClientZone {
  const key = `${client} ${base}`;
  let zone = zones.get(key);
  if (zone === undefined) {
    zone = {
      client,
      base,
      asked: 0,
      charged: 0,
      refused: 0,
      most: 0,
      alertAt: 0,
      alertOctets: 0,
      containAt: 0,
      containOctets: 0,
      payload: 0,
      names: new Set(),
    };
    zones.set(key, zone);
  }
  return zone;
}

/** The longest approved base at or above a name. */
function baseOf({ text }: Asked, bases: ReadonlySet<string>): string | null {
  const name = text.replace(/\.$/, '');
  for (let at = 0; at >= 0; ) {
    const suffix = name.slice(at);
    if (bases.has(suffix)) return suffix;
    const dot = name.indexOf('.', at);
    at = dot < 0 ? -1 : dot + 1;
  }
  return null;
}

/** Letters, digits, `-` and `_` alone: other names under a wildcard are denied before they are charged. */
function hasOnlyHostLabels(name: Uint8Array): boolean {
  for (let at = 0; name[at] !== 0; at += 1 + name[at]!) {
    for (let i = 1; i <= name[at]!; i++) {
      const octet = name[at + i]!;
      const letter = octet >= 0x61 && octet <= 0x7a;
      if (!letter && !(octet >= 0x30 && octet <= 0x39) && octet !== 0x2d && octet !== 0x5f) return false;
    }
  }
  return true;
}

/** 64 bits; a trace does not choose its names to collide here. */
function hashOf(octets: Uint8Array): [number, number] {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (const octet of octets) {
    low = Math.imul(low ^ octet, 0x01000193);
    high = Math.imul(high ^ octet ^ (low >>> 15), 0x5bd1e995);
  }
  return [low, high];
}
