import type { Forgery } from '../../listen/udp/forgery.ts';
import type { FirewallNote } from '../../outbox/firewall-notes.ts';
import type { Lease, LeaseTable } from '../../policy/lease/lease.ts';
import type { GrantBook } from '../../resolve/grants/grant-book.ts';
import type { GrantOrder, RefusedLine } from '../../resolve/grants/grant-line.ts';
import type { InForce } from '../../resolve/in-force.ts';
import type { Clock } from '../../resolve/ports.ts';
import type { Settings } from '../../settings/settings.ts';
import { LastNames } from './last-names.ts';
import { forgeriesOf, refusedClient } from './refused-client.ts';

const MOST_RECENT = 4_096;

export interface RefusedPacketsOptions {
  readonly clock: Clock;
  readonly leases: LeaseTable;
  readonly listen: Settings['listen'];
  /** For the feed and the history. */
  readonly tell: (note: FirewallNote) => void;
}

/** Packets that the rules refused: whose they are, what name their address had, and how many there were. */
export class RefusedPackets {
  readonly #options: RefusedPacketsOptions;
  readonly #book: GrantBook;
  readonly #forgeries: readonly Forgery[];
  readonly #lastNames = new LastNames();
  /** Leases by id, those that changed last at the end: what a client did in its last moment is told when it is over. */
  readonly #recent = new Map<string, Lease>();
  /** By whether each was told with its client and address. */
  readonly counts = new Map([
    ['yes', 0],
    ['no', 0],
  ]);

  constructor(options: RefusedPacketsOptions, book: GrantBook) {
    this.#options = options;
    this.#book = book;
    this.#forgeries = forgeriesOf(options.listen);
  }

  /** Hears of what is in force from now on. */
  note(order: GrantOrder): void {
    if (order.op === 'grant') this.#lastNames.note([order.address], order.name);
    const lease = order.op === 'live' && order.lease !== null ? this.#options.leases.get(order.lease) : null;
    if (lease === null) return;
    this.#recent.delete(lease.id);
    this.#recent.set(lease.id, lease);
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > MOST_RECENT) this.#recent.delete(oldest!);
  }

  /** What stood in the middle of a connection to a name is what is left when that was cut. */
  take({ client, lease, address, protocol, port, begins, count }: RefusedLine, inForce: InForce): void {
    const { clock, leases, tell } = this.#options;
    const places = { leases, book: this.#book, inForce, forgeries: this.#forgeries, recent: this.#recent };
    const who = refusedClient(client, lease, places, clock.monotonic());
    this.#count('yes', count);
    const granted = address === null ? null : this.#lastNames.of(address);
    if (who === null || (!begins && (granted !== null || protocol !== 'tcp'))) return;
    tell({ note: 'direct', at: Date.now(), client, ...who, address, protocol, port, count, granted });
  }

  /** Packets that were refused, and of which nobody knows more. */
  takeUntold(count: number): void {
    this.#count('no', count);
  }

  #count(told: 'yes' | 'no', count: number): void {
    this.counts.set(told, this.counts.get(told)! + count);
  }
}
