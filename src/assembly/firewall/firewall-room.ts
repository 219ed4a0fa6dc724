import type { Samples } from '../../metric/metric.ts';
import type { Log } from '../../report/log.ts';
import type { Readiness } from '../../report/readiness.ts';
import type { Enforcement, GrantFinding, GrantWaiter } from '../../resolve/grants/enforcement.ts';
import { Gate } from '../../resolve/grants/gate.ts';
import type { GrantOrder, HeldLine, RulesLine } from '../../resolve/grants/grant-line.ts';
import { HeldGrants } from '../../resolve/grants/held-grants.ts';
import { GrantReview } from '../../resolve/grants/review.ts';
import type { InForce } from '../../resolve/in-force.ts';
import type { EnforceSetting } from '../../settings/enforce-settings.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import type { Chore } from '../chores.ts';
import { EnforcerLink } from './enforcer-link.ts';
import { Feeds } from './feeds.ts';
import { firewallSamples } from './firewall-samples.ts';
import { GrantWays } from './grant-ways.ts';
import { GuardFindings } from './guard-findings.ts';
import { readHeld } from './held-lines.ts';
import { PacedFindings } from './paced-findings.ts';
import { RefusedPackets, type RefusedPacketsOptions } from './refused-packets.ts';

/** Between two questions to the enforcer whether the rules are as they were written. */
const CHECK_MS: Milliseconds = 2_000;
const REVIEW_MS: Milliseconds = 100;
/** A change of the rules by somebody else is told of for so long after it was mended. */
const TOLD_MS: Milliseconds = 60_000;
/** An enforcer that is back so soon was started anew, and nobody has to act. */
const RESTART_MS: Milliseconds = 5_000;

export interface FirewallRoomOptions extends RefusedPacketsOptions {
  readonly setting: EnforceSetting;
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
  /** Null where the server file has feeds alone. */
  readonly #link: EnforcerLink | null;
  readonly #feeds: Feeds;
  readonly #ways: GrantWays;
  readonly #held: HeldGrants;
  #setting: EnforceSetting;
  #isUp: boolean | null = null;
  #mended = 0;
  #toldUntil: Monotonic = 0;
  readonly #guard: GuardFindings;
  readonly #findings: PacedFindings;
  #inForce: InForce;
  #downSince: Monotonic = Number.NaN;
  readonly #refused: RefusedPackets;
  readonly #ungranted = new Map<GrantFinding, number>([
    ['grant-missing', 0],
    ['grant-limit', 0],
  ]);
  /** Changes of the rules by somebody else, since the start. */
  #changes = 0;
  /** Answers were given without their grants; 0: none lately. */
  #openUntil: Monotonic = 0;

  constructor(options: FirewallRoomOptions) {
    const { setting, clock, leases, inForce, salt } = options;
    this.#inForce = inForce;
    this.#guard = new GuardFindings(options.tell);
    this.#findings = new PacedFindings(options.log, clock);
    this.#options = options;
    this.#setting = setting;
    this.gate = new Gate(this, salt);
    this.#refused = new RefusedPackets(options, this.gate.book);
    const wait = () => this.#setting.wait;
    this.#link =
      setting.socket === null
        ? null
        : new EnforcerLink({
            socket: setting.socket,
            wait,
            now: () => clock.monotonic(),
            snapshot: () => this.#review.snapshot(),
            heard: {
              changed: (up, why) => this.#changed(up, why),
              rules: (line) => this.#rules(line),
              refused: (line) => this.#refused.take(line, this.#inForce),
              untold: (count) => this.#refused.takeUntold(count),
              fault: (text) => {
                this.#findings.tell(
                  'enforce-fault',
                  `the enforcer could not do what it was told: ${text}`,
                  {},
                );
                this.#guard.saw('enforce-fault', text, { text });
              },
              held: (line) => this.#takeHeld(line),
              heldEnd: () => this.#ways.order(this.#held.end(this.#inForce), null),
              bug: (error) => options.bug(error),
            },
          });
    const { log, readiness, bug } = options;
    const snapshot = () => this.#review.parts();
    this.#feeds = new Feeds(setting.feeds, { clock, log, readiness, wait, snapshot, bug });
    const { awaited, followers } = this.#feeds;
    this.#ways = new GrantWays(this.#link === null ? awaited : [this.#link, ...awaited], followers);
    this.#review = new GrantReview({ book: this.gate.book, enforcement: this, leases, clock }, inForce);
    this.#held = new HeldGrants({ book: this.gate.book, leases, clock });
  }

  get down(): boolean {
    return this.#ways.down;
  }

  order(orders: readonly GrantOrder[], waiter: GrantWaiter | null): void {
    for (const order of orders) this.#refused.note(order);
    this.#ways.order(orders, waiter);
  }

  found(finding: GrantFinding, facts: Readonly<Record<string, unknown>>): void {
    this.#ungranted.set(finding, (this.#ungranted.get(finding) ?? 0) + 1);
    if (finding === 'grant-missing' && this.#setting.fail === 'open') {
      this.#openUntil = this.#options.clock.monotonic() + TOLD_MS;
      const open = 'enforce.fail is open: answers are given whose grants no enforcer has taken';
      this.#options.readiness.raise('enforce-open', open);
    }
    const text = {
      'grant-missing': 'the firewall did not take in time what an answer would open',
      'grant-limit': 'an answer would open more than a client may have',
    }[finding];
    this.#findings.tell(finding, text, facts);
    const { client = '', identity = '', name = '', given, limit } = facts as Readonly<Record<string, string>>;
    const { owner } = this.#inForce.standings.named(identity).identity;
    const more = limit === undefined ? {} : { text: limit };
    this.#guard.saw(finding, client, { client, identity, owner, name, open: Boolean(given), ...more });
  }

  /** Another load is in force. */
  take(setting: EnforceSetting | null, inForce: InForce): void {
    if (setting !== null) {
      this.#setting = setting;
      this.#feeds.take(setting.feeds);
    }
    this.#inForce = inForce;
    this.#review.swap(inForce);
  }

  /** Resolves when the feeds listen. Rejects with what to do. */
  async start(): Promise<void> {
    if (this.#link !== null) this.#options.readiness.raise('enforce-down', this.#downText('not yet'));
    this.#link?.start();
    await this.#feeds.start();
  }

  chores(): Chore[] {
    return [
      { name: 'review grants', every: REVIEW_MS, work: () => this.#review.look() },
      { name: 'ask for the rules of the firewall', every: CHECK_MS, work: () => this.#check() },
    ];
  }

  /** Resolves when the enforcer has done what it was told so far, or the wait is over. */
  readonly settled = (): Promise<void> =>
    new Promise((resolve) => {
      if (this.#ways.down) resolve();
      else this.#ways.order([], { settled: () => resolve(), expired: () => resolve() });
    });

  /** All that is live and granted now. */
  grants(): Iterable<GrantOrder> {
    return this.#review.snapshot();
  }

  close(): void {
    this.#link?.close();
    this.#feeds.close();
  }

  samples(): Iterable<Samples> {
    return firewallSamples({
      book: this.gate.book,
      link: this.#link,
      changes: this.#changes,
      ungranted: this.#ungranted,
      refused: this.#refused.counts,
      feeds: this.#feeds.counts,
    });
  }

  /** The enforcer hears with the snapshot what is kept of it. */
  #takeHeld(line: HeldLine): void {
    const held = readHeld(line);
    const orders = held === null ? [] : this.#held.take(held, this.#inForce);
    for (const order of orders) this.#refused.note(order);
    if (orders.length > 0) this.#feeds.order(orders);
  }

  #check(): void {
    this.#link?.check();
    const { clock, readiness } = this.#options;
    const now = clock.monotonic();
    if (now - this.#downSince > RESTART_MS)
      this.#guard.lasts('enforce-down', { open: this.#setting.fail === 'open' });
    this.#guard.flush(now);
    if (this.#openUntil > 0 && clock.monotonic() > this.#openUntil) {
      this.#openUntil = 0;
      readiness.clear('enforce-open');
    }
    if (this.#toldUntil > 0 && clock.monotonic() > this.#toldUntil) {
      this.#toldUntil = 0;
      readiness.clear('enforce-rules');
      this.#guard.ended('enforce-rules');
    }
  }

  #changed(up: boolean, why: string): void {
    const { log, readiness } = this.#options;
    // Another enforcer begins to count anew.
    if (!up) this.#mended = 0;
    if (up) {
      this.#downSince = Number.NaN;
      this.#guard.ended('enforce-down');
    } else if (Number.isNaN(this.#downSince)) this.#downSince = this.#options.clock.monotonic();
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
    this.#changes += Math.max(0, mended - this.#mended);
    this.#mended = mended;
    if (trouble === '') return;
    const { readiness, clock } = this.#options;
    const text = `the rules of the firewall are not as they were: ${trouble}`;
    readiness.raise('enforce-rules', text);
    this.#toldUntil = clock.monotonic() + TOLD_MS;
    this.#findings.tell('enforce-rules', text, { hash });
    this.#guard.lasts('enforce-rules', { text: trouble });
    // What the sets held may be gone too.
    this.#link?.repeat();
  }
}
