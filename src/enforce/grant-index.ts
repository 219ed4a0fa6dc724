import type { Milliseconds, SinceBoot } from '../wire/quantity.ts';
import { clientOfKey, grantText, textOfPlace } from './client-place.ts';
import { type ElementChange, type HeldElement, TABLE } from './kernel/elements.ts';
import { SETS } from './table-skeleton.ts';

/** One element of a set of grants. */
export interface IndexedGrant {
  readonly set: string;
  readonly key: Buffer;
  /** Monotonic milliseconds. */
  readonly until: SinceBoot;
}

/** What the sets hold, by client, as it was put there: so that nobody has to list a set when a client is over. */
export class GrantIndex {
  /** Monotonic milliseconds until which an address is live, by its text. */
  readonly live = new Map<string, SinceBoot>();
  /** The same of clients that a certificate alone makes known. */
  readonly certified = new Map<string, SinceBoot>();
  readonly #grants = new Map<string, Map<string, IndexedGrant>>();
  size = 0;

  clear(): void {
    this.live.clear();
    this.certified.clear();
    this.#grants.clear();
    this.size = 0;
  }

  /** What a set was found to hold. */
  take(set: string, held: readonly HeldElement[], now: SinceBoot): void {
    this.note(
      held.map(({ key, left }) => ({ set, key, ttl: left ?? Number.POSITIVE_INFINITY })),
      now,
    );
  }

  /** These changes are in force, or will be. Returns the changes that take them back, to be noted at the same `now`. */
  note(changes: readonly ElementChange[], now: SinceBoot): ElementChange[] {
    const back: ElementChange[] = [];
    for (const { set, key, ttl } of changes) {
      const family = set.endsWith('4') ? 4 : 6;
      let before = 0;
      const { live, certified } = SETS[family];
      if (set === live || set === certified) {
        const text = textOfPlace(key);
        const map = set === live ? this.live : this.certified;
        before = map.get(text) ?? 0;
        if (ttl === null) map.delete(text);
        else map.set(text, now + ttl);
      } else if (set === SETS[family].grants) {
        const client = clientOfKey(family, key);
        before = this.until(client, key);
        this.#noteGrant(client, set, key, ttl, now);
      }
      back.push({ set, key, ttl: before > now ? before - now : null });
    }
    return back.reverse();
  }

  /** Until when a client has a grant; 0 for one that it has not. */
  until(client: string, key: Buffer): SinceBoot {
    return this.#grants.get(client)?.get(key.toString('latin1'))?.until ?? 0;
  }

  of(client: string): Iterable<IndexedGrant> {
    return this.#grants.get(client)?.values() ?? [];
  }

  clients(): Iterable<string> {
    return this.#grants.keys();
  }

  /** All that has not ended, as nft(8) adds it. */
  script(now: SinceBoot): string {
    const lines: string[] = [];
    const left = (until: SinceBoot): string => `timeout ${Math.max(1, Math.ceil(until - now))}ms`;
    for (const [kind, map] of [
      ['live', this.live],
      ['certified', this.certified],
    ] as const)
      for (const [text, until] of map)
        if (until > now) lines.push(`${SETS[text.includes(':') ? 6 : 4][kind]} { ${text} ${left(until)} }`);
    for (const grants of this.#grants.values())
      for (const { set, key, until } of grants.values())
        if (until > now) lines.push(`${set} { ${grantText(key)} ${left(until)} }`);
    return lines.map((line) => `add element inet ${TABLE} ${line}\n`).join('');
  }

  sweep(now: SinceBoot): void {
    for (const [client, grants] of this.#grants) {
      for (const [key, { until }] of grants) {
        if (until > now) continue;
        grants.delete(key);
        this.size--;
      }
      if (grants.size === 0) this.#grants.delete(client);
    }
    for (const map of [this.live, this.certified])
      for (const [text, until] of map) if (until <= now) map.delete(text);
  }

  #noteGrant(client: string, set: string, key: Buffer, ttl: Milliseconds | null, now: SinceBoot): void {
    let grants = this.#grants.get(client);
    const name = key.toString('latin1');
    if (ttl === null) {
      if (grants?.delete(name)) this.size--;
      if (grants?.size === 0) this.#grants.delete(client);
      return;
    }
    if (grants === undefined) {
      grants = new Map();
      this.#grants.set(client, grants);
    }
    if (!grants.has(name)) this.size++;
    grants.set(name, { set, key, until: now + ttl });
  }
}
