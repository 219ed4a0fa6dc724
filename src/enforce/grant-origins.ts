import type { GrantLine, GrantOrder, HeldLine, LiveLine } from '../resolve/grants/grant-line.ts';
import { type SinceBoot, unreachable } from '../wire/quantity.ts';
import { clientPlaceOf, isPrefix } from './client-place.ts';

/** A grant as it was told. `until`: monotonic milliseconds since the machine started. */
export type GrantOrigin = Omit<GrantLine, 'op' | 'ttl_ms'> & { readonly until: SinceBoot };

/** A client that its certificate alone makes known. */
interface CertifiedOrigin {
  readonly identity: string;
  readonly lease: string | null;
  readonly until: SinceBoot;
}

interface ClientOrigins {
  /** By who asked, the name and the address. */
  readonly grants: Map<string, GrantOrigin>;
  certified: CertifiedOrigin | null;
}

/**
 * For whom and for which name each grant was given. The kernel holds addresses alone, and a resolver that has started anew
 * knows nothing: it asks for these, and judges them under its policy.
 */
export class GrantOrigins {
  readonly #clients = new Map<string, ClientOrigins>();
  /** Grants. */
  size = 0;

  /** An order that is about to be in force. Returns the line by which a journal tells it again; empty where it tells nothing. */
  note(order: GrantOrder, now: SinceBoot): string {
    const place = order.op === 'snapshot' ? null : clientPlaceOf(order.client);
    if (order.op === 'snapshot' || place === null || isPrefix(place)) return '';
    const client = place.text;
    switch (order.op) {
      case 'grant': {
        const { op, ttl_ms: ttl, ...what } = order;
        return this.#put({ ...what, client, until: now + ttl });
      }
      case 'revoke':
        return this.#take(client, keyOf(order)) ? line({ ...order, client }) : '';
      case 'live':
        return order.certified === true ? this.#certify(client, order, now + (order.ttl_ms ?? 0)) : '';
      case 'end':
        return this.end(client);
      default:
        unreachable(order);
    }
  }

  /** A client has nothing any more. Returns the line of the journal. */
  end(client: string): string {
    const known = this.#clients.get(client);
    if (known === undefined) return '';
    this.size -= known.grants.size;
    this.#clients.delete(client);
    return line({ op: 'end', client });
  }

  /** Takes up what `note` returned at another time. What is no such line counts as nothing. */
  retell(text: string): void {
    let read: (GrantOrigin & { readonly op: string }) | null;
    try {
      read = JSON.parse(text) as typeof read;
    } catch {
      return;
    }
    if (read === null || typeof read !== 'object' || typeof read.client !== 'string') return;
    const { op, ...what } = read;
    if (op === 'end') this.end(what.client);
    else if (op === 'revoke') this.#take(what.client, keyOf(what));
    else if (op === 'live' && Number.isFinite(what.until))
      this.#certify(what.client, { identity: what.identity, lease: what.lease }, what.until);
    else if (op === 'grant' && Array.isArray(what.ports) && Number.isFinite(what.until)) this.#put(what);
  }

  clients(): Iterable<string> {
    return this.#clients.keys();
  }

  /** All of it as the lines of a journal. */
  *lines(): Generator<string> {
    for (const [client, { grants, certified }] of this.#clients) {
      if (certified !== null) yield line({ op: 'live', client, ...certified });
      for (const origin of grants.values()) yield line({ op: 'grant', ...origin });
    }
  }

  /** What the resolver is told. `until` says until when the kernel has it, 0 for what it has not. */
  *held(now: SinceBoot, until: (origin: GrantOrigin) => SinceBoot): Generator<HeldLine> {
    for (const [client, { grants, certified }] of this.#clients) {
      if (certified !== null && certified.until > now) {
        const { identity, lease } = certified;
        yield { op: 'held', client, identity, lease, certified: true };
      }
      for (const origin of grants.values()) {
        const left = Math.min(until(origin), origin.until) - now;
        if (left <= 0) continue;
        const { until: _, ...what } = origin;
        yield { op: 'held', ...what, certified: false, ttl_ms: Math.floor(left) };
      }
    }
  }

  sweep(now: SinceBoot): void {
    for (const [client, known] of this.#clients) {
      for (const [key, { until }] of known.grants)
        if (until <= now) {
          known.grants.delete(key);
          this.size--;
        }
      if (known.certified !== null && known.certified.until <= now) known.certified = null;
      if (known.grants.size === 0 && known.certified === null) this.#clients.delete(client);
    }
  }

  #put(origin: GrantOrigin): string {
    const { grants } = this.#of(origin.client);
    const key = keyOf(origin);
    const before = grants.get(key);
    if (before === undefined) this.size++;
    const until = Math.max(origin.until, before?.until ?? 0);
    grants.set(key, { ...origin, until });
    return line({ op: 'grant', ...origin, until });
  }

  #take(client: string, key: string): boolean {
    const taken = this.#clients.get(client)?.grants.delete(key) ?? false;
    if (taken) this.size--;
    return taken;
  }

  #certify(
    client: string,
    { identity, lease }: Pick<LiveLine, 'identity' | 'lease'>,
    until: SinceBoot,
  ): string {
    this.#of(client).certified = { identity, lease, until };
    return line({ op: 'live', client, identity, lease, until });
  }

  #of(client: string): ClientOrigins {
    const known = this.#clients.get(client);
    if (known !== undefined) return known;
    const made = { grants: new Map<string, GrantOrigin>(), certified: null };
    this.#clients.set(client, made);
    return made;
  }
}

/** No name, identity or lease holds a line's end. */
function keyOf({
  identity,
  lease,
  name,
  address,
}: Omit<GrantOrigin, 'until' | 'client' | 'ports' | 'chain' | 'rule' | 'policy'>): string {
  return `${identity}\n${lease ?? ''}\n${name}\n${address}`;
}

function line(what: object): string {
  return `${JSON.stringify(what)}\n`;
}
