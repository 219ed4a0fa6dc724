import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Draft } from '../../../src/outbox/draft.ts';
import { Store } from '../../../src/outbox/event-store.ts';
import type { DeliveryState, SinkClock } from '../../../src/outbox/sinks/sink.ts';
import { Sinks } from '../../../src/outbox/sinks/sinks.ts';
import type { StoreSetting } from '../../../src/outbox/store-options.ts';
import { ALERT_KINDS, type SinkSetting } from '../../../src/settings/alert-settings.ts';
import { running } from '../../clock.ts';

const LARGE = { octets: 2 ** 30, age: 30 * 86_400_000 };
export const RIG_SETTING: StoreSetting = {
  isDurable: false,
  decisions: LARGE,
  findings: LARGE,
  full: 'drop_oldest',
};

/** Waits pass so many times as fast; what the time is, is not changed. */
export function fastClock(factor: number): SinkClock {
  return {
    now: Date.now,
    sleep: (milliseconds, signal) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, milliseconds / factor);
        signal.addEventListener('abort', done);
        if (signal.aborted) done();
      }),
  };
}

export const TERMS = { name: 'siem', format: 'json', kinds: ALERT_KINDS, minSeverity: 'operations' } as const;
export const NO_TLS = { ca: null, certificate: null, key: null, serverName: null } as const;

/** A store and the sinks that read it. */
export class Rig {
  readonly store: Store;
  readonly sinks: Sinks;
  readonly states: DeliveryState[] = [];
  /** Goes when the sinks are closed: a test's own folder goes before, and a sink that still tries would make it anew. */
  readonly folder: string;
  #sent = 0;

  constructor(t: Test, clock: SinkClock = fastClock(25)) {
    // The test's own folder is the test's: a second call would empty it.
    this.folder = mkdtempSync(join(tmpdir(), 'namegate-sinks-'));
    const path = join(this.folder, 'feed.db');
    this.store = new Store({ path, setting: RIG_SETTING, server: 'ns1', version: '0', now: Date.now });
    this.sinks = new Sinks(this.store, (state) => this.states.push(state), clock);
    t.teardown(async () => {
      await this.sinks.close();
      this.store.close();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  async use(...settings: readonly SinkSetting[]): Promise<void> {
    this.store.configure(RIG_SETTING, settings);
    await this.sinks.configure({ sinks: settings, isDurable: false });
  }

  /** Commits denials; their `seq` goes on. */
  deny(count: number, more: (n: number) => Partial<Draft> = () => ({})): void {
    const drafts = Array.from({ length: count }, (): Draft => {
      const n = ++this.#sent;
      return {
        kind: 'deny',
        at: Date.now(),
        identity: 'me',
        name: `n${n}.example`,
        type: 'A',
        count: 1,
        ...more(n),
      };
    });
    this.store.commit({ drafts, losses: [], state: new Map() });
    this.sinks.wake();
  }

  acknowledged(name = 'siem'): boolean {
    return this.store.cursor(name) === this.store.last;
  }
}

/** Resolves when it holds; fails the test after that long, which is no bound that load can break. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const end = running() + 30_000;
  while (!holds()) {
    if (running() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Numbers without repeats, in the order of their first. */
export function once(numbers: readonly number[]): number[] {
  return [...new Set(numbers)];
}

export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
