import type { Note } from '../../outbox/notes.ts';
import type { DeliveryState } from '../../outbox/sinks/sink.ts';
import type { Log } from '../../report/log.ts';
import type { Readiness } from '../../report/readiness.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';

const code = (name: string): string => `sink-${name}`;

/** Milliseconds between two lines about one sink that is neither refused nor was. */
const PACE: Milliseconds = 60_000;

interface Told {
  status: DeliveryState['status'];
  at: Monotonic;
  /** How it is now, where that was not told yet, and how often it has changed since. */
  untold: DeliveryState | null;
  changes: number;
}

/**
 * Tells how sinks are: in the log, and where one is refused in `/ready` and as a finding for the others. One that comes and goes
 * has a line a minute.
 */
export class SinkNotices {
  readonly #log: Log;
  readonly #readiness: Pick<Readiness, 'warn' | 'clear'>;
  readonly #note: (note: Note) => void;
  readonly #now: () => Monotonic;
  readonly #refused = new Set<string>();
  readonly #told = new Map<string, Told>();

  /** `now`: milliseconds that never go back. */
  constructor(
    log: Log,
    readiness: Pick<Readiness, 'warn' | 'clear'>,
    note: (note: Note) => void,
    now: () => Monotonic,
  ) {
    this.#log = log;
    this.#readiness = readiness;
    this.#note = note;
    this.#now = now;
  }

  take(state: DeliveryState): void {
    const { name, status, reason } = state;
    if (status === 'refused') {
      this.#told.delete(name);
      this.#tellRefused(name, reason);
      return;
    }
    this.#forget(name);
    const told = this.#told.get(name);
    if (told === undefined || this.#now() - told.at >= PACE) this.#tell(state, told?.changes ?? 0);
    else {
      told.untold = state;
      told.changes++;
    }
  }

  /** Tells what is left to tell of sinks that came and went. To be called every few seconds. */
  tend(): void {
    for (const { status, at, untold, changes } of this.#told.values()) {
      if (untold === null || this.#now() - at < PACE) continue;
      // One that is as it was told is told of again where it did not stay so.
      if (untold.status !== status || changes > 1) this.#tell(untold, changes);
    }
  }

  #tell(state: DeliveryState, changes: number): void {
    const { name, status, reason } = state;
    this.#told.set(name, { status, at: this.#now(), untold: null, changes: 0 });
    const more = changes > 1 ? { changes } : {};
    if (status === 'ok') this.#log.info('sink', 'events are delivered again', { sink: name, ...more });
    else this.#log.warn('sink', 'events wait for a sink', { sink: name, reason, ...more });
  }

  /** The sinks that there are: what was said of others is over. */
  keep(names: readonly string[]): void {
    for (const name of this.#told.keys()) if (!names.includes(name)) this.#told.delete(name);
    for (const name of this.#refused) if (!names.includes(name)) this.#forget(name);
  }

  #tellRefused(name: string, reason: string): void {
    const text = `the sink ${name} is refused, and has stopped: ${reason}`;
    const next =
      'mend its token, its certificate or its receiver; the sink begins again when a file of it changes, or at a reload';
    this.#refused.add(name);
    this.#readiness.warn(code(name), text);
    this.#log.error('sink', text, { sink: name });
    this.#note({ note: 'operations', at: Date.now(), finding: 'sink-refused', key: name, text, next });
  }

  #forget(name: string): void {
    if (this.#refused.delete(name)) this.#readiness.clear(code(name));
  }
}
