import type { Log } from '../../report/log.ts';
import type { GrantFinding } from '../../resolve/grants/enforcement.ts';
import type { Clock } from '../../resolve/ports.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';

/** A finding is told once in so many milliseconds; what came since is counted. */
const REPEAT_MS: Milliseconds = 60_000;

/** Tells the log what is wrong with the firewall, each finding once a minute. */
export class PacedFindings {
  readonly #log: Log;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #counts = new Map<string, { told: Monotonic; more: number }>();

  constructor(log: Log, clock: Pick<Clock, 'monotonic'>) {
    this.#log = log;
    this.#clock = clock;
  }

  tell(finding: GrantFinding | 'enforce-fault' | 'enforce-rules', text: string, facts: object): void {
    const now = this.#clock.monotonic();
    const known = this.#counts.get(finding);
    if (known !== undefined && now - known.told < REPEAT_MS) {
      known.more++;
      return;
    }
    const more = known === undefined || known.more === 0 ? {} : { more: known.more };
    this.#counts.set(finding, { told: now, more: 0 });
    this.#log.error('finding', text, { finding, ...facts, ...more });
  }
}
