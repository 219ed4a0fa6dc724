import type { SinkSetting } from '../settings/alerts.ts';
import type { StoreSetting } from './store.ts';

/** What a reload may change of the worker. */
export interface FeedSetting {
  readonly store: StoreSetting;
  /** To these events are owed, by their names. */
  readonly sinks: readonly SinkSetting[];
}
