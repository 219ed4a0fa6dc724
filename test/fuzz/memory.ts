/** Resident memory of a process, after its warm-up and at the end. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Cases below which a run says nothing of memory: caches and the heap still grow to their size. */
export const ENOUGH_CASES = 50_000;
/** What the end may be, of what there was after the warm-up. */
const MOST = 1.1;
/** Of all cases, how many are warm-up. */
const WARM_UP = 0.3;

export class Memory {
  readonly #pid: number;
  readonly #cases: number;
  /** Largest and latest, in octets. */
  #warm = 0;
  #last = 0;

  constructor(pid: number, cases: number) {
    this.#pid = pid;
    this.#cases = cases;
  }

  /** To be called after each case, or each few; looks now and then. */
  look(done: number): void {
    if (done % 10_000 === 0) this.sample(done);
  }

  sample(done: number): void {
    this.#measure();
    if (done <= this.#cases * WARM_UP) this.#warm = Math.max(this.#warm, this.#last);
  }

  /** What is wrong at the end, or null. */
  fault(): string | null {
    this.#measure();
    if (this.#cases < ENOUGH_CASES || this.#last <= this.#warm * MOST) return null;
    return `memory grew: ${this.told}`;
  }

  #measure(): void {
    if (this.#pid === process.pid) collectGarbage();
    this.#last = residentOctets(this.#pid);
  }

  get told(): string {
    const mib = (octets: number): string => (octets / 2 ** 20).toFixed(1);
    return `resident memory ${mib(this.#warm)} MiB after the warm-up, ${mib(this.#last)} MiB at the end`;
  }
}

/** This process makes garbage of its own with every case: what is left counts. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** Octets of memory that a process holds, 0 where the system does not tell. */
export function residentOctets(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
