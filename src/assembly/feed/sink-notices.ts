import type { Note } from '../../outbox/notes.ts';
import type { DeliveryState } from '../../outbox/sinks/sink.ts';
import type { Log } from '../../report/log.ts';
import type { Readiness } from '../../report/readiness.ts';

const code = (name: string): string => `sink-${name}`;

/** Tells how sinks are: in the log, and where one is refused in `/ready` and as a finding for the others. */
export class SinkNotices {
  readonly #log: Log;
  readonly #readiness: Pick<Readiness, 'raise' | 'clear'>;
  readonly #note: (note: Note) => void;
  readonly #refused = new Set<string>();

  constructor(log: Log, readiness: Pick<Readiness, 'raise' | 'clear'>, note: (note: Note) => void) {
    this.#log = log;
    this.#readiness = readiness;
    this.#note = note;
  }

  take({ name, status, reason }: DeliveryState): void {
    if (status === 'refused') {
      this.#tellRefused(name, reason);
      return;
    }
    this.#forget(name);
    if (status === 'ok') this.#log.info('sink', 'events are delivered again', { sink: name });
    else this.#log.warn('sink', 'events wait for a sink', { sink: name, reason });
  }

  /** The sinks that there are: what was said of others is over. */
  keep(names: readonly string[]): void {
    for (const name of this.#refused) if (!names.includes(name)) this.#forget(name);
  }

  #tellRefused(name: string, reason: string): void {
    const text = `the sink ${name} is refused, and has stopped: ${reason}`;
    const next = 'mend its token or certificate; the sink begins again when the file changes, or at a reload';
    this.#refused.add(name);
    this.#readiness.raise(code(name), text);
    this.#log.error('sink', text, { sink: name });
    this.#note({ note: 'operations', at: Date.now(), finding: 'sink-refused', key: name, text, next });
  }

  #forget(name: string): void {
    if (this.#refused.delete(name)) this.#readiness.clear(code(name));
  }
}
