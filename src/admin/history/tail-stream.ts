import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { TailPage, TailQuestion } from '../../history/tail.ts';
import type { Clock } from '../../resolve/ports.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import type { HistoryDesk } from './history-routes.ts';

/** Between two looks for what is new, and where there is more already. */
const LOOK_MS: Milliseconds = 250;
const NEXT_MS: Milliseconds = 50;
/** Between two signs of life, so that neither side takes silence for an end; and two looks whether the caller still may. */
const BEAT_MS: Milliseconds = 15_000;
const CHECK_MS: Milliseconds = 2_000;
/** After which a reader that lost its connection comes again. */
const RETRY_MS: Milliseconds = 2_000;

export interface Following {
  readonly raw: ServerResponse;
  readonly history: HistoryDesk;
  readonly filter: Omit<TailQuestion, 'what' | 'after'>;
  /** The id of the last event that the reader has, or null. */
  readonly after: string | null;
  readonly mayGoOn: () => Promise<boolean>;
  readonly clock: Clock;
}

/**
 * Sends decisions as they come (`text/event-stream`, https://html.spec.whatwg.org/multipage/server-sent-events.html) until the
 * reader goes. The worker keeps the last ones for all readers: a reader that is slow is asked for nothing meanwhile, and hears
 * how many it missed.
 */
export async function follow({ raw, history, filter, after, mayGoOn, clock }: Following): Promise<void> {
  const gone = new AbortController();
  raw.once('close', () => gone.abort());
  const { signal } = gone;
  const send = async (text: string): Promise<void> => {
    if (!raw.write(text)) await once(raw, 'drain', { signal });
  };
  try {
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      connection: 'close',
    });
    await send(`retry: ${RETRY_MS}\n\n`);
    let place = after;
    let [nextBeat, nextCheck] = [0, clock.monotonic() + CHECK_MS];
    while (!signal.aborted) {
      const now = clock.monotonic();
      if (now >= nextCheck) {
        if (!(await mayGoOn())) break;
        nextCheck = now + CHECK_MS;
      }
      const answer = await history.ask({ what: 'tail', after: place, ...filter });
      // The worker begins anew, or the server ends: the reader comes again with the id that it has.
      if (typeof answer === 'string') break;
      const { place: next, skipped, text, more } = answer.told as TailPage;
      place = next;
      if (skipped !== 0) await send(`event: skipped\ndata: ${JSON.stringify({ events: skipped })}\n\n`);
      if (text !== '') await send(text);
      if (now >= nextBeat) {
        await send(`: alive\nid: ${place}\n\n`);
        nextBeat = now + BEAT_MS;
      }
      await pause(more ? NEXT_MS : LOOK_MS, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    raw.end();
  }
}
