import { readFileSync } from 'node:fs';

const MADV_DONTNEED = 4;

/** madvise(2) in another thread. */
type Madvise = (from: bigint, octets: number, advice: number, then: () => void) => void;

/** Pages in a row, from an address on. */
export interface PageRange {
  readonly from: bigint;
  readonly octets: number;
}

/**
 * Where the program's own file stands in this process's memory unchanged: its code and its constants, some 110 MiB, many of
 * which only a start needs. A page of these may be given back at any time: the system reads it again from its cache of the
 * file when it is touched. A range in which something was written, such as addresses that the loader put in, is left alone.
 */
export class ProgramPages {
  readonly #madvise: Madvise;
  #ranges: readonly PageRange[] | null = null;

  constructor(madvise: Madvise) {
    this.#madvise = madvise;
  }

  /** Gives all of them back to the system. Does nothing where it does not tell which they are. */
  giveBack(): void {
    this.#ranges ??= ownRanges();
    for (const { from, octets } of this.#ranges) this.#madvise(from, octets, MADV_DONTNEED, () => {});
  }
}

function ownRanges(): PageRange[] {
  try {
    return unchangedRanges(readFileSync('/proc/self/smaps', 'latin1'), process.execPath);
  } catch {
    return [];
  }
}

/** `smaps` is the text of proc_pid_smaps(5), `file` the path of the program. */
export function unchangedRanges(smaps: string, file: string): PageRange[] {
  const ranges: PageRange[] = [];
  let open: PageRange | null = null;
  for (const line of smaps.split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \d+ +(.+)$/.exec(line);
    if (head !== null) {
      const from = BigInt(`0x${head[1]}`);
      open = head[3] === file ? { from, octets: Number(BigInt(`0x${head[2]}`) - from) } : null;
    } else if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) {
      open = null;
    } else if (open !== null && /^Anonymous: +0 kB$/.test(line)) {
      ranges.push(open);
      open = null;
    }
  }
  return ranges;
}
