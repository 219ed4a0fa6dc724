import type { UdpExchange, UdpListener } from './way.ts';

/** Where a question waits for its reply. */
export interface Berth {
  /** Asks; returns the question's entry there. */
  ask(exchange: Exchange): number;
  /** A slot's question goes on as an exchange; returns its entry. */
  replace(slot: number, exchange: Exchange): number;
  /** Nobody waits for an entry's question any more. */
  leave(entry: number): void;
}

/** One question of an `Attempt` at a port. */
export class Exchange implements UdpExchange {
  /** As it was sent. */
  readonly octets: Buffer;
  readonly questionEnd: number;
  /** Null when nobody waits any more. */
  listener: UdpListener | null;
  readonly #port: Berth | null;
  readonly #entry: number;

  /** With `slot`, the number of a slot whose question goes on as this; null for a question that is asked now. `port` is null where there is none. */
  constructor(
    octets: Buffer,
    questionEnd: number,
    listener: UdpListener | null,
    port: Berth | null,
    slot: number | null,
  ) {
    this.octets = octets;
    this.questionEnd = questionEnd;
    this.listener = listener;
    this.#port = port;
    this.#entry = port === null ? 0 : slot === null ? port.ask(this) : port.replace(slot, this);
  }

  close(): void {
    this.end();
  }

  /** Ends the wait; returns who waited. */
  end(): UdpListener | null {
    const { listener } = this;
    if (listener === null) return null;
    this.listener = null;
    this.#port?.leave(this.#entry);
    return listener;
  }
}
