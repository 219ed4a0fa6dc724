import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { suffixTable } from '../../config/policy/suffixes.ts';
import { Detection } from '../../outbox/detection.ts';
import type { FollowerPlace } from '../../outbox/follower.ts';
import { deliver } from '../../outbox/sinks/deliver.ts';
import { type FeedJob, runFeedWorker } from '../../outbox/worker.ts';

/** The feed's worker thread: what its room takes from others is handed in here. */
export const FEED_THREAD = new URL(import.meta.url);

const job = (workerData as { namegateFeed?: FeedJob } | null)?.namegateFeed;
if (!isMainThread && parentPort !== null && job !== undefined) {
  const followers = [(place: FollowerPlace) => new Detection(place)];
  await runFeedWorker(parentPort, job, { suffixes: suffixTable, delivery: deliver, followers });
}
