import t from 'tap';
import { killLoop } from '../server/feed.ts';
import { Random } from '../server/random.ts';

/** FEED_ROUNDS=200 npx tap --timeout=900 test/hostile/feed-kill.test.ts; FEED_SEED repeats a run. */
const ROUNDS = Number(process.env.FEED_ROUNDS ?? 20);
const SEED = Number(process.env.FEED_SEED ?? Date.now() % 2 ** 31);

t.test(`${ROUNDS} kills under load lose no event; FEED_SEED=${SEED}`, async (t) => {
  await killLoop(t, ROUNDS, new Random(SEED));
});
