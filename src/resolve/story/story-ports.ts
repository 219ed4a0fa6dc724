import type { LeaseTable } from '../../policy/lease/lease.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { AnswerStore } from '../answer/answer-store.ts';
import type { Cookies } from '../client/cookies.ts';
import type { Gate } from '../grants/gate.ts';
import type { Charges } from '../ledger/charges.ts';
import type { BugObserver, Clock, Forwarder, Limits } from '../ports.ts';
import type { Turn } from './turn.ts';

/** What the story asks of other rooms. */
export interface StoryPorts {
  readonly store: AnswerStore;
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly observer: Observer;
  readonly leases: LeaseTable;
  readonly cookies: Cookies;
  /** The leak ledger; null where nothing is charged, as in tests of other things. */
  readonly charges: Charges | null;
  /** The door that answers with addresses leave by; null where no firewall is. */
  readonly gate?: Gate | null;
}

/**
 * Who hears what became of queries; `report/` implements it. Called on the query path: no work here that waits. The turn is
 * read during the call and not changed; what is kept of it is copied.
 */
export interface Observer extends BugObserver {
  /**
   * A question was decided, once each, before anything is done about it: `asker`, `query`, `decision` and `course` are
   * known. What cannot be decided, a malformed message for instance, has an end alone.
   */
  decided(turn: Turn): void;
  /** A question of an audited identity leaves for an upstream, though its budget is spent. */
  overspent(turn: Turn): void;
  /** A question waits for an upstream: told once; it ends later. */
  waits?(turn: Turn): void;
  /**
   * A query ended, once each, in `turn.end.exit`; its reply has `length` octets, 0 for a drop. Where nothing was decided
   * (`turn.course.kind` says so), `decision` says nothing.
   */
  ended(turn: Turn, length: number): void;
  /** The queries that came together at `began`, and ended without waiting, leave now. Must not throw. */
  left(began: Monotonic): void;
}
