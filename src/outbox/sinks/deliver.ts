import type { Milliseconds } from '../../wire/quantity.ts';
import type { FeedSetting } from '../feed-setting.ts';
import type { Delivery, WorkerParts } from '../worker.ts';
import { CLOCK } from './sink.ts';
import { Sinks } from './sinks.ts';

/** Milliseconds at the end in which what was committed last may still be sent; the rest is sent after the next start. */
const LAST: Milliseconds = 500;
const LOOK: Milliseconds = 20;

/** The sinks as a part of the feed's worker. */
export const deliver: NonNullable<WorkerParts['delivery']> = (store, setting, onChange) => {
  const sinks = new Sinks(store, onChange);
  // One change after another: a sink has closed before its follower opens the same file.
  let changing = Promise.resolve();
  const configure = ({ sinks: settings, store: { isDurable } }: FeedSetting): void => {
    changing = changing.then(() => sinks.configure({ sinks: settings, isDurable }));
  };
  configure(setting);
  return {
    configure,
    committed: () => sinks.wake(),
    renew: () => sinks.renew(),
    rewind: (name) => sinks.rewind(name),
    tryOut: (...args) => sinks.tryOut(...args),
    states: () => sinks.states,
    close: async () => {
      await changing;
      const never = new AbortController().signal;
      for (let waited = 0; waited < LAST && !sinks.areDone; waited += LOOK) await CLOCK.sleep(LOOK, never);
      await sinks.close();
    },
  } satisfies Delivery;
};
