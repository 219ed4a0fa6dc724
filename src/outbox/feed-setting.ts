import type { Detected, Thresholds } from '../detect/patterns/kinds.ts';
import type { SinkSetting } from '../settings/alert-settings.ts';
import type { HistorySettings } from '../settings/history-settings.ts';
import type { Kind } from './event.ts';
import type { StoreSetting } from './store-options.ts';

/** What a reload may change of the worker. */
export interface FeedSetting {
  readonly store: StoreSetting;
  /** To these events are owed, by their names. */
  readonly sinks: readonly SinkSetting[];
  /** Null: there is none. */
  readonly history: HistorySettings | null;
  /** Of decisions, the kinds that become events; the others are heard of by followers alone. */
  readonly kinds: readonly Kind[];
  /** Of decisions, the kinds that have a slot each. */
  readonly decided: readonly Kind[];
  /** What is looked for, and what identities say to it. */
  readonly detect: DetectSetting;
}

export interface DetectSetting {
  /** Thresholds by kind. */
  readonly limits: Thresholds;
  /** Identities that say something to detectors. */
  readonly identities: readonly {
    readonly name: string;
    readonly off: readonly Detected[];
    /** Wire names in lower case. */
    readonly search: readonly Uint8Array[];
  }[];
}
