import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Holder } from '../../detect/holder.ts';
import { Ledger } from '../../detect/ledger.ts';
import { holderRecord, ledgerRecords } from '../../detect/ledger-state.ts';
import type { Disk } from '../../journal/disk.ts';
import { Journal, type JournalFault, type Replay } from '../../journal/journal.ts';
import type { Departures } from '../../resolve/ledger/departures.ts';
import type { Monotonic, Tick } from '../../wire/quantity.ts';
import type { Timers } from '../chores.ts';
import { type Boot, LedgerClock } from './ledger-clock.ts';
import { replayLedger } from './ledger-replay.ts';

/** Ticks that a question waits for a disk that does not answer: one second. */
const PATIENCE = 100;

/** Whoever is told what becomes of the balances on disk. */
export interface LedgerNotices {
  /** Why they cannot be written down, or null when they can again. */
  readonly notWritten: (fault: JournalFault | null) => void;
  /** What was there when it began. */
  readonly found: (replay: Replay, usable: boolean) => void;
  readonly bug: (error: unknown) => void;
}

export interface LedgerKeeperOptions {
  /** Milliseconds that never go back. */
  readonly monotonic: () => Monotonic;
  readonly boot: Boot;
  readonly timers: Pick<Timers, 'once'>;
  readonly notices: LedgerNotices;
  readonly disk?: Disk;
}

interface Waiting {
  readonly tick: Tick;
  readonly order: number;
  /** The number of the write that has to be done first. */
  readonly needs: number;
  readonly go: () => void;
}

/**
 * Keeps the ledger's balances on disk, and lets charged questions leave: at their tick, and once what pays for them is
 * written. A timer runs only while something waits. Until `open` is called, and where there is no folder, balances are kept in
 * memory alone.
 */
export class LedgerKeeper implements Departures {
  readonly ledger = new Ledger();
  readonly #options: LedgerKeeperOptions;
  readonly #clock: LedgerClock;
  #key: Uint8Array = randomBytes(16);
  #journal: Journal | null = null;
  #waiting: Waiting[] = [];
  #isArmed = false;
  /** Writes that have begun, and that have ended one way or the other. */
  #begun = 0;
  #ended = 0;
  #isWanted = false;
  #isSlow = false;
  #isExact = false;

  constructor(options: LedgerKeeperOptions) {
    this.#options = options;
    this.#clock = new LedgerClock(options.monotonic, options.boot);
  }

  /** 16 octets for the keyed hashes of whoever fills the ledger: the same for as long as the balances are kept. */
  get key(): Uint8Array {
    return this.#key;
  }

  get tick(): Tick {
    return this.#clock.now + 1;
  }

  /**
   * Takes up the balances in `folder`, whose lock the caller holds. Rejects with the system's error where they cannot be read;
   * they are then kept in memory alone.
   */
  async open(folder: string): Promise<void> {
    const { notices, disk } = this.#options;
    this.#journal = await Journal.open(join(folder, 'ledger.journal'), (found) => this.#replay(found), {
      state: () => this.#state(),
      told: (fault) => notices.notWritten(fault),
      ...(disk === undefined ? {} : { disk }),
    });
  }

  leave(order: number, go: () => void): void {
    const mustWrite = this.ledger.unwritten.size > 0;
    const needs = mustWrite ? this.#begun + 1 : this.#begun;
    this.#waiting.push({ tick: this.tick, order, needs, go });
    if (mustWrite) this.#wantWrite();
    this.#arm();
  }

  note(): void {
    if (this.ledger.unwritten.size > 0) this.#wantWrite();
  }

  /** Tries again what could not be written. To be called every few seconds. */
  tend(): void {
    if (this.#journal?.behind) void this.#journal.rewrite();
    else if (this.ledger.unwritten.size > 0) this.#wantWrite();
  }

  /** Writes down all balances as they are; resolves with the fault where that fails. Null too where they are in memory alone. */
  async writeAll(): Promise<JournalFault | null> {
    return (await this.#journal?.rewrite()) ?? null;
  }

  /** Lets go what waits, gives back what is reserved, and writes exact balances. Nothing may be charged any more. */
  async close(): Promise<void> {
    const journal = this.#journal;
    this.#depart(Number.POSITIVE_INFINITY);
    if (journal === null) return;
    this.#isExact = true;
    await journal.rewrite();
    this.#journal = null;
    await journal.close();
  }

  #replay(found: Replay): void {
    const read = replayLedger(found.records, this.ledger, this.#clock);
    if (read.key !== null) this.#key = read.key;
    this.#options.notices.found(found, read.key !== null || found.records.length === 0);
  }

  /** What one line holds beside holders. */
  #stamp(): object {
    return { key: Buffer.from(this.#key).toString('hex'), ...this.#clock.moment() };
  }

  *#state(): Generator<object> {
    yield { stamp: this.#stamp(), holders: [] };
    yield* ledgerRecords(this.ledger, this.tick, this.#isExact);
  }

  /** Writes in this turn of the event loop or, where a write is under way, behind it. */
  #wantWrite(): void {
    if (this.#isWanted || this.#begun > this.#ended) return;
    this.#isWanted = true;
    setImmediate(() => {
      this.#isWanted = false;
      this.#write();
    });
  }

  #write(): void {
    const { unwritten } = this.ledger;
    const journal = this.#journal;
    if (unwritten.size === 0) return;
    const tick = this.tick;
    const holders = Array.from(unwritten, (holder: Holder) => holderRecord(holder, tick, false));
    unwritten.clear();
    this.#begun++;
    if (journal === null) {
      this.#ended = this.#begun;
      return;
    }
    const record = { stamp: { ...this.#stamp(), tick }, holders };
    void journal
      .append(record, () => {})
      .then((fault) => {
        this.#ended = this.#begun;
        if (this.#isSlow) {
          this.#isSlow = false;
          this.#options.notices.notWritten(fault);
        }
        if (unwritten.size > 0) this.#wantWrite();
      });
  }

  #arm(): void {
    if (this.#isArmed || this.#waiting.length === 0) return;
    this.#isArmed = true;
    this.#options.timers.once(Math.ceil(this.#clock.untilNext), () => {
      this.#isArmed = false;
      this.#depart(this.#clock.now);
      this.#arm();
    });
  }

  /** Lets go whose tick has come and whose payment is written, or has waited for the disk long enough. */
  #depart(now: Tick): void {
    const leaving: Waiting[] = [];
    const staying: Waiting[] = [];
    // Those of one tick leave together: which of them has to wait for the disk says in which order they were asked.
    const needs = new Map<number, number>();
    for (const each of this.#waiting) needs.set(each.tick, Math.max(each.needs, needs.get(each.tick) ?? 0));
    for (const each of this.#waiting) {
      const late = now - each.tick;
      const written = needs.get(each.tick)! <= this.#ended;
      if (late < 0 || (!written && late < PATIENCE)) staying.push(each);
      else {
        leaving.push(each);
        if (!written) this.#tellSlow();
      }
    }
    this.#waiting = staying;
    leaving.sort((a, b) => a.tick - b.tick || a.order - b.order);
    for (const { go } of leaving) {
      try {
        go();
      } catch (error) {
        this.#options.notices.bug(error);
      }
    }
  }

  #tellSlow(): void {
    if (this.#isSlow || this.#journal === null) return;
    this.#isSlow = true;
    this.#options.notices.notWritten({ code: 'ETIMEDOUT', message: 'the disk does not answer' });
  }
}
