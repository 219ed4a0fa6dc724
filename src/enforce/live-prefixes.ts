import type { GrantOrder } from '../resolve/grants/grant-line.ts';
import { type ClientPlace, clientPlaceOf, isPrefix, setOf } from './client-place.ts';

/** Prefixes that are live, of identities and leases, by their text. */
export class LivePrefixes {
  readonly #places = new Map<string, ClientPlace>();

  all(): Iterable<ClientPlace> {
    return this.#places.values();
  }

  texts(): Iterable<string> {
    return this.#places.keys();
  }

  /** Whether the order is of a prefix, which is then live or over. */
  note(order: GrantOrder): boolean {
    const place = prefixOf(order);
    if (place === null) return false;
    if (order.op === 'live') this.#places.set(place.text, place);
    else this.#places.delete(place.text);
    return true;
  }

  /** What has nft(8) write them. `isComplete`: the kernel's own go. */
  script(isComplete: boolean): string {
    const lines = ([4, 6] as const).map((family) => {
      const set = `inet namegate ${setOf(family, 'prefixes')}`;
      const of = [...this.#places.values()].filter((prefix) => prefix.family === family);
      const add = of.length === 0 ? '' : `add element ${set} { ${of.map(({ text }) => text).join(', ')} }\n`;
      return isComplete ? `flush set ${set}\n${add}` : add;
    });
    return lines.join('');
  }
}

/** The prefix that becomes live or ends with the order, or null. */
export function prefixOf(order: GrantOrder): ClientPlace | null {
  if (order.op !== 'live' && order.op !== 'end') return null;
  const place = clientPlaceOf(order.client);
  return place !== null && isPrefix(place) ? place : null;
}
