import { isIP } from 'node:net';
import type { UpstreamServer } from '../settings/settings.ts';
import { Health } from './health.ts';
import type { Sockets } from './sockets.ts';
import { Streams } from './streams.ts';
import type { DatagramWay, UdpRoute } from './way.ts';

/** One server of one group: its settings, health, connections, and what is remembered of it. */
export class Server {
  readonly setting: UpstreamServer;
  /** As the server file writes it. */
  readonly label: string;
  readonly health: Health;
  readonly streams: Streams;
  /** For `udp` servers. */
  readonly udp: UdpRoute | null;
  /** It answers in its own case, also over TCP: it is asked in lower case, and case is not demanded of it. */
  foldsCase = false;
  probing = false;
  readonly #group: string;
  readonly #sockets: Sockets;
  #reportedDown = false;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(setting: UpstreamServer, group: string, sockets: Sockets, udp: DatagramWay) {
    this.setting = setting;
    this.label = serverLabel(setting);
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

  answered(now: number, rtt: number): void {
    this.health.answered(now, rtt);
    this.#report(now);
  }

  refused(now: number, fault: string): void {
    this.health.refused(now, fault);
    this.#report(now);
  }

  broken(now: number, code: string): void {
    if (this.#sockets.isLocalFault(code)) return;
    this.health.broken(now, code);
    this.#report(now);
  }

  silent(now: number, sentAt: number): void {
    this.health.silent(now, sentAt);
    this.#report(now);
  }

  rememberFolding(): void {
    if (this.foldsCase) return;
    this.foldsCase = true;
    this.#sockets.emit({ kind: 'case-folding', group: this.#group, server: this.label });
  }

  /** What the log was told and what is true may differ for a while; the next traffic brings them together. */
  #report(now: number): void {
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
  return JSON.stringify([setting.protocol, setting.host, setting.port, setting.name, setting.ca]);
}

export function serverLabel(setting: UpstreamServer): string {
  const host = isIP(setting.host) === 6 ? `[${setting.host}]` : setting.host;
  const name = setting.name === null ? '' : `#${setting.name}`;
  return `${setting.protocol}://${host}:${setting.port}${name}`;
}
