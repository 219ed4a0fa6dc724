/** What a process holds in memory, after its warm-up and at the end. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Cases below which a run says nothing of memory: caches and the heap still grow to their size. */
export const ENOUGH_CASES = 50_000;
/** What the end may be, of what there was after the warm-up. */
const MOST = 1.1;
/** Of all cases, how many are warm-up. */
const WARM_UP = 0.4;
/** Looks in a run. */
const LOOKS = 50;
/** Of all cases, how many more may be run where memory is above its bound: garbage is collected as it is made. */
const MORE = 0.5;

/**
 * Of another process, its resident memory. Of this one, which makes garbage of its own with every case, what is in use
 * after a collection: V8 gives its young generation more room as it likes.
 */
export class Memory {
  readonly #pid: number;
  readonly #cases: number;
  /** The most in the warm-up, and the latest, in octets. */
  #warm = 0;
  #last = 0;
  #next = 0;

  constructor(pid: number, cases: number) {
    this.#pid = pid;
    this.#cases = cases;
  }

  /** To be called as cases are done; looks now and then. */
  look(done: number): void {
    if (done < this.#next) return;
    this.#next = done + this.#cases / LOOKS;
    this.#last = this.#pid === process.pid ? octetsInUse() : residentOctets(this.#pid);
    if (done <= this.#cases * WARM_UP) this.#warm = Math.max(this.#warm, this.#last);
  }

  /** Whether the run goes on after `done` cases: memory that is lost does not come back, garbage does. */
  goesOn(done: number): boolean {
    return done < this.#cases || (this.#isAbove && done < this.#cases * (1 + MORE));
  }

  /** What is wrong at the end, or null. */
  get fault(): string | null {
    this.#next = 0;
    this.look(this.#cases);
    return this.#isAbove ? `memory grew: ${this.told}` : null;
  }

  get #isAbove(): boolean {
    return this.#cases >= ENOUGH_CASES && this.#last > this.#warm * MOST;
  }

  get told(): string {
    const mib = (octets: number): string => (octets / 2 ** 20).toFixed(1);
    const what = this.#pid === process.pid ? 'memory in use' : 'resident memory';
    return `${what} ${mib(this.#warm)} MiB after the warm-up, ${mib(this.#last)} MiB at the end`;
  }
}

function octetsInUse(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Octets of memory that a process holds, 0 where the system does not tell. */
export function residentOctets(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
