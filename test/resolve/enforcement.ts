import type { Enforcement, GrantFinding, GrantWaiter } from '../../src/resolve/grants/enforcement.ts';
import { Gate } from '../../src/resolve/grants/gate.ts';
import type { GrantOrder } from '../../src/resolve/grants/grant-line.ts';

/** An enforcer that a test plays: orders wait in `orders` until `settle` or `expire` says what became of them. */
export class PlayedEnforcer implements Enforcement {
  down = false;
  readonly gate = new Gate(this, 0x1234_5678);
  readonly orders: GrantOrder[] = [];
  readonly findings: (Record<string, unknown> & { finding: GrantFinding })[] = [];
  readonly #waiters: GrantWaiter[] = [];

  order(orders: readonly GrantOrder[], waiter: GrantWaiter | null): void {
    this.orders.push(...orders);
    if (waiter !== null) this.#waiters.push(waiter);
  }

  found(finding: GrantFinding, facts: Readonly<Record<string, unknown>>): void {
    this.findings.push({ finding, ...facts });
  }

  settle(good = true): void {
    for (const waiter of this.#waiters.splice(0)) waiter.settled(good);
  }

  /** Nothing is heard in time; what is heard afterwards is for `late`. */
  expire(): GrantWaiter[] {
    const waiters = this.#waiters.splice(0);
    for (const waiter of waiters) waiter.expired();
    return waiters;
  }

  /** Grants since the last call, one text each: `client address ports seconds`. */
  granted(): string[] {
    return this.orders.splice(0).flatMap((order) => {
      switch (order.op) {
        case 'grant':
          return [
            `${order.client} ${order.address} ${order.ports.join(',')} ${Math.round(order.ttl_ms / 1000)}`,
          ];
        case 'revoke':
          return [`- ${order.client} ${order.address} ${order.ports.join(',')}`];
        case 'end':
          return [`end ${order.client} ${order.quarantine_ms}`];
        case 'live':
          return [
            `live ${order.client} ${order.certified === true ? 'certified' : (order.lease ?? 'static')}`,
          ];
        default:
          return [order.op];
      }
    });
  }
}
