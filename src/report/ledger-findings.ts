import { UNITS_A_BIT } from '../detect/charge.ts';
import { CROSSING, type Crossing } from '../detect/crossing.ts';
import { HOLDER, type Holder } from '../detect/holder.ts';
import type { Ledger } from '../detect/ledger.ts';
import { nameToText } from '../wire/name.ts';
import { type Tick, unreachable } from '../wire/quantity.ts';
import type { Log } from './log.ts';

const OCTET = 8 * UNITS_A_BIT;

/** What a key is a sum over, as `namegate ledger` says it. */
const KEYS = {
  [HOLDER.LEASE]: 'lease',
  [HOLDER.CLIENT]: 'client',
  [HOLDER.CLAIM]: 'claim',
  [HOLDER.WILDCARD]: 'wildcard',
  [HOLDER.IDENTITY]: 'identity',
} as const;

/** What is told of a key that crosses a budget. */
interface BudgetFacts {
  readonly key: (typeof KEYS)[keyof typeof KEYS];
  readonly subject: string;
  readonly identity?: string;
  readonly wildcard?: string;
  /** Octets: charged now, and the thresholds. */
  readonly octets: number;
  readonly alert: number;
  readonly contain: number;
  readonly names: readonly string[];
}

export interface CrossingFacts extends BudgetFacts {
  readonly what: 'alert' | 'contain' | 'end';
  readonly audited: boolean;
}

/**
 * Tells each crossing of a budget as a finding: when a key alerts, when it contains, and when that ends. Each is told, however
 * many there are: a key crosses once a window. What an audited identity crosses is told as `would_contain`.
 */
export class LedgerFindings {
  readonly #log: Log;
  readonly #isAudited: (identity: string) => boolean;
  readonly #heard: (facts: CrossingFacts) => void;

  /** `heard` is told the same. */
  constructor(log: Log, isAudited: (identity: string) => boolean, heard: (facts: CrossingFacts) => void) {
    this.#log = log;
    this.#isAudited = isAudited;
    this.#heard = heard;
  }

  /** Tells what there is, and empties it. To be called every second or so. */
  tell(ledger: Pick<Ledger, 'crossings' | 'told'>, tick: Tick): void {
    for (const crossing of ledger.crossings.splice(0)) {
      this.#tell(crossing, tick);
      ledger.told(crossing);
    }
  }

  #tell({ what, holder }: Crossing, tick: Tick): void {
    const audited = this.#isAudited(holder.identity);
    const contains = audited ? 'would_contain' : 'budget-contain';
    this.#heard({ what: WHAT[what], audited, ...factsOf(holder, tick) });
    switch (what) {
      case CROSSING.ALERT:
        this.#log.warn('finding', 'much has gone upstream through a wildcard', {
          finding: 'budget-alert',
          ...factsOf(holder, tick),
        });
        break;
      case CROSSING.CONTAIN:
        this.#log.warn('finding', audited ? WOULD : CONTAINED, {
          finding: contains,
          ...factsOf(holder, tick),
        });
        break;
      case CROSSING.END:
        this.#log.info('finding', 'new names under the wildcard are sent again', {
          finding: contains,
          ended: true,
          ...factsOf(holder, tick),
        });
        break;
      default:
        unreachable(what);
    }
  }
}

const CONTAINED = 'a budget is used up: new names under the wildcard are not sent';
const WOULD = 'in audit mode: new names under the wildcard would not be sent';

const WHAT = { [CROSSING.ALERT]: 'alert', [CROSSING.CONTAIN]: 'contain', [CROSSING.END]: 'end' } as const;

function factsOf(holder: Holder, tick: Tick): BudgetFacts {
  const { kind, subject, identity, base, alert, contain, samples } = holder;
  return {
    key: KEYS[kind],
    subject,
    ...(identity === '' ? {} : { identity }),
    ...(base.length === 0 ? {} : { wildcard: nameToText(base) }),
    octets: Math.ceil(holder.balance(tick) / OCTET),
    alert: alert / OCTET,
    contain: contain / OCTET,
    names: samples.map((name) => nameToText(name)),
  };
}
