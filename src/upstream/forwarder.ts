import type { Samples } from '../metric/metric.ts';
import type { Forwarder, ForwardListener, UpstreamQuestion } from '../resolve/ports.ts';
import type { UpstreamGroup } from '../settings/settings.ts';
import type { Native } from '../socket/native.ts';
import { Asking } from './asking.ts';
import { BatchedUdp } from './batched-udp.ts';
import { FirstTries } from './first-tries.ts';
import { Pool, type SystemSource } from './pool.ts';
import { PortableUdp } from './portable-udp.ts';
import { Probe } from './probe.ts';
import { writeQuery } from './query.ts';
import type { Running } from './running.ts';
import { upstreamSamples } from './server-samples.ts';
import { Sockets } from './sockets.ts';
import { MACHINE_TIME, type Time } from './time.ts';
import { STREAM_LIMITS, type StreamLimits, TIMING, type Timing } from './timing.ts';
import type { UpstreamCounters, UpstreamEvent } from './upstream-event.ts';
import type { Server } from './upstream-server.ts';
import type { DatagramWay } from './way.ts';
import { Wheel } from './wheel.ts';

export interface UpstreamOptions {
  readonly groups: readonly UpstreamGroup[];
  /** Whether namegate itself listens on that address and port: such a server of `system` is left out. */
  readonly isOurs: (host: string, port: number) => boolean;
  /** For the log. Must not throw. */
  readonly onEvent?: (event: UpstreamEvent) => void;
  /** UDP sockets and streams open at once; 4,096 by default. Beyond it, questions end as `network`. */
  readonly maxSockets?: number;
  /** The system's batched socket calls, for UDP in batches. Without them, or where a text says why not, node:dgram serves. */
  readonly native?: Native | string;
  /** In batches: questions to one server in 100 ms up to which each has a port of its own; 256 by default. */
  readonly quiet?: number;
  /** In batches: questions that may be slots at once, 16,384 by default; further ones have objects of their own. */
  readonly slots?: number;
  /** `/etc/resolv.conf` by default. */
  readonly resolvConf?: string;
  /** The machine's by default. */
  readonly time?: Time;
  readonly timing?: Partial<Timing>;
  readonly streams?: Partial<StreamLimits>;
}

/**
 * Asks real servers. `ask` asks the groups in force. Sockets and timers belong to questions in flight: idle, it keeps no
 * process alive.
 */
export class Upstreams implements Forwarder {
  readonly #sockets: Sockets;
  readonly #udp: DatagramWay;
  /** Null where UDP does not go in batches. */
  readonly #firstTries: FirstTries | null = null;
  readonly #wheel: Wheel;
  readonly #source: SystemSource;
  readonly #running = new Set<Running>();
  #inForce: readonly Pool[] = [];
  #closed = false;

  constructor(options: UpstreamOptions) {
    this.#sockets = new Sockets(
      options.maxSockets ?? 4096,
      options.time ?? MACHINE_TIME,
      { ...TIMING, ...options.timing },
      { ...STREAM_LIMITS, ...options.streams },
      options.onEvent ?? (() => {}),
    );
    const { native } = options;
    // Replies that came while the process was busy are read before anybody is asked again.
    this.#wheel = new Wheel(this.#sockets.time, () => this.#udp.read());
    if (typeof native === 'object') {
      const udp = new BatchedUdp(native, this.#sockets, options.quiet, options.slots);
      this.#udp = udp;
      this.#firstTries = new FirstTries(udp, this.#sockets, this.#wheel, this.#running);
    } else this.#udp = new PortableUdp(this.#sockets);
    this.#source = { file: options.resolvConf ?? '/etc/resolv.conf', isOurs: options.isOurs };
    this.configure(options.groups);
  }

  get counters(): Readonly<UpstreamCounters> {
    return this.#sockets.counters;
  }

  samples(): Iterable<Samples> {
    const servers = this.#inForce.flatMap((pool) =>
      pool.servers.map((server) => ({ group: pool.name, server })),
    );
    return upstreamSamples(servers, this.counters, { sockets: this.openSockets, questions: this.inFlight });
  }

  /** UDP sockets and streams that are open now. */
  get openSockets(): number {
    return this.#sockets.open;
  }

  /** Questions without an outcome, and probes. */
  get inFlight(): number {
    return this.#running.size + (this.#firstTries?.count ?? 0);
  }

  /**
   * Puts new groups in force. Groups of the same name and servers of the same settings keep their health and streams;
   * the streams of the others end with the questions that they have. Returns a forwarder that stays with these groups,
   * for a question that was decided under settings that have since been replaced.
   */
  configure(groups: readonly UpstreamGroup[]): Forwarder {
    const known = new Map(this.#inForce.map((pool) => [pool.name, pool]));
    const next = groups.map((group) => {
      const pool = known.get(group.name);
      if (pool === undefined) return new Pool(group, this.#sockets, this.#source, this.#udp);
      pool.configure(group);
      return pool;
    });
    for (const pool of this.#inForce) if (!next.includes(pool)) pool.retire();
    this.#inForce = next;
    return { ask: (question, listener, ticket) => this.#ask(next, question, listener, ticket) };
  }

  ask(question: UpstreamQuestion, listener: ForwardListener, ticket: number): void {
    this.#ask(this.#inForce, question, listener, ticket);
  }

  /** Names of groups that have no server to ask: resolv.conf names none, or namegate alone. It is read anew where that is due. */
  look(): string[] {
    const now = this.#sockets.time.now();
    return this.#inForce.filter((pool) => !pool.look(now)).map(({ name }) => name);
  }

  /** Ends everything: questions in flight fail as `network` before this returns, and later ones too. */
  close(): void {
    this.#closed = true;
    this.#firstTries?.stop();
    for (const running of [...this.#running]) running.stop();
    for (const pool of this.#inForce) pool.close();
    this.#udp.close();
  }

  #ask(pools: readonly Pool[], question: UpstreamQuestion, listener: ForwardListener, ticket: number): void {
    this.#sockets.counters.questions++;
    const pool = this.#closed ? undefined : pools[question.group];
    const now = this.#sockets.time.now();
    const servers: readonly Server[] = pool?.order(now) ?? [];
    if (!this.#firstTries?.ask(servers, question, listener, ticket, now)) {
      const query = writeQuery(question);
      new Asking(servers, query, listener, ticket, this.#sockets, this.#wheel, this.#running).start(now);
    }
    const also = pool?.toProbe(servers, now) ?? null;
    if (also !== null)
      new Probe(also, writeQuery(question), also === servers[0], this.#sockets, this.#running, now);
  }
}
