import { DETECTED, DETECTED_KINDS } from '../../detect/patterns/kinds.ts';
import { byLabel, counter, gauge, type Samples } from '../../metric/metric.ts';
import type { Draft } from '../../outbox/draft.ts';
import type { Log } from '../../report/log.ts';
import type { Milliseconds } from '../../wire/quantity.ts';

/** Lines in the log a minute: what is beyond stands in the database and at the sinks. */
const MOST_LINES = 60;
const MINUTE_MS: Milliseconds = 60_000;

/** Findings of detectors, and addresses that were tried, in the log and in the metrics. */
export class DetectedFindings {
  readonly #log: Log;
  readonly #counts = new Map<string, number>([...DETECTED_KINDS, 'direct-address'].map((kind) => [kind, 0]));
  #minute = -1;
  #lines = 0;
  /** What was told to be unheard. */
  #unheard = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  take(finding: Draft): void {
    const {
      finding: kind = '',
      activity,
      severity,
      identity,
      key,
      lease,
      client,
      granted_name,
      target,
      names,
      text = '',
      next,
    } = finding;
    if (activity === 'create') this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    const minute = Math.floor(finding.at / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#lines = 0;
    }
    if (this.#lines++ >= MOST_LINES) return;
    const isDirect = kind === 'direct-address';
    const facts = {
      finding: kind,
      severity,
      identity,
      key,
      lease,
      target,
      ...(isDirect ? { client, granted_name } : { names }),
      remedy: next,
    };
    const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
    const isQuiet = activity === 'close' || DETECTED[kind as keyof typeof DETECTED]?.severity === 'low';
    if (activity === 'close')
      this.#log.info('finding', 'an approved name has answers again', { ...known, ended: true });
    else if (isQuiet && severity === 'low') this.#log.info('finding', text, known);
    else this.#log.warn('finding', text, known);
  }

  /** Tells in the log where detectors did not hear all. To be called a few times a minute. */
  tend(unheard: Readonly<Record<string, number>>): void {
    const all = Object.values(unheard).reduce((sum, count) => sum + count, 0);
    if (all <= this.#unheard) return;
    const count = all - this.#unheard;
    this.#unheard = all;
    this.#log.warn('detect-unheard', 'the detectors did not hear of all: it was more than they take', {
      count,
      remedy: 'look at namegate_queries_total for who floods, and give that identity a limit: qps',
    });
  }

  /** `open`: findings that are open now, null where it is not known. `unheard`: what detectors did not hear of. */
  *samples(
    open: ReadonlyMap<string, number> | null,
    unheard: Readonly<Record<string, number>>,
  ): Generator<Samples> {
    yield byLabel(DETECTIONS, this.#counts);
    yield byLabel(UNHEARD, Object.entries(unheard));
    if (open === null) return;
    yield byLabel(
      OPEN,
      DETECTED_KINDS.map((kind) => [kind, open.get(kind) ?? 0]),
    );
  }
}

const DETECTIONS = counter(
  'namegate_detections_total',
  'Findings of detectors, and of the firewall, that began since the start.',
  'finding',
);
const OPEN = gauge(
  'namegate_detections_open',
  'Findings of detectors that are not over; of dependency, approved names that fail upstream.',
  'finding',
);
const UNHEARD = counter(
  'namegate_detections_unheard_total',
  'What detectors did not hear of since the start, or could not place under a registered domain: a flood, or a full ring of the feed.',
  'of',
);
