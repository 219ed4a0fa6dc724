import type { MessagePort } from 'node:worker_threads';
import { suffixTable } from '../../config/policy/suffixes.ts';
import { Detection } from '../../outbox/detection.ts';
import type { FeedJob } from '../../outbox/feed-messages.ts';
import type { FollowerPlace } from '../../outbox/follower.ts';
import { deliver } from '../../outbox/sinks/deliver.ts';
import { runFeedWorker } from '../../outbox/worker.ts';
import { openHistory } from './history-thread.ts';

/** Runs the feed's worker: what its room takes from others, and who hears what it reads, is handed in here. */
export function runFeed(port: MessagePort, job: FeedJob): Promise<void> {
  const followers = [(place: FollowerPlace) => new Detection(place), openHistory];
  return runFeedWorker(port, job, { suffixes: suffixTable, delivery: deliver, followers });
}
