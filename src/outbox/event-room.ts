import type { DatabaseSync } from 'node:sqlite';
import type { AgeClock } from './age-clock.ts';
import type { DiskLimits } from './disk-limits.ts';
import type { Loss } from './draft.ts';
import { DECISIONS, type FeedEvent, KINDS } from './event.ts';
import { type Losses, sinksText } from './losses.ts';
import { Quota } from './quota.ts';
import type { StoreSetting } from './store-options.ts';
import type { StoreSinks } from './store-sinks.ts';
import type { EventRow } from './store-statements.ts';

/** Key of the table `state` for the position up to which rows may lack between others. */
const HOLE_KEY = 'hole';

/** The room that events have: keeps both tables within their quotas, and notes whom what went is lost for. */
export class EventRoom {
  readonly decisions: Quota;
  readonly findings: Quota;
  readonly #disk: DiskLimits;
  readonly #sinks: StoreSinks;
  readonly #losses: Losses;
  #full: StoreSetting['full'];
  #holeNoted: number;

  /** `hole`: what `changes` gave last, or null. */
  constructor(
    database: DatabaseSync,
    disk: DiskLimits,
    { decisions, findings, full }: StoreSetting,
    sinks: StoreSinks,
    losses: Losses,
  ) {
    this.decisions = new Quota(database, 'decision', decisions);
    this.findings = new Quota(database, 'finding', findings);
    this.#disk = disk;
    this.#sinks = sinks;
    this.#losses = losses;
    this.#full = full;
    const kept = database.prepare('SELECT value FROM state WHERE key = ?').get(HOLE_KEY);
    this.#holeNoted = Number(kept?.['value'] ?? 0);
    this.decisions.hole = this.#holeNoted;
  }

  configure({ decisions, findings, full }: StoreSetting): void {
    this.decisions.setting = decisions;
    this.findings.setting = findings;
    this.#full = full;
  }

  /** Position behind which each table lacks its oldest rows alone. */
  get hole(): number {
    return Math.max(this.decisions.hole, this.findings.hole);
  }

  /** Whether more would go, though nothing is added: a quota is smaller than it was. */
  get isBehind(): boolean {
    return this.decisions.isBehind || this.findings.isBehind;
  }

  /** Makes room where a quota is full, and for what is too old. */
  make(ages: AgeClock): void {
    const now = ages.now();
    if (ages.wasSetBack) for (const quota of [this.decisions, this.findings]) quota.redate(now);
    const isOwed = ({ position, kind }: EventRow): boolean => this.#sinks.isOwed(position, KINDS[kind]!);
    const keepsOwed = this.#full === 'drop_new';
    const { decisions, findings } = this;
    const limits = this.#disk.of(decisions.octets, findings.octets);
    decisions.limit = limits.decisions;
    findings.limit = limits.findings;
    for (const row of decisions.makeRoom(now, isOwed, keepsOwed, this.#sinks.spansSent(decisions.mostSent)))
      this.#lose(row);
    for (const row of findings.makeRoom(now, isOwed, false, this.#sinks.spansSent(findings.mostSent)))
      this.#lose(row);
  }

  /** What the database has to keep, by key. */
  changes(): [key: string, value: string][] {
    if (this.hole === this.#holeNoted) return [];
    this.#holeNoted = this.hole;
    return [[HOLE_KEY, String(this.hole)]];
  }

  /** For a transaction that is taken back. */
  copy(): EventRoomCopy {
    return { decisions: this.decisions.sums, findings: this.findings.sums, holeNoted: this.#holeNoted };
  }

  reset({ decisions, findings, holeNoted }: EventRoomCopy): void {
    this.decisions.restore(decisions);
    this.findings.restore(findings);
    this.#holeNoted = holeNoted;
  }

  #lose({ position, kind, seq, at, body }: EventRow): void {
    const of = KINDS[kind]!;
    const { identity = 'other', count = 1 } = JSON.parse(body) as FeedEvent;
    const questions = DECISIONS.has(of) ? count : 1;
    const loss: Loss = { of, why: 'quota', lost: { [identity]: questions }, from: at, to: at };
    const { names } = this.#sinks;
    const { lacking, doubtful } = this.#sinks.owed(position, of);
    if (lacking.length > 0) this.#losses.add(loss, seq, seq, sinksText(lacking, names));
    for (const sink of doubtful) this.#losses.doubt(sink, position, seq, loss, sinksText([sink], names));
  }
}

interface EventRoomCopy {
  readonly decisions: Quota['sums'];
  readonly findings: Quota['sums'];
  readonly holeNoted: number;
}
