import type { JournalFault, Replay } from '../../journal/journal.ts';
import { FolderLock } from '../../journal/lock.ts';
import { type CrossingFacts, LedgerFindings } from '../../report/ledger-findings.ts';
import type { Log } from '../../report/log.ts';
import type { Readiness } from '../../report/readiness.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import { type Chore, SYSTEM_TIMERS } from '../chores.ts';
import { systemBoot } from './ledger-clock.ts';
import { LedgerKeeper } from './ledger-keeper.ts';

/** A key that alerts or contains is told within it. */
const TELL_MS: Milliseconds = 1_000;
/** Between two tries to write down what could not be. */
const TEND_MS: Milliseconds = 5_000;

const NOT_WRITTEN =
  'balances of the leak ledger cannot be written down: a restart would forget what is charged';

export interface LedgerRoomOptions {
  readonly monotonic: () => Monotonic;
  readonly log: Log;
  readonly readiness: Pick<Readiness, 'raise' | 'clear' | 'setLedger'>;
  readonly bug: (error: unknown) => void;
  readonly isAudited: (identity: string) => boolean;
  readonly crossed: (facts: CrossingFacts) => void;
}

/** The ledger's balances while the server runs: the state folder with its lock, what is told of them, and their chores. */
export class LedgerRoom {
  readonly keeper: LedgerKeeper;
  readonly #options: LedgerRoomOptions;
  readonly #findings: LedgerFindings;
  #lock: FolderLock | null = null;

  constructor(options: LedgerRoomOptions) {
    const { monotonic, log, bug, isAudited, crossed } = options;
    this.#options = options;
    this.#findings = new LedgerFindings(log, isAudited, crossed);
    this.keeper = new LedgerKeeper({
      monotonic,
      boot: systemBoot(),
      timers: SYSTEM_TIMERS,
      notices: {
        notWritten: (fault) => this.#tellFault(fault),
        found: (replay, usable) => this.#tellFound(replay, usable),
        bug,
      },
    });
  }

  /**
   * Locks the state folder and takes up the balances in it. Rejects with a message that says what to do where another process
   * has it, or where it cannot be used and something else needs it. Without such a need the server serves all the same, and says
   * that balances end with it.
   */
  async open(folder: string, isNeeded: boolean): Promise<void> {
    const lock = FolderLock.take(folder);
    if (typeof lock === 'string') {
      if (isNeeded || FolderLock.isBusy(lock)) throw new Error(lock);
      this.#inMemory(lock);
      return;
    }
    this.#lock = lock;
    try {
      await this.keeper.open(folder);
    } catch (error) {
      if (isNeeded) throw error;
      this.#inMemory((error as Error).message);
    }
  }

  /** The state folder is ours. */
  get isLocked(): boolean {
    return this.#lock !== null;
  }

  chores(): Chore[] {
    return [
      { name: 'tell crossings of budgets', every: TELL_MS, work: () => this.tell() },
      { name: 'write down balances', every: TEND_MS, work: () => this.keeper.tend() },
    ];
  }

  tell(): void {
    this.#findings.tell(this.keeper.ledger, this.keeper.tick);
    this.keeper.note();
  }

  /** Tells what is left to tell, writes exact balances, and gives the state folder free. Nothing may be charged any more. */
  async close(): Promise<void> {
    this.tell();
    await this.keeper.close();
    this.#lock?.release();
    this.#lock = null;
  }

  #inMemory(why: string): void {
    const { log, readiness } = this.#options;
    const text = `balances of the leak ledger are in memory alone: ${why}`;
    log.warn('ledger-trouble', text, {});
    readiness.setLedger(text);
  }

  #tellFault(fault: JournalFault | null): void {
    const { log, readiness } = this.#options;
    const finding = 'ledger-not-written';
    if (fault === null) {
      readiness.clear(finding);
      log.info('finding', 'balances of the leak ledger are written down again', { finding, ended: true });
      return;
    }
    readiness.raise(finding, `${NOT_WRITTEN} (${fault.code})`);
    log.error('finding', NOT_WRITTEN, { finding, code: fault.code, error: fault.message });
  }

  #tellFound({ damaged, copy, torn }: Replay, usable: boolean): void {
    const { log, readiness } = this.#options;
    if (torn)
      log.warn('journal-torn', "the ledger's last record was cut off; what it paid for never left", {});
    if (damaged.length === 0 && usable) return;
    const kept = copy === null ? 'it could not be kept aside' : `it is kept as ${copy}`;
    const counts = usable ? 'what can be read of it counts' : 'nothing of it counts any more';
    const text = `the journal of the leak ledger was damaged: ${kept}; ${counts}`;
    log.error('journal-damaged', text, { count: damaged.length, copy });
    readiness.setLedger(text);
  }
}
