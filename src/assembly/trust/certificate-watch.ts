import { type DatesState, datesState, type ShownDates } from '../../identity/server-certificate.ts';
import { byLabel, gauge, type Samples } from '../../metric/metric.ts';
import type { Log } from '../../report/log.ts';
import type { Readiness } from '../../report/readiness.ts';
import { type EpochSeconds, type Seconds, unreachable } from '../../wire/quantity.ts';
import type { Trusts } from './trusts.ts';

/** Seconds after which what goes on is told again. */
const AGAIN: Seconds = 86_400;

interface Told {
  readonly state: DatesState;
  readonly at: EpochSeconds;
}

/**
 * Tells of listeners' own certificates that near their end, have ended or have not begun: at each change, once a day while it
 * is so, and in `/ready`. When one has ended, no client takes the listener any more. Listeners that share a file are one.
 */
export class CertificateWatch {
  readonly #log: Log;
  readonly #readiness: Readiness;
  #trusts: Trusts = new Map();
  /** By file. */
  readonly #told = new Map<string, Told>();

  constructor(log: Log, readiness: Readiness) {
    this.#log = log;
    this.#readiness = readiness;
  }

  /** Looks after the certificates of another load. */
  take(trusts: Trusts, epoch: EpochSeconds): void {
    this.#trusts = trusts;
    this.look(epoch);
  }

  /** To be called every minute or so. `epoch`: seconds since 1970. */
  look(epoch: EpochSeconds): void {
    const troubled: object[] = [];
    const files = this.#byFile();
    for (const [file, { listeners, dates }] of files) {
      const worst = worstOf(dates, epoch);
      if (worst === null) continue;
      const state = datesState(worst, epoch);
      const { subject, notAfter } = worst;
      const fields = { file, listeners, subject, state, ends: new Date(notAfter * 1000).toISOString() };
      if (state !== 'good') troubled.push(fields);
      const told = this.#told.get(file) ?? { state: 'good', at: epoch };
      if (told.state === state && (state === 'good' || epoch - told.at < AGAIN)) continue;
      this.#told.set(file, { state, at: epoch });
      this.#tell(state, fields);
    }
    for (const file of this.#told.keys()) if (!files.has(file)) this.#told.delete(file);
    this.#readiness.setCertificates(troubled);
  }

  *samples(): Generator<Samples> {
    yield byLabel(
      ENDS,
      Array.from(this.#byFile(), ([file, { dates }]) => [
        file,
        Math.min(...dates.map(({ notAfter }) => notAfter)),
      ]),
    );
  }

  #tell(state: DatesState, fields: Readonly<Record<string, unknown>>): void {
    switch (state) {
      case 'good':
        this.#log.info('certificate-loaded', "a listener's certificate is good again", fields);
        break;
      case 'early':
        this.#log.error('certificate-early', "a listener's certificate has not begun", fields);
        break;
      case 'near':
      case 'last-day':
        this.#log.warn('certificate-ending', "a listener's certificate nears its end: renew it", fields);
        break;
      case 'ended':
        this.#log.error(
          'certificate-ended',
          "a listener's certificate has ended: clients refuse it; renew it",
          fields,
        );
        break;
      default:
        unreachable(state);
    }
  }

  #byFile(): Map<string, { listeners: string[]; dates: readonly ShownDates[] }> {
    const files = new Map<string, { listeners: string[]; dates: readonly ShownDates[] }>();
    for (const [place, { shown }] of this.#trusts) {
      const listener = place.split(' ').slice(0, 3).join(' ');
      const known = files.get(shown.file);
      if (known === undefined) files.set(shown.file, { listeners: [listener], dates: shown.dates });
      else known.listeners.push(listener);
    }
    return files;
  }
}

const ENDS = gauge(
  'namegate_certificate_expiry_timestamp_seconds',
  'When the first certificate ends that a file of listeners shows, in seconds since 1970.',
  'file',
);

/** The one that ends first; before it, one that has not begun. */
function worstOf(dates: readonly ShownDates[], epoch: EpochSeconds): ShownDates | null {
  const early = dates.find((one) => datesState(one, epoch) === 'early');
  const [first = null] = dates.toSorted((a, b) => a.notAfter - b.notAfter);
  return first !== null && datesState(first, epoch) === 'ended' ? first : (early ?? first);
}
