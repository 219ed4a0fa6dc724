import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import type { Placed } from '../event.ts';

/** Where events go. One sink a file; `Delivery` does for each of them what they have in common. */
export interface EventSink {
  /**
   * Sends a batch, the oldest event first. Never rejects but for a bug. It ends by itself, in bounded time; at the signal's
   * abort it ends at once.
   */
  send(batch: readonly Placed[], signal: AbortSignal): Promise<Sending>;
  /** Reads certificates, keys and tokens anew, and opens files anew. Whether one of them is another than before. */
  renew(): Promise<boolean>;
  /** Gives up what is open. No call follows. */
  close(): void;
}

export interface Sending {
  /** Events of the batch, from its first, that are done with: they were taken, or they are dead. */
  readonly accepted: number;
  /** Of those, events that the receiver will never take, in order. */
  readonly dead: readonly { readonly index: number; readonly reason: string }[];
  /** Why the rest was not taken. Null though something is left: the rest is to be sent at once. */
  readonly trouble: Trouble | null;
  /** Where a receiver acknowledges nothing: resolves to null once what was accepted counts, or to why it was lost. */
  readonly held?: Promise<Trouble | null>;
}

export interface Trouble {
  /** `refused`: what the sink shows is not accepted, and sending again is no use before somebody changes it. */
  readonly kind: 'retry' | 'refused';
  /** A sentence without an end, for people. It holds nothing secret, and nothing that a receiver wrote but for printable text. */
  readonly reason: string;
  /** Milliseconds that the receiver wants to be left alone. */
  readonly after?: Milliseconds;
}

/** How the delivery to one sink stands. */
export interface DeliveryState {
  readonly name: string;
  /** `ok`: idle or sending. `waiting`: it tries again by itself. `refused`: it has stopped until a file or the settings change. */
  readonly status: 'ok' | 'waiting' | 'refused';
  /** Empty while in order. */
  readonly reason: string;
  /** Since when, in milliseconds since 1970. */
  readonly since: EpochMilliseconds;
}

/** What sinks know of time: tests have their own. */
export interface SinkClock {
  /** Milliseconds since 1970. */
  now(): EpochMilliseconds;
  /** Resolves after so many milliseconds, or at the signal's abort. Never rejects. */
  sleep(milliseconds: Milliseconds, signal: AbortSignal): Promise<void>;
}

export const CLOCK: SinkClock = {
  now: Date.now,
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    }),
};

export function retry(reason: string, accepted = 0): Sending {
  return { accepted, dead: [], trouble: { kind: 'retry', reason } };
}

/** What a receiver or the system said, as it may stand in a log: one line, printable, at most 200 characters. */
export function printable(text: string): string {
  const line = text.replace(/[^\x20-\x7e]+/g, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

/** The code and message of an error of the system. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error));
  const { code } = error as NodeJS.ErrnoException;
  return printable(
    code === undefined || error.message.includes(code) ? error.message : `${code}: ${error.message}`,
  );
}
