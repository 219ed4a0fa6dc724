import type { MetricSource } from '../metric/metric.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import { exposition } from './exposition.ts';

/** Milliseconds that a source may take to ask for what it counts elsewhere. */
const PATIENCE_MS: Milliseconds = 1_000;

/** A source that counts in another thread: `prepare` asks for it before `samples` is called. */
export interface DistantSource extends MetricSource {
  prepare?(): Promise<void>;
}

/**
 * The text of all metrics. It is written in pieces, between which queries have their turn, and whoever asks meanwhile gets the
 * same text: a crowd of scrapers costs what one does.
 */
export class Metrics {
  readonly #sources: readonly DistantSource[];
  #running: Promise<Buffer> | null = null;

  constructor(sources: readonly DistantSource[]) {
    this.#sources = sources;
  }

  /** The text, in UTF-8. Rejects where a source meets a bug. */
  text(): Promise<Buffer> {
    this.#running ??= this.#write().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #write(): Promise<Buffer> {
    await inTime(Promise.all(this.#sources.map((source) => source.prepare?.())));
    const pieces: Buffer[] = [];
    for (const piece of exposition(this.#sources)) {
      pieces.push(Buffer.from(piece));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return Buffer.concat(pieces);
  }
}

/** A source that does not answer in time shows what it knew last. */
async function inTime(work: Promise<unknown>): Promise<void> {
  const late = new Promise<void>((resolve) => setTimeout(resolve, PATIENCE_MS).unref());
  await Promise.race([work, late]);
}
