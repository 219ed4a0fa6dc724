import t from 'tap';
import { partsOf, type Rooms, StoryInForce } from '../../src/assembly/serving.ts';
import { type Part, Swap, type Whole } from '../../src/assembly/swap.ts';
import type { InForce } from '../../src/resolve/in-force.ts';
import { compiled, identity } from '../policy/build.ts';

/** A load comes into force whole or not at all, whichever part of it meets a bug. */

const BUG = new Error('a bug in a room');

/** A load whose every setting and name holds `mark`. */
function load(mark: number): Whole {
  return {
    snapshot: compiled({ identities: [identity(`identity-${mark}`, {})] }),
    settings: {
      upstreams: [{ name: `group-${mark}`, servers: 'system', zones: [] }],
      listen: [{ mark }],
      admin: { mark },
      exceptions: { mark },
      replies: {},
      cache: { mark },
      limits: { inFlight: 8, unknownQps: mark },
      detect: {},
      renew: null,
      enforce: null,
    },
    trusts: new Map([[`listener-${mark}`, { designation: null }]]),
    problems: [],
  } as unknown as Whole;
}

/** Rooms that keep what they took last. */
function rig() {
  const state: Record<string, unknown> = {};
  const keep = (room: string, what: unknown): void => {
    state[room] = what;
  };
  const first = load(1);
  const story = new StoryInForce(first);
  const trust = {
    listen: first.settings.listen,
    trusts: first.trusts,
    take(listen: Whole['settings']['listen'], trusts: Whole['trusts']) {
      this.listen = listen;
      this.trusts = trusts;
      state.trust = [listen, [...trusts.keys()]];
    },
  };
  const rooms = {
    story,
    trust,
    resolver: { swap: (inForce: InForce) => keep('story', inForce.snapshot.identities[0]?.name) },
    limits: { configure: (rates: unknown) => keep('limits', rates) },
    renewals: { configure: (_names: unknown, { cache }: InForce) => keep('renewals', cache) },
    upstreams: { configure: ([group]: { name: string }[]) => keep('upstreams', group?.name) },
    admin: { configure: (...all: unknown[]) => keep('admin', all.slice(1)) },
    feed: { take: ({ settings }: Whole) => keep('feed', settings.alerts) },
    readiness: { setAudit: (audits: unknown) => keep('readiness', audits) },
    epoch: () => 0,
  } as unknown as Rooms;
  const parts = partsOf(rooms);
  for (const part of parts) part.build(first)();
  return { first, parts, state, story };
}

const names = rig().parts.map(({ name }) => name);

for (const [at, name] of names.entries()) {
  for (const step of ['build', 'commit'] as const) {
    t.test(`a bug where ${name} takes its part (${step}): all of what was in force stays`, async (t) => {
      const { first, parts, state, story } = rig();
      let broken = true;
      const faulty: Part[] = parts.map((part, index) =>
        index !== at
          ? part
          : {
              ...part,
              build: (whole) => {
                const commit = part.build(whole);
                if (whole === first || !broken) return commit;
                if (step === 'build') throw BUG;
                return () => {
                  commit();
                  throw BUG;
                };
              },
            },
      );
      const swap = new Swap(faulty, first);
      const before = JSON.stringify(state);
      const inForce = story.present;
      t.throws(() => swap.take(load(2)));
      t.equal(JSON.stringify(state), before);
      t.equal(story.present.snapshot, inForce.snapshot);
      t.equal(swap.present, first);
      broken = false;
      swap.take(load(2));
      const after = JSON.stringify(state);
      t.notMatch(after, /identity-1|group-1|listener-1|"mark":1/, 'without the bug all of it comes in force');
      t.match(after, /identity-2.*/);
    });
  }
}

t.test('certificates that changed since the last load are put back too', async (t) => {
  const { first, parts, state } = rig();
  parts.find(({ name }) => name === 'trust')!.build(load(7))();
  const before = JSON.stringify(state.trust);
  const last: Part = {
    name: 'last',
    build: (whole) => () => {
      if (whole !== first) throw BUG;
    },
  };
  t.throws(() => new Swap([...parts, last], first).take(load(2)));
  t.equal(JSON.stringify(state.trust), before);
});

t.test('what identities have underway goes over by name, and what is replaced stays as it is', async (t) => {
  const { story, first } = rig();
  const before = story.present.standings.at(0);
  before.underway.inFlight = 3;
  const next = story.build(first);
  t.equal(next.standings.at(0).underway, before.underway);
  t.not(next.standings.at(0), before);
  t.equal(story.present.standings.at(0), before);
  t.ok(Object.isFrozen(next));
});
