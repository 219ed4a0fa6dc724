import type { EpochMilliseconds } from '../../wire/quantity.ts';

/** One question that an account holds: the same name, type and verdict, however often it came. */
export interface AskedRow {
  /** Number of the account: a lease, or a client on one day. */
  readonly account: number;
  readonly identity: string;
  /** Empty where there was none. */
  readonly stage: string;
  /** What the job's lease says of it, or null. */
  readonly job: Readonly<Record<string, string>> | null;
  /** Presentation form, lower case, without the last dot. */
  readonly name: string;
  /** 0: this name. Else it stands for many names below it. */
  readonly folded: number;
  readonly type: number;
  readonly verdict: 'allow' | 'local' | 'empty' | 'deny' | 'contain';
  /** It was resolved all the same, since the identity was audited. */
  readonly audited: boolean;
  /** The client had proved its address. */
  readonly proven: boolean;
  /** As much of the ground as matters here. */
  readonly ground: 'rule' | 'above' | 'other';
  /** Milliseconds since 1970. */
  readonly first: EpochMilliseconds;
  readonly last: EpochMilliseconds;
  readonly count: number;
}

/** Names that a stub made of others by its search list, by account: a denial of one is nobody's mistake. */
export class SearchNoise {
  readonly #suffixes: readonly string[];
  readonly #asked = new Map<number, Set<string>>();

  /** `suffixes`: of the identity's `search:`, as names without the last dot. */
  constructor(suffixes: readonly string[]) {
    this.#suffixes = suffixes.map((suffix) => `.${suffix}`);
  }

  /** Every question of the identity is to be seen before `isNoise` is asked. */
  see({ account, name }: Pick<AskedRow, 'account' | 'name'>): void {
    if (this.#suffixes.length === 0) return;
    const names = this.#asked.get(account);
    if (names === undefined) this.#asked.set(account, new Set([name]));
    else names.add(name);
  }

  /** NAME.SUFFIX, where the same account asked NAME too. */
  isNoise({ account, name }: Pick<AskedRow, 'account' | 'name'>): boolean {
    const names = this.#asked.get(account);
    if (names === undefined) return false;
    return this.#suffixes.some((suffix) => name.endsWith(suffix) && names.has(name.slice(0, -suffix.length)));
  }
}
