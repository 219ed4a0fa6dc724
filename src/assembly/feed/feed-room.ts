import type { HistoryAsk } from '../../history/questions.ts';
import type { Samples } from '../../metric/metric.ts';
import type { Kind } from '../../outbox/event.ts';
import { Feed } from '../../outbox/feed.ts';
import type { RequestAnswer, WorkerStatus } from '../../outbox/feed-messages.ts';
import type { FirewallNote } from '../../outbox/firewall-notes.ts';
import type { Note } from '../../outbox/notes.ts';
import type { FeedRequest } from '../../outbox/requests.ts';
import { policyId } from '../../policy/compile/content-hash.ts';
import { VERDICT } from '../../policy/decide/decision.ts';
import type { LeaseNote } from '../../policy/lease/lease-note.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import type { CrossingFacts } from '../../report/ledger-findings.ts';
import type { Log } from '../../report/log.ts';
import type { Readiness } from '../../report/readiness.ts';
import type { Standings } from '../../resolve/client/standing.ts';
import type { Observer } from '../../resolve/story/story-ports.ts';
import type { Turn } from '../../resolve/story/turn.ts';
import type { Settings } from '../../settings/settings.ts';
import { mapFile } from '../../socket/mapped-file.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import type { Chore } from '../chores.ts';
import type { Whole } from '../swap.ts';
import { DetectedFindings } from './detected-findings.ts';
import { feedSamples } from './feed-samples.ts';
import { heardOf, isLooking, settingOf, takenOf } from './feed-terms.ts';
import { FEED_THREAD } from './feed-thread.ts';
import { RateNotes } from './rate-notes.ts';
import { SinkNotices } from './sink-notices.ts';
import { WaitingNotes } from './waiting-notes.ts';

const BEAT_MS: Milliseconds = 300_000;
const CLOCK_MS: Milliseconds = 1_000;
/** Between two counts of what identities ask. */
const RATES_MS: Milliseconds = 10_000;
const TELL_MS: Milliseconds = 5_000;
/** A reader of the tail comes again before. */
const TAIL_MS: Milliseconds = 60_000;
/** What another run left in the ring is written down in less than a second, unless the disk is slow. */
const CATCH_UP_MS: Milliseconds = 10_000;

export interface FeedRoomOptions {
  readonly log: Log;
  readonly readiness: Pick<Readiness, 'raise' | 'warn' | 'clear'>;
  readonly version: string;
  /** Who hears of queries beside the feed, and counts them. */
  readonly observer: Observer & { report(): Record<string, number> };
}

/** The alert feed while the server runs: what it hears of the story, its heartbeat, and what is told of itself. */
export class FeedRoom implements Observer {
  readonly #options: FeedRoomOptions;
  readonly #observer: FeedRoomOptions['observer'];
  #feed: Feed | null = null;
  #snapshot: Snapshot;
  #settings: Settings;
  #counted: Readonly<Record<string, number>> = {};
  #isTroubled = false;
  readonly #sinks: SinkNotices;
  readonly #detected: DetectedFindings;
  #status: WorkerStatus | null = null;
  readonly #leaseNotes = new WaitingNotes();
  /** Detectors look for something. */
  #isLooking = false;
  /** The history or detectors hear of each question. */
  #isCounting = false;
  #standings: Standings | null = null;
  readonly #rateNotes = new RateNotes();

  /** `first`: what is in force at the start. */
  constructor(first: Pick<Whole, 'settings' | 'snapshot'>, options: FeedRoomOptions) {
    this.#snapshot = first.snapshot;
    this.#settings = first.settings;
    this.#options = options;
    this.#observer = options.observer;
    this.#look(first.settings);
    const { log, readiness } = options;
    this.#detected = new DetectedFindings(log);
    this.#sinks = new SinkNotices(
      log,
      readiness,
      (note) => this.#note(note, ''),
      () => performance.now(),
    );
  }

  /** Begins in a state folder whose lock the caller holds; `folder` null: there is none, and nothing is kept. */
  open(folder: string | null): void {
    const { log, version } = this.#options;
    const settings = this.#settings;
    if (folder === null) {
      log.warn('feed-trouble', 'events of the alert feed are not kept: there is no state folder', {});
      return;
    }
    this.#feed = new Feed(folder, {
      thread: FEED_THREAD,
      map: mapFile,
      server: settings.name,
      version,
      setting: settingOf(settings, this.#snapshot),
      taken: takenOf(settings),
      heard: heardOf(settings),
      notices: {
        trouble: (text) => this.#tellTrouble(text),
        told: (text) => log.warn('feed-trouble', `alert feed: ${text}`, {}),
        sink: (state) => this.#sinks.take(state),
        finding: (finding) => this.#detected.take(finding),
      },
    });
    this.#feed.start();
    this.beat();
  }

  /** Resolves when the ring has room for all that clients will ask: at the latest after ten seconds, for answers matter more. */
  async caughtUp(): Promise<void> {
    const feed = this.#feed;
    if (feed === null || (await feed.caughtUp(CATCH_UP_MS)) || this.#isTroubled) return;
    const { depth } = feed.writer.counts;
    const text = 'clients are answered before all is written down that another run left';
    this.#options.log.warn('feed-trouble', `alert feed: ${text}`, { slots: depth });
  }

  /** Sinks read their certificates, keys and tokens anew, and open files anew. */
  renew(): void {
    this.#feed?.renew();
  }

  /** Takes what a load says of it. */
  take({ settings, snapshot }: Pick<Whole, 'settings' | 'snapshot'>): void {
    this.#snapshot = snapshot;
    this.#settings = settings;
    this.#sinks.keep(settings.alerts.sinks.map(({ name }) => name));
    this.#look(settings);
    this.#feed?.configure(settingOf(settings, snapshot), takenOf(settings), heardOf(settings));
  }

  #look(settings: Settings): void {
    this.#isLooking = isLooking(settings);
    this.#isCounting = this.#isLooking || settings.history !== null;
  }

  waits(turn: Turn): void {
    if (this.#isCounting) this.#feed?.counts.waits(turn);
  }

  decided(turn: Turn): void {
    this.#observer.decided(turn);
    this.#feed?.writer.decided(turn);
  }

  overspent(turn: Turn): void {
    this.#observer.overspent(turn);
    this.#feed?.writer.overspent(turn);
  }

  ended(turn: Turn, length: number): void {
    this.#observer.ended(turn, length);
    this.#feed?.writer.ended(turn, length);
    // Of what is denied the history alone wants to hear here.
    if (this.#isCounting && (this.#settings.history !== null || turn.decision.verdict !== VERDICT.DENY))
      this.#feed?.counts.ended(turn, length);
    if (!this.#isLooking) return;
    this.#feed?.outcomes.ended(turn);
    // Rates count from the first question on.
    if (this.#standings === null)
      this.#rateNotes.notes(turn.inForce.standings, Date.now(), performance.now());
    this.#standings = turn.inForce.standings;
  }

  left(began: Monotonic): void {
    this.#observer.left(began);
  }

  bug(error: unknown): void {
    this.#observer.bug(error);
  }

  /** A lease began or is over: what has no room in the ring waits for it. */
  tell(note: LeaseNote): void {
    if (!this.#isCounting) return;
    this.#leaseNotes.push(note);
    this.#leaseNotes.write(this.#feed?.writer.slots.ring);
  }

  /** Every lease that lives has been told since the start. */
  allLeasesTold(): void {
    this.tell({ note: 'lease', what: 'all', at: Date.now(), id: '' });
  }

  /** The firewall refused packets, or is in trouble. */
  guarded(note: FirewallNote): void {
    this.#note(note, note.identity);
  }

  /** A key of the ledger passed a threshold. */
  crossed({ identity = '', wildcard = '', ...facts }: CrossingFacts): void {
    const owner = this.#snapshot.identities.find(({ name }) => name === identity)?.owner ?? '';
    this.#note({ note: 'budget', at: Date.now(), identity, owner, wildcard, ...facts }, identity);
  }

  chores(): Chore[] {
    return [
      {
        name: "follow the machine's clock in the feed",
        every: CLOCK_MS,
        work: () => {
          this.#feed?.writer.setOrigin(Date.now() - performance.now());
          this.#feed?.writer.gate.settle(performance.now());
          this.#leaseNotes.write(this.#feed?.writer.slots.ring);
        },
      },
      { name: 'tell of sinks that come and go', every: TELL_MS, work: () => this.#sinks.tend() },
      { name: 'send a heartbeat', every: BEAT_MS, work: () => this.beat() },
      { name: 'tell detectors how much is asked', every: RATES_MS, work: () => this.#tellRates() },
    ];
  }

  #tellRates(): void {
    if (this.#isLooking && this.#feed !== null) {
      this.#detected.tend(this.#feed.unheard);
      // What the worker counts is there the next time.
      void this.status();
    }
    if (!this.#isLooking || this.#standings === null) return;
    for (const note of this.#rateNotes.notes(this.#standings, Date.now(), performance.now()))
      this.#note(note, '', null);
  }

  /** Says that the server lives, and what it counted since it said so last. */
  beat(): void {
    const counted = { ...this.#observer.report(), lost: this.#feed?.writer.counts.lost ?? 0 };
    const before = this.#counted;
    const counts: Record<string, number> = {};
    for (const [name, count] of Object.entries(counted)) {
      const more = count - (before[name] ?? 0);
      if (more > 0) counts[name] = more;
    }
    const note: Note = { note: 'heartbeat', at: Date.now(), policy: policyId(this.#snapshot), counts };
    // What had no room is counted by the next one.
    if (this.#note(note, '', 'heartbeat')) this.#counted = counted;
  }

  /** What the worker says of itself; null where there is none, or it does not answer. */
  async status(): Promise<WorkerStatus | null> {
    return (await this.#feed?.status()) ?? null;
  }

  /** Asks something of the sinks; a text where it could not be done. */
  async request(request: FeedRequest): Promise<RequestAnswer> {
    return this.#feed === null
      ? 'there is no alert feed: the state folder is not to be had'
      : this.#feed.request(request);
  }

  /** Asks the history, with all that was asked up to now; a text where it cannot say. */
  async ask(asked: HistoryAsk): Promise<{ readonly told: unknown } | string> {
    const isTail = asked.what === 'tail';
    if (isTail) this.#feed?.writer.showAll(performance.now() + TAIL_MS);
    if (this.#settings.history === null && !isTail) return 'the history is off';
    // Who looks on takes what there is.
    const after = isTail ? null : (this.#feed?.writer.slots.ring.next ?? 0);
    const answer = await this.request({ ask: 'follower', after, question: { of: 'history', asked } });
    return answer !== null && typeof answer === 'object' && 'told' in answer ? answer : String(answer);
  }

  /** Asks the worker how it is, for `samples`. */
  async prepare(): Promise<void> {
    this.#status = await this.status();
  }

  samples(): Iterable<Samples> {
    if (this.#feed === null) return [];
    return [
      ...feedSamples(this.#feed, this.#status, Date.now()),
      ...this.#detected.samples(this.#status?.open ?? null, this.#feed.unheard),
    ];
  }

  /** Lets the worker take what waits. Nothing is told to it any more. */
  async close(): Promise<void> {
    const feed = this.#feed;
    this.#feed = null;
    await feed?.stop();
  }

  #note(note: Note, identity: string, kind: Kind | null = 'finding'): boolean {
    return this.#feed?.writer.note(note, identity, performance.now(), kind) ?? false;
  }

  #tellTrouble(text: string | null): void {
    const { log, readiness } = this.#options;
    if (text === null) {
      if (this.#isTroubled) log.info('feed-trouble', 'events of the alert feed are written again', {});
      this.#isTroubled = false;
      readiness.clear('feed');
      return;
    }
    this.#isTroubled = true;
    const told = `events of the alert feed cannot be written: ${text}`;
    readiness.raise('feed', told);
    log.error('feed-trouble', told, {});
  }
}
