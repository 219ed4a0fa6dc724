import type { GuardFinding, GuardNote } from '../../outbox/firewall-notes.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';

/** Kinds of trouble that are told in one flush; what is beyond is told as one of nobody. */
const MOST = 64;
/** What lasts is told again so often, that it stays open. */
const AGAIN_MS: Milliseconds = 60_000;

/** Whom it is about, and what is to be said besides. */
export interface GuardFacts {
  readonly identity?: string;
  readonly owner?: string;
  readonly client?: string;
  readonly lease?: string | null;
  readonly name?: string;
  readonly text?: string;
  readonly open?: boolean;
}

interface Waiting {
  readonly finding: GuardFinding;
  readonly key: string;
  readonly facts: GuardFacts;
  count: number;
}

/** Trouble of the firewall on its way to the feed: alike sights as one, and what lasts again and again until it is over. */
export class GuardFindings {
  readonly #tell: (note: GuardNote) => void;
  readonly #waiting = new Map<string, Waiting>();
  /** What lasts, and when it was told last. */
  readonly #lasting = new Map<GuardFinding, { readonly facts: GuardFacts; at: Monotonic }>();

  constructor(tell: (note: GuardNote) => void) {
    this.#tell = tell;
  }

  /** It happened once more. The first time is told at once, for a kill would lose what waits. */
  saw(finding: GuardFinding, key: string, facts: GuardFacts): void {
    const place = `${finding} ${key}`;
    if (this.#waiting.has(place) || this.#waiting.size < MOST) this.#count(place, { finding, key, facts });
    else this.#count(finding, { finding, key: 'many clients', facts: {} });
  }

  #count(place: string, what: Omit<Waiting, 'count'>): void {
    const known = this.#waiting.get(place);
    if (known !== undefined) {
      known.count++;
      return;
    }
    this.#waiting.set(place, { ...what, count: 0 });
    this.#tell(noteOf(what.finding, what.key, what.facts, 1, false));
  }

  /** It is so from now on, until `ended`. */
  lasts(finding: GuardFinding, facts: GuardFacts): void {
    if (!this.#lasting.has(finding)) this.#lasting.set(finding, { facts, at: Number.NEGATIVE_INFINITY });
  }

  ended(finding: GuardFinding): void {
    if (this.#lasting.delete(finding)) this.#tell(noteOf(finding, KEY, {}, 1, true));
  }

  /** Tells what there is. To be called every second or two. */
  flush(now: Monotonic): void {
    for (const { finding, key, facts, count } of this.#waiting.values())
      if (count > 0) this.#tell(noteOf(finding, key, facts, count, false));
    this.#waiting.clear();
    for (const [finding, lasting] of this.#lasting) {
      if (now - lasting.at < AGAIN_MS) continue;
      lasting.at = now;
      this.#tell(noteOf(finding, KEY, lasting.facts, 1, false));
    }
  }
}

const KEY = 'the firewall';

function noteOf(
  finding: GuardFinding,
  key: string,
  { identity = '', owner = '', client, lease = null, name, text, open = false }: GuardFacts,
  count: number,
  over: boolean,
): GuardNote {
  return {
    note: 'guard',
    at: Date.now(),
    finding,
    over,
    key,
    identity,
    owner,
    client: client ?? null,
    lease,
    name: name ?? null,
    text: text ?? null,
    open,
    count,
  };
}
