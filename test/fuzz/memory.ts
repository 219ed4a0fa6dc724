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
/** Milliseconds at the end in which garbage may be collected: memory that is lost does not come back. */
const REST = 6000;
/** Cases between two looks. */
const PACE = 10_000;

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
    this.#next = done + PACE;
    this.#last = this.#pid === process.pid ? octetsInUse() : residentOctets(this.#pid);
    if (done <= this.#cases * WARM_UP) this.#warm = Math.max(this.#warm, this.#last);
  }

  /** What is wrong at the end, or null. */
  async fault(): Promise<string | null> {
    for (let rested = 0; rested <= REST; rested += 500) {
      this.#next = 0;
      this.look(this.#cases);
      if (this.#cases < ENOUGH_CASES || this.#last <= this.#warm * MOST) return null;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return `memory grew: ${this.told}`;
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
