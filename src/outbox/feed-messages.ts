import type { Draft } from './draft.ts';
import type { FeedSetting } from './feed-setting.ts';
import type { FindingList } from './kept-findings.ts';
import type { FeedRequest, FollowerAnswer, SinkAnswer } from './requests.ts';
import type { DeliveryState } from './sinks/sink.ts';
import type { StoreStatus } from './store-status.ts';

/** What the worker needs to begin. */
export interface FeedJob {
  /** The database. */
  readonly store: string;
  /** The ring's file, or memory that both threads share. */
  readonly ring: string | SharedArrayBuffer;
  /** The same of the table of counts. */
  readonly counts: string | SharedArrayBuffer;
  readonly server: string;
  readonly version: string;
  readonly setting: FeedSetting;
}

/** What the query thread says to the worker. */
export type FeedOrder =
  | { readonly say: 'configure'; readonly setting: FeedSetting }
  | { readonly say: 'status'; readonly id: number }
  | { readonly say: 'request'; readonly id: number; readonly request: FeedRequest }
  /** Sinks read their certificates, keys and tokens anew, and open files anew. */
  | { readonly say: 'renew' }
  | { readonly say: 'stop' };

/** What the worker says to the query thread. */
export type FeedReport =
  /** All that another run had left in the ring is written down. */
  | { readonly said: 'caught-up' }
  /** It cannot be helped by trying again: the worker ends. */
  | { readonly said: 'refused'; readonly text: string }
  /** Events cannot be written, or null when they can again. */
  | { readonly said: 'trouble'; readonly text: string | null }
  /** A database that could not be read is kept under another name. */
  | { readonly said: 'damaged'; readonly text: string; readonly copy: string }
  /** What detectors noticed was committed: it began, rose, or is over. */
  | { readonly said: 'findings'; readonly findings: readonly Draft[] }
  /** A sink is in trouble, is refused, or is in order again. */
  | { readonly said: 'sink'; readonly state: DeliveryState }
  | { readonly said: 'status'; readonly id: number; readonly status: WorkerStatus }
  /** Null where there is no such sink; a text says why it could not be done. */
  | { readonly said: 'done'; readonly id: number; readonly answer: RequestAnswer };

/** Of a request to sinks null says that there is no such sink; a text says why something could not be done. */
export type RequestAnswer = readonly SinkAnswer[] | FindingList | FollowerAnswer | string | null;

export interface WorkerStatus {
  readonly sinks: readonly DeliveryState[];
  readonly store: StoreStatus;
  /** Slots that could not be read. */
  readonly faults: number;
  /** What followers count. */
  readonly figures: Readonly<Record<string, number>>;
  /** Findings that are open, by what they are. */
  readonly open: ReadonlyMap<string, number>;
  readonly trouble: string | null;
}
