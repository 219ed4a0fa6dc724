import type { EpochMilliseconds } from '../../wire/quantity.ts';
import type { FeedEvent } from '../event.ts';

/** One attribute of OCSF: the docs' table is made of these rows, and so is each event. */
export interface Row {
  /** Its path, with dots. */
  readonly to: string;
  /** What it is made of, for people: keys of the event in backquotes. */
  readonly from: string;
  /** The value; undefined where the event has none. */
  readonly give: (event: FeedEvent, sent: EpochMilliseconds) => unknown;
}
