import { existsSync, writeFileSync } from 'node:fs';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { FeedJob } from '../../src/outbox/feed-messages.ts';
import { runFeedWorker } from '../../src/outbox/worker.ts';

/** A worker of the feed that ends by an error 300 ms after its first start. */
const job = (workerData as { namegateFeed?: FeedJob } | null)?.namegateFeed;
if (!isMainThread && parentPort !== null && job !== undefined) {
  const flag = `${job.store}-has-crashed`;
  if (!existsSync(flag)) {
    writeFileSync(flag, '');
    setTimeout(() => {
      throw new Error('a fault of the test');
    }, 300);
  }
  await runFeedWorker(parentPort, job, { suffixes: () => new Map(), delivery: null });
}
