import { constants, type PerformanceEntry, PerformanceObserver, performance } from 'node:perf_hooks';
import { Histogram } from '../metric/histogram.ts';
import { byLabel, counter, gauge, histogram, type Samples, single } from '../metric/metric.ts';
import type { Milliseconds } from '../wire/quantity.ts';

/** Between two looks at how late a timer is: a pause that is longer is always seen. */
const LOOK_MS: Milliseconds = 20;

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak',
};

/** Watches the process itself: how late its event loop is, how long the collector stops it, and what it takes. */
export class ProcessWatch {
  readonly #version: string;
  readonly #late = new Histogram();
  readonly #pauses = new Map(Object.values(GC_KINDS).map((kind) => [kind, new Histogram()]));
  #observer: PerformanceObserver | null = null;
  #timer: NodeJS.Timeout | null = null;

  /** `version`: namegate's. */
  constructor(version: string) {
    this.#version = version;
  }

  /** Watches from now on. It keeps no process alive. */
  start(): void {
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { duration, detail } = entry as PerformanceEntry & {
          readonly detail: { readonly kind: number };
        };
        const { kind } = detail;
        this.#pauses.get(GC_KINDS[kind] ?? 'major')?.add(duration);
      }
    });
    this.#observer.observe({ entryTypes: ['gc'] });
    let due = performance.now() + LOOK_MS;
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#late.add(now - due);
      due = now + LOOK_MS;
    }, LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    this.#observer?.disconnect();
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  *samples(): Generator<Samples> {
    const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    yield { metric: BUILD, values: [{ labels: [this.#version, process.version], value: 1 }] };
    yield single(STARTED, performance.timeOrigin / 1000);
    yield single(CPU, (user + system) / 1e6);
    yield single(RESIDENT, rss);
    yield byLabel(
      MEMORY,
      Object.entries({ heap_used: heapUsed, heap_total: heapTotal, external, array_buffers: arrayBuffers }),
    );
    yield single(LATE, this.#late);
    yield byLabel(PAUSES, this.#pauses);
  }
}

const BUILD = gauge(
  'namegate_build_info',
  '1; the versions of namegate and of Node are labels.',
  'version',
  'node',
);
const STARTED = gauge('process_start_time_seconds', 'When the process began, in seconds since 1970.');
const CPU = counter('process_cpu_seconds_total', 'Processor time of the process.');
const RESIDENT = gauge('process_resident_memory_bytes', 'Resident memory of the process.');
const MEMORY = gauge(
  'namegate_memory_bytes',
  "Memory of Node by its kind: V8's heap, and what is outside of it.",
  'kind',
);
const LATE = histogram(
  'namegate_event_loop_delay_seconds',
  'How late a timer of 20 ms was: a query waits as long.',
);
const PAUSES = histogram('namegate_gc_pause_seconds', 'Pauses of the collector, by its kind.', 'kind');
