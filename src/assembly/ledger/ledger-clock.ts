import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { TICK_MS } from '../../detect/charge.ts';
import { LONGEST_WAIT } from '../../detect/holder.ts';
import type { Milliseconds, Monotonic, Seconds, Tick } from '../../wire/quantity.ts';

/** Which run of the machine this is, and for how long it has been up. No wall clock is in it. */
export interface Boot {
  /** Empty where the system does not say: then no time outside of this process counts. */
  readonly id: string;
  /** Seconds, the time that the machine slept included. */
  readonly uptime: () => Seconds;
}

/** Linux has an id of each boot. */
export function systemBoot(): Boot {
  try {
    return { id: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(), uptime };
  } catch {
    return { id: '', uptime };
  }
}

/** A moment as it is written down, so that a later process can tell how much time has passed. */
export interface LedgerMoment {
  readonly boot: string;
  readonly uptime: Seconds;
  readonly tick: Tick;
}

/**
 * The ledger's time: ticks of the monotonic clock, which go on over restarts. What passed between two processes of one boot
 * counts. Of another boot nobody knows how long it was away, so that nothing passed: balances last longer, never shorter.
 */
export class LedgerClock {
  readonly #monotonic: () => Monotonic;
  readonly #boot: Boot;
  readonly #start: Monotonic;
  /** Tick at `#start`. They begin a whole window late, so that no charge lies before their beginning. */
  #base: Tick = LONGEST_WAIT;

  /** `monotonic`: milliseconds that never go back. */
  constructor(monotonic: () => Monotonic, boot: Boot) {
    this.#monotonic = monotonic;
    this.#boot = boot;
    this.#start = monotonic();
  }

  /** Goes on from what an earlier process wrote; `least`: a tick that it had reached at least. */
  resume(last: LedgerMoment | null, least: Tick): void {
    let base = Math.max(LONGEST_WAIT, least);
    if (last !== null) {
      const passed = last.boot !== '' && last.boot === this.#boot.id ? this.#boot.uptime() - last.uptime : 0;
      base = Math.max(base, last.tick + Math.max(0, Math.floor((passed * 1000) / TICK_MS)));
    }
    this.#base = base - this.#passed();
  }

  /** The tick under way. */
  get now(): Tick {
    return this.#base + this.#passed();
  }

  /** Milliseconds until the next one begins. */
  get untilNext(): Milliseconds {
    return TICK_MS - ((this.#monotonic() - this.#start) % TICK_MS);
  }

  moment(): LedgerMoment {
    return { boot: this.#boot.id, uptime: this.#boot.uptime(), tick: this.now };
  }

  /** Whole ticks since `#start`. A private getter would cost a call of the runtime. */
  #passed(): number {
    return Math.floor((this.#monotonic() - this.#start) / TICK_MS);
  }
}
