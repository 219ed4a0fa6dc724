import { isOurs, machineAddresses } from '../config/server/ourselves.ts';
import type { RateLimits } from '../listen/limits.ts';
import { TCP_IDLE_MS } from '../listen/stream/tcp.ts';
import { type Renewable, renewable } from '../policy/compile/renewable.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import type { Readiness } from '../report/readiness.ts';
import type { Tally } from '../resolve/client/tally.ts';
import type { Renewals } from '../resolve/flights/renewals.ts';
import { buildInForce, type InForce } from '../resolve/in-force.ts';
import type { Designation } from '../resolve/local/designation.ts';
import type { Resolver } from '../resolve/story/resolver.ts';
import type { AdminSetting, ExceptionSetting } from '../settings/settings.ts';
import type { Upstreams } from '../upstream/forwarder.ts';
import type { Prefix } from '../wire/prefix.ts';
import type { EpochSeconds } from '../wire/quantity.ts';
import type { FeedRoom } from './feed/feed-room.ts';
import type { FirewallRoom } from './firewall/firewall-room.ts';
import type { Listeners } from './listeners.ts';
import type { Part, Whole } from './swap.ts';
import type { TrustInForce } from './trust/trust-in-force.ts';

/** Builds what the story reads of a load, and remembers what is in force. */
export class StoryInForce {
  readonly #groupIds = new Map<string, number>();
  #present: InForce;

  constructor(first: Whole) {
    this.#present = this.build(first, null);
  }

  get present(): InForce {
    return this.#present;
  }

  set present(inForce: InForce) {
    this.#present = inForce;
  }

  /** `before`: what it will replace; unless given, what is in force. */
  build({ settings, snapshot, trusts }: Whole, before: InForce | null = this.#present): InForce {
    const { upstreams, replies, cache, limits, budgets, enforce } = settings;
    const parts = {
      snapshot,
      replies,
      cache,
      limits,
      budgets,
      // Taking it out of the file needs a restart: until then it stays.
      firewall:
        enforce === null
          ? (before?.firewall ?? null)
          : { ports: enforce.ports, open: enforce.fail === 'open' },
      keepalive: TCP_IDLE_MS / 100,
      nearMiss: settings.detect['near-miss']?.['length'] ?? 0,
      designations: [...trusts.values()].flatMap(({ designation }) => designation ?? []),
      groupIds: upstreams.map(({ name }) => this.#groupId(name)),
    };
    return buildInForce(parts, upstreams, before);
  }

  isAudited(identity: string, epoch: EpochSeconds): boolean {
    return this.#present.snapshot.identities.some(
      ({ name, auditUntil }) => name === identity && auditUntil > epoch,
    );
  }

  /** The same with other designations: where a certificate changed and the policy did not. */
  designated(designations: readonly Designation[]): InForce {
    return Object.freeze({ ...this.#present, designations });
  }

  #groupId(name: string): number {
    let id = this.#groupIds.get(name);
    if (id === undefined) {
      id = this.#groupIds.size;
      this.#groupIds.set(name, id);
    }
    return id;
  }
}

/** The rooms that take something of a load. */
export interface Rooms {
  readonly story: StoryInForce;
  readonly resolver: Resolver;
  readonly limits: RateLimits;
  readonly renewals: Renewals;
  readonly upstreams: Upstreams;
  readonly feed: Pick<FeedRoom, 'take'>;
  readonly trust: TrustInForce;
  readonly admin: {
    configure(snapshot: Snapshot, setting: AdminSetting | null, exceptions: ExceptionSetting): void;
  } | null;
  readonly readiness: Readiness;
  readonly firewall: Pick<FirewallRoom, 'take'> | null;
  /** Seconds since 1970. */
  readonly epoch: () => EpochSeconds;
}

/**
 * What each room takes of a load. Until the story's one reference changes, queries are decided as before; the firewall comes
 * behind it, since it judges what it has granted by what is in force then.
 */
export function partsOf(rooms: Rooms): Part[] {
  const { resolver, limits, upstreams, feed, trust, admin, readiness } = rooms;
  return [
    {
      name: 'upstreams',
      build:
        ({ settings }) =>
        () =>
          void upstreams.configure(settings.upstreams),
    },
    { name: 'feed', build: (load) => () => feed.take(load) },
    {
      name: 'trust',
      build:
        ({ settings, trusts }) =>
        () =>
          trust.take(settings.listen, trusts),
      // Certificates may have changed since, without a load.
      keep: () => {
        const { listen, trusts } = trust;
        return () => trust.take(listen, trusts);
      },
    },
    {
      name: 'admin',
      build:
        ({ snapshot, settings }) =>
        () =>
          admin?.configure(snapshot, settings.admin, settings.exceptions),
    },
    {
      name: 'limits',
      build: (load) => {
        const rates = ratesOf(load);
        return () => limits.configure(rates);
      },
    },
    {
      name: 'readiness',
      build: ({ snapshot }) => {
        const audits = snapshot.identities.map(({ name, auditUntil }) => ({
          identity: name,
          until: auditUntil,
        }));
        return () => readiness.setAudit(audits);
      },
    },
    storyPart(rooms, resolver),
    {
      name: 'firewall',
      build:
        ({ settings }) =>
        () =>
          rooms.firewall?.take(settings.enforce, rooms.story.present),
    },
  ];
}

function storyPart({ story, renewals, epoch }: Rooms, resolver: Resolver): Part {
  let renewed: readonly Renewable[] = [];
  return {
    name: 'story',
    keep: () => {
      const { present } = story;
      const names = renewed;
      return () => {
        renewals.configure(names, present);
        renewed = names;
        story.present = present;
        resolver.swap(present);
      };
    },
    build: (load) => {
      const inForce = story.build(load);
      const { renew } = load.settings;
      const names =
        renew === null ? [] : renewable(load.snapshot, renew.names, renew.max, epoch()).slice(0, renew.max);
      return () => {
        renewals.configure(names, inForce);
        renewed = names;
        story.present = inForce;
        resolver.swap(inForce);
      };
    },
  };
}

function ratesOf({ settings, snapshot }: Whole): Parameters<RateLimits['configure']>[0] {
  return {
    identities: snapshot.identities.map(({ name, limits: { qps, burst } }) => ({ name, qps, burst })),
    unknownQps: settings.limits.unknownQps,
  };
}

/** Whether namegate itself listens there. */
export function listensAt({ settings }: Whole): (host: string, port: number) => boolean {
  return (host, port) => isOurs(settings.listen, host, port, machineAddresses());
}

/** What leases hear of the story, and the story of leases: the verdicts of one, and its end, at which nothing of it is kept. */
export function leasePorts(
  tally: Pick<Tally, 'of' | 'forget'>,
  listeners: Pick<Listeners, 'endLease' | 'withoutTcp'>,
): {
  countsOf: (lease: string) => Record<string, number>;
  withoutTcp: (prefixes: readonly Prefix[]) => readonly string[];
  leaseEnded: (lease: string) => void;
} {
  return {
    withoutTcp: (prefixes) => listeners.withoutTcp(prefixes),
    countsOf: (lease) => tally.of(lease),
    leaseEnded: (lease) => {
      listeners.endLease(lease);
      tally.forget(lease);
    },
  };
}
