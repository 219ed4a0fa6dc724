import type { Port } from './port.ts';

/** Ports that have something to do when this turn of the event loop has read all there is. */
export class DuePorts {
  readonly #settle: (port: Port) => void;
  /** The first `count`. */
  readonly #ports: Port[] = [];
  #count = 0;

  constructor(settle: (port: Port) => void) {
    this.#settle = settle;
  }

  add(port: Port): void {
    if (port.settling) return;
    port.settling = true;
    this.#ports[this.#count++] = port;
    if (this.#count === 1) setImmediate(this.#settleAll);
  }

  /** A port that becomes due meanwhile is another turn's. */
  readonly #settleAll = (): void => {
    const count = this.#count;
    for (let i = 0; i < count; i++) {
      const port = this.#ports[i]!;
      port.settling = false;
      this.#settle(port);
    }
    const more = this.#count - count;
    for (let i = 0; i < more; i++) this.#ports[i] = this.#ports[count + i]!;
    this.#count = more;
    if (more > 0) setImmediate(this.#settleAll);
  };
}
