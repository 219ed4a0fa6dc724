import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Draft } from '../../src/outbox/draft.ts';
import { type FeedEvent, KINDS, type Kind } from '../../src/outbox/event.ts';
import { Store } from '../../src/outbox/event-store.ts';
import { SETTING } from './rig.ts';

/** A disk that is smaller than the quotas: events do not fill it, and what had to go is told. */

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const skip = isRoot || process.env['CI'] ? false : 'needs root';
const ALL = { kinds: new Set(KINDS), minSeverity: 'operations' } as const;
const MIB = 2 ** 20;

/** A store on a disk of 16 MiB. */
function small(t: Test): Store {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-small-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=700', 'tmpfs', folder]);
  const path = join(folder, 'feed.db');
  const store = new Store({ path, setting: SETTING, server: 'ns1', version: '1', now: Date.now });
  t.teardown(() => {
    store.close();
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true });
  });
  store.configure(SETTING, [{ name: 'siem', kinds: KINDS }]);
  return store;
}

/** Commits 200 events of some 800 octets. */
function commit(store: Store, kind: Kind): void {
  const text = 'x'.repeat(600);
  const drafts = Array.from({ length: 200 }, (): Draft => ({ kind, at: Date.now(), identity: 'a', text }));
  store.commit({ drafts, losses: [], state: new Map() });
}

function read(store: Store, after: number): FeedEvent[] {
  const all: FeedEvent[] = [];
  for (let at = after; at < store.last; ) {
    const { events, reached } = store.page(at, ALL, 100_000, 2 ** 30);
    all.push(...events.map(({ event }) => event));
    at = reached;
  }
  return all;
}

t.test('what every sink has makes way, and nothing is lost', { skip }, async (t) => {
  const store = small(t);
  const seen: number[] = [];
  for (let i = 0; i < 200; i++) {
    commit(store, i % 4 === 0 ? 'finding' : 'deny');
    for (const { kind, seq } of read(store, store.cursor('siem'))) if (kind === 'deny') seen.push(seq);
    store.advance('siem', store.last);
  }
  t.same(
    seen,
    Array.from({ length: 30_000 }, (_, i) => i + 1),
  );
  t.equal(store.status().lost.quota, 0);
  const { decisions, findings } = store.status();
  t.ok(decisions.octets + findings.octets > 3 * MIB, 'and it uses the room that there is');
});

t.test('what nobody has had goes as a quota says, decisions first', { skip }, async (t) => {
  const store = small(t);
  for (let i = 0; i < 10; i++) commit(store, 'finding');
  for (let i = 0; i < 100; i++) commit(store, 'deny');
  const events = read(store, 0);
  t.equal(events.filter(({ kind }) => kind === 'finding').length, 2_000);
  const kept = events.filter(({ kind }) => kind === 'deny').length;
  const { lost } = store.status();
  t.ok(lost.quota > 0);
  t.equal(kept + lost.quota, 20_000, `${kept} kept and ${lost.quota} lost are all`);
});

t.test('findings alone do not fill it', { skip }, async (t) => {
  const store = small(t);
  for (let i = 0; i < 100; i++) commit(store, 'finding');
  const kept = read(store, 0).filter(({ kind }) => kind === 'finding').length;
  const { lost, numbers } = store.status();
  // An event that tells of a loss may go too, and is a loss then.
  const all = kept + lost.quota;
  t.ok(all >= 20_000 && all <= 20_000 + numbers['dropped']!, `${kept} kept and ${lost.quota} lost are all`);
});
