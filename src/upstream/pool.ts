import type { UpstreamGroup, UpstreamServer } from '../settings/settings.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { Sockets } from './sockets.ts';
import { SystemServers } from './system.ts';
import { Server, serverKey, serverLabel } from './upstream-server.ts';
import type { DatagramWay } from './way.ts';

/** Servers are as good as the quickest within this factor and these milliseconds: then the written order counts. */
const BAND_FACTOR = 1.5;
const BAND_MS: Milliseconds = 10;

/** What a pool of `servers: system` needs. */
export interface SystemSource {
  /** Path of resolv.conf. */
  readonly file: string;
  /** Whether namegate itself listens there. */
  isOurs(host: string, port: number): boolean;
}

/** The servers of one group, and which of them to ask first. Keeps what is known of a server while its settings stay. */
export class Pool {
  readonly name: string;
  readonly #sockets: Sockets;
  readonly #source: SystemSource;
  readonly #udp: DatagramWay;
  #mixCase = true;
  #servers: readonly Server[] = [];
  #system: SystemServers | null = null;

  constructor(group: UpstreamGroup, sockets: Sockets, source: SystemSource, udp: DatagramWay) {
    this.name = group.name;
    this.#sockets = sockets;
    this.#source = source;
    this.#udp = udp;
    this.configure(group);
  }

  /** As they are written. */
  get servers(): readonly Server[] {
    return this.#servers;
  }

  /** New settings: equal servers keep health and streams; which of them fold case is learned anew. */
  configure(group: UpstreamGroup): void {
    for (const server of this.#servers) server.forgetFolding();
    this.#mixCase = group.mixCase !== false;
    if (group.servers === 'system') {
      this.#system = new SystemServers(this.#source.file, this.#source.isOurs, this.#sockets.timing.poll);
    } else {
      this.#system = null;
      this.#replace(group.servers);
    }
  }

  /**
   * The servers in the order in which to ask them: those without failures first, as written unless one is much slower
   * than the quickest; then the failed ones, the longest ago first. Empty where `system` names none.
   */
  order(now: Monotonic): readonly Server[] {
    this.#follow(now);
    const servers = this.#servers;
    if (servers.length < 2) return servers;
    let best = Number.POSITIVE_INFINITY;
    for (const { health } of servers) if (health.up && health.rtt >= 0) best = Math.min(best, health.rtt);
    const limit = best * BAND_FACTOR + BAND_MS;
    if (servers.every(({ health }) => health.up && health.rtt <= limit)) return servers;
    return servers.toSorted((a, b) => rank(a, limit) - rank(b, limit) || within(a, b, limit));
  }

  /**
   * The server that the question is put to besides, or null: one of which too little is known; or the first, with OPT, where it
   * had none. `order` is what `order` gave.
   */
  toProbe(order: readonly Server[], now: Monotonic): Server | null {
    const preferred = order[0];
    if (preferred?.opt.isProbeDue(now) && !preferred.probing && !this.#sockets.tight) return preferred;
    const first = preferred?.health;
    if (order.length < 2 || first === undefined || !first.up || this.#sockets.tight) return null;
    const server = order.find(
      ({ health, probing }, index) =>
        index > 0 &&
        !probing &&
        (health.isProbeDue(now) || (health.up && first.rtt > BAND_MS && !health.isMeasured(now))),
    );
    return server ?? null;
  }

  /** The group is no longer in the settings. */
  retire(): void {
    for (const server of this.#servers) server.streams.retire();
  }

  /** Reads resolv.conf where that is due; whether there is a server to ask. */
  look(now: Monotonic): boolean {
    this.#follow(now);
    return this.#servers.length > 0;
  }

  close(): void {
    for (const server of this.#servers) server.streams.close();
  }

  #follow(now: Monotonic): void {
    const found = this.#system?.poll(now);
    if (found === null || found === undefined) return;
    this.#replace(this.#mixCase ? found.servers : found.servers.map((each) => ({ ...each, mixCase: false })));
    this.#sockets.emit({
      kind: 'system-servers',
      group: this.name,
      servers: found.servers.map(serverLabel),
      ours: found.ours.map(serverLabel),
    });
  }

  #replace(wanted: readonly UpstreamServer[]): void {
    const known = new Map(this.#servers.map((server) => [serverKey(server.setting), server]));
    const next = new Map<string, Server>();
    for (const setting of wanted) {
      const key = serverKey(setting);
      next.set(key, known.get(key) ?? new Server(setting, this.name, this.#sockets, this.#udp));
    }
    for (const [key, server] of known) if (!next.has(key)) server.streams.retire();
    this.#servers = [...next.values()];
  }
}

function rank({ health }: Server, limit: Milliseconds): number {
  if (!health.up) return 2;
  return health.rtt <= limit ? 0 : 1;
}

/** Order within a rank; 0 keeps the written order. */
function within(a: Server, b: Server, limit: Milliseconds): Milliseconds {
  switch (rank(a, limit)) {
    case 0:
      return 0;
    case 1:
      return a.health.rtt - b.health.rtt;
    default:
      return a.health.failedAt - b.health.failedAt;
  }
}
