import type { EpochMilliseconds } from '../../wire/quantity.ts';
import type { FeedEvent } from '../event.ts';

/** An event in format `json`: as it is kept, with the time of sending. Flat but for `job`, `certificate` and counts. */
export function plainObject(event: FeedEvent, sent: EpochMilliseconds): Readonly<Record<string, unknown>> {
  const { id, seq, kind, server, time, ...rest } = event;
  return { id, seq, kind, server, time, sent: new Date(sent).toISOString(), ...rest };
}
