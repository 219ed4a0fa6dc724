import type { LeaseTable } from '../../policy/lease/lease.ts';
import type { Log } from '../../report/log.ts';
import type { Readiness } from '../../report/readiness.ts';
import type { Enforcement, GrantFinding, GrantWaiter } from '../../resolve/grants/enforcement.ts';
import { Gate } from '../../resolve/grants/gate.ts';
import type { GrantOrder, RulesLine } from '../../resolve/grants/grant-line.ts';
import { GrantReview } from '../../resolve/grants/review.ts';
import type { InForce } from '../../resolve/in-force.ts';
import type { Clock } from '../../resolve/ports.ts';
import type { EnforceSetting } from '../../settings/enforce.ts';
import type { Chore } from '../chores.ts';
import { EnforcerLink } from './enforcer-link.ts';

/** Between two questions to the enforcer whether the rules are as they were written. */
const CHECK_MS = 2_000;
const TICK_MS = 100;
/** A change of the rules by somebody else is told of for so long after it was mended. */
const TOLD_MS = 60_000;
/** A finding is told once in this time; what came since is counted. */
const REPEAT_MS = 60_000;

export interface FirewallRoomOptions {
  readonly setting: EnforceSetting;
  readonly clock: Clock;
  readonly leases: LeaseTable;
  readonly inForce: InForce;
  readonly log: Log;
  readonly readiness: Pick<Readiness, 'raise' | 'clear'>;
  /** 32 bits that nobody outside knows. */
  readonly salt: number;
  readonly bug: (error: unknown) => void;
}

/** The room where the server file has `enforce`. */
export function firewallOf(
  setting: EnforceSetting | null,
  options: Omit<FirewallRoomOptions, 'setting'>,
): FirewallRoom | null {
  return setting === null ? null : new FirewallRoom({ ...options, setting });
}

/** The resolver's side of the firewall: the door of the story, who is live, and the way to the enforcer. */
export class FirewallRoom implements Enforcement {
  readonly gate: Gate;
  readonly #options: FirewallRoomOptions;
  readonly #review: GrantReview;
  readonly #link: EnforcerLink;
  #setting: EnforceSetting;
  #isUp: boolean | null = null;
  #mended = 0;
  #toldUntil = 0;
  readonly #counts = new Map<GrantFinding, { told: number; more: number }>();

  constructor(options: FirewallRoomOptions) {
    const { setting, clock, leases, inForce, salt } = options;
    this.#options = options;
    this.#setting = setting;
    this.gate = new Gate(this, salt);
    this.#link = new EnforcerLink({
      socket: setting.socket,
      wait: () => this.#setting.wait,
      now: () => clock.monotonic(),
      snapshot: () => this.#review.snapshot(),
      heard: {
        changed: (up, why) => this.#changed(up, why),
        rules: (line) => this.#rules(line),
        fault: (text) =>
          this.#tell('enforce-fault', `the enforcer could not do what it was told: ${text}`, {}),
        bug: (error) => options.bug(error),
      },
    });
    this.#review = new GrantReview({ book: this.gate.book, enforcement: this, leases, clock }, inForce);
  }

  get down(): boolean {
    return this.#link.down;
  }

  order(orders: readonly GrantOrder[], waiter: GrantWaiter | null): void {
    this.#link.order(orders, waiter);
  }

  found(finding: GrantFinding, facts: Readonly<Record<string, unknown>>): void {
    const text = {
      'grant-missing': 'the firewall did not take in time what an answer would open',
      'grant-limit': 'an answer would open more than a client may have',
    }[finding];
    this.#tell(finding, text, facts);
  }

  /** Another load is in force. */
  take(setting: EnforceSetting | null, inForce: InForce): void {
    if (setting !== null) this.#setting = setting;
    this.#review.swap(inForce);
  }

  start(): void {
    this.#options.readiness.raise('enforce-down', this.#downText('not yet'));
    this.#link.start();
  }

  chores(): Chore[] {
    return [
      { name: 'review grants', every: TICK_MS, work: () => this.#review.tick() },
      { name: 'ask for the rules of the firewall', every: CHECK_MS, work: () => this.#check() },
    ];
  }

  /** Resolves when the enforcer has done what it was told so far, or the wait is over. */
  readonly settled = (): Promise<void> =>
    new Promise((resolve) => {
      if (this.#link.down) resolve();
      else this.#link.order([], { settled: () => resolve(), expired: () => resolve() });
    });

  close(): void {
    this.#link.close();
  }

  #check(): void {
    this.#link.check();
    const { clock, readiness } = this.#options;
    if (this.#toldUntil > 0 && clock.monotonic() > this.#toldUntil) {
      this.#toldUntil = 0;
      readiness.clear('enforce-rules');
    }
  }

  #changed(up: boolean, why: string): void {
    const { log, readiness } = this.#options;
    // Another enforcer begins to count anew.
    if (!up) this.#mended = 0;
    if (up) readiness.clear('enforce-down');
    else readiness.raise('enforce-down', this.#downText(why));
    if (this.#isUp === up) return;
    if (up) log.info('enforce-session', 'the enforcer has all that is live', {});
    else log.warn('enforce-session', this.#downText(why), {});
    this.#isUp = up;
  }

  #downText(why: string): string {
    const then =
      this.#setting.fail === 'open' ? 'answers are given without their grants' : 'no new address is granted';
    return `nobody enforces (${why}): ${then}; start namegate enforce`;
  }

  #rules({ mended, trouble, hash }: RulesLine): void {
    if (mended === this.#mended) return;
    this.#mended = mended;
    if (trouble === '') return;
    const { readiness, clock } = this.#options;
    const text = `the rules of the firewall are not as they were: ${trouble}`;
    readiness.raise('enforce-rules', text);
    this.#toldUntil = clock.monotonic() + TOLD_MS;
    this.#tell('enforce-rules', text, { hash });
    // What the sets held may be gone too.
    this.#link.repeat();
  }

  #tell(finding: GrantFinding | 'enforce-fault' | 'enforce-rules', text: string, facts: object): void {
    const { log, clock } = this.#options;
    const now = clock.monotonic();
    const key = finding as GrantFinding;
    const known = this.#counts.get(key);
    if (known !== undefined && now - known.told < REPEAT_MS) {
      known.more++;
      return;
    }
    const more = known === undefined || known.more === 0 ? {} : { more: known.more };
    this.#counts.set(key, { told: now, more: 0 });
    log.error('finding', text, { finding, ...facts, ...more });
  }
}
