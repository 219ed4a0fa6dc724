import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { FeedJob } from '../../outbox/feed-messages.ts';

/** The feed's worker thread. */
export const FEED_THREAD = new URL(import.meta.url);

const job = (workerData as { namegateFeed?: FeedJob } | null)?.namegateFeed;
// Whoever starts the thread imports this file too, and loads nothing of what the thread alone needs.
if (!isMainThread && parentPort !== null && job !== undefined) {
  const { runFeed } = await import('./feed-parts.ts');
  await runFeed(parentPort, job);
}
