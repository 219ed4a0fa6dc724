import { isIP } from 'node:net';
import type { UpstreamServer } from '../settings/settings.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import { Health } from './health.ts';
import { OptMemory } from './opt-memory.ts';
import { ServerCounts } from './server-counts.ts';
import type { Sockets } from './sockets.ts';
import { Streams } from './streams.ts';
import type { DatagramWay, UdpRoute } from './way.ts';

/** Milliseconds for which UDP alone is believed that a server folds case. */
const FOLDING_LIFE: Milliseconds = 3_600_000;

/** One server of one group: its settings, health, connections, and what is remembered of it. */
export class Server {
  readonly setting: UpstreamServer;
  /** As the server file writes it. */
  readonly label: string;
  readonly health: Health;
  readonly streams: Streams;
  /** For `udp` servers. */
  readonly udp: UdpRoute | null;
  /** It answers in its own case, as TCP or a check over UDP has shown, or the operator says so: it is asked in lower case, and case is not demanded of it. */
  foldsCase: boolean;
  probing = false;
  readonly opt = new OptMemory();
  readonly counts = new ServerCounts();
  /** Replies under a wrong ID since the last reply under the right one. */
  wrongIds = 0;
  readonly #group: string;
  readonly #sockets: Sockets;
  #foldsUntil: Monotonic = Number.POSITIVE_INFINITY;
  #reportedDown = false;
  #reportedAt: Monotonic = Number.NEGATIVE_INFINITY;

  constructor(setting: UpstreamServer, group: string, sockets: Sockets, udp: DatagramWay) {
    this.setting = setting;
    this.label = serverLabel(setting);
    this.foldsCase = setting.mixCase === false;
    this.health = new Health(sockets.timing);
    this.streams = new Streams(setting, sockets);
    const family = isIP(setting.host);
    this.udp =
      setting.protocol === 'udp' && family !== 0
        ? udp.route(family as 4 | 6, setting.host, setting.port)
        : null;
    this.#group = group;
    this.#sockets = sockets;
  }

  /** Its answers come over a connection whose peer proved its name. */
  get verified(): boolean {
    return this.setting.protocol === 'tls';
  }

  answered(now: Monotonic, rtt: Milliseconds): void {
    this.counts.answered++;
    if (rtt >= 0) this.counts.times.add(rtt);
    this.health.answered(now, rtt);
    this.#report(now);
  }

  /** `again`: it has refused the same question before, which counts once for its health. */
  refused(now: Monotonic, fault: string, again: boolean): void {
    this.counts.failures.refused++;
    if (!again) this.health.refused(now, fault);
    this.#report(now);
  }

  /** `code` is the system's; `fault` is what the log says. */
  broken(now: Monotonic, code: string, fault: string): void {
    if (this.#sockets.isLocalFault(code)) return;
    this.counts.failures.network++;
    this.health.broken(now, fault);
    this.#report(now);
  }

  /** As `Health.silent` has it. */
  silent(now: Monotonic, sentAt: Monotonic, since: Monotonic, fault: string): void {
    if (this.health.silent(now, sentAt, since, fault)) this.counts.failures.silent++;
    this.#report(now);
  }

  /** A question without OPT was answered where one with OPT was not: `why`. */
  rememberPlain(now: Monotonic, why: string): void {
    if (this.opt.remember(now)) this.#tell('edns-off', why);
  }

  /** A question with OPT was answered. */
  heardOpt(): void {
    if (this.opt.forget()) this.#tell('edns-on', 'it answers questions with OPT again');
  }

  /** Whether a question that goes out now has letters in a random case. */
  mixesCase(now: Monotonic): boolean {
    if (this.foldsCase && now >= this.#foldsUntil) this.forgetFolding();
    return !this.foldsCase;
  }

  /** Case is learned anew, as after a reload. */
  forgetFolding(): void {
    this.foldsCase = this.setting.mixCase === false;
    this.#foldsUntil = Number.POSITIVE_INFINITY;
  }

  #tell(kind: 'edns-off' | 'edns-on', detail: string): void {
    this.#sockets.emit({ kind, group: this.#group, server: this.label, detail });
  }

  /** TCP, which nobody forges, has shown that it folds case. */
  rememberFolding(): void {
    if (this.foldsCase) return;
    this.foldsCase = true;
    this.#sockets.emit({ kind: 'case-folding', group: this.#group, server: this.label });
  }

  /** A `FoldingCheck` has shown it: that holds for a time. */
  rememberFoldingFrom(now: Monotonic): void {
    if (this.foldsCase) return;
    this.#foldsUntil = now + FOLDING_LIFE;
    this.rememberFolding();
  }

  /** What the log was told and what is true may differ for a while; the next traffic brings them together. */
  #report(now: Monotonic): void {
    const changed = this.#reportedDown ? this.health.up : this.health.down;
    if (!changed || now - this.#reportedAt < this.#sockets.timing.report) return;
    this.#reportedAt = now;
    this.#reportedDown = !this.#reportedDown;
    this.#sockets.emit({
      kind: this.#reportedDown ? 'server-down' : 'server-up',
      group: this.#group,
      server: this.label,
      detail: this.health.fault,
    });
  }
}

/** Equal for equal settings. */
export function serverKey(setting: UpstreamServer): string {
  return JSON.stringify([
    setting.protocol,
    setting.host,
    setting.port,
    setting.name,
    setting.ca,
    setting.mixCase,
  ]);
}

export function serverLabel(setting: UpstreamServer): string {
  const host = isIP(setting.host) === 6 ? `[${setting.host}]` : setting.host;
  const name = setting.name === null ? '' : `#${setting.name}`;
  return `${setting.protocol}://${host}:${setting.port}${name}`;
}
