import type { Log } from '../report/log.ts';
import { Metrics } from '../report/metrics.ts';
import { ProcessWatch } from '../report/process-watch.ts';
import type { Readiness } from '../report/readiness.ts';
import { StatusServer } from '../report/status.ts';
import type { Settings } from '../settings/settings.ts';
import { type CountingRooms, metricSources } from './metric-sources.ts';

export interface StatusRoomOptions extends CountingRooms {
  readonly readiness: Readiness;
  readonly log: Log;
  /** namegate's. */
  readonly version: string;
}

/** The listener of `metrics:`, and what is watched only for it. Without that key nothing of it runs. */
export class StatusRoom {
  readonly #watch: ProcessWatch;
  readonly #server: StatusServer | null;

  constructor(setting: Settings['metrics'], options: StatusRoomOptions) {
    const { readiness, log, version, rooms } = options;
    this.#watch = new ProcessWatch(version);
    const metrics = new Metrics(metricSources({ ...options, rooms: [this.#watch, readiness, ...rooms] }));
    const notice = (error: Error): void =>
      log.warn('listener-trouble', 'the status listener had trouble', { error });
    this.#server = setting === null ? null : new StatusServer({ ...setting, readiness, metrics, notice });
  }

  /** Where /health, /ready and /metrics are, or null. */
  get url(): string | null {
    if (this.#server === null) return null;
    const { host, port } = this.#server.address;
    return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  /** Rejects with the system's error. */
  async start(): Promise<void> {
    if (this.#server === null) return;
    await this.#server.start();
    this.#watch.start();
  }

  async close(): Promise<void> {
    this.#watch.stop();
    await this.#server?.close();
  }
}
