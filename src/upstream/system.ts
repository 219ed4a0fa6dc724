import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import type { UpstreamServer } from '../settings/settings.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';

const DNS_PORT = 53;
/** resolv.conf(5) reads three; a few more do no harm. */
const MAX_SERVERS = 8;
const MAX_OCTETS = 64 * 1024;
/** A file that changed so shortly before it was read may change again without a new time stamp. */
const FRESH_MS: Milliseconds = 2000;

export interface SystemList {
  readonly servers: readonly UpstreamServer[];
  /** Left out: namegate itself listens there, and a question would come back to it. */
  readonly ours: readonly UpstreamServer[];
}

/** The nameservers of the system's resolv.conf, followed when questions come: no timer, no watch. */
export class SystemServers {
  readonly #file: string;
  readonly #isOurs: (host: string, port: number) => boolean;
  readonly #every: Milliseconds;
  #polledAt: Monotonic = Number.NEGATIVE_INFINITY;
  #stamp: string | null = null;
  #text: string | null = null;

  /** `every`: milliseconds between two looks at the file. */
  constructor(file: string, isOurs: (host: string, port: number) => boolean, every: Milliseconds) {
    this.#file = file;
    this.#isOurs = isOurs;
    this.#every = every;
  }

  /** The list when it is first read or has changed, else null. A file that is missing or unreadable holds no servers. */
  poll(now: Monotonic): SystemList | null {
    if (now - this.#polledAt < this.#every) return null;
    this.#polledAt = now;
    const text = this.#read();
    if (text === this.#text) return null;
    this.#text = text;
    const ours: UpstreamServer[] = [];
    const servers: UpstreamServer[] = [];
    for (const server of parseResolvConf(text ?? '')) {
      (this.#isOurs(server.host, server.port) ? ours : servers).push(server);
    }
    return { servers: servers.slice(0, MAX_SERVERS), ours };
  }

  /** The file's text, what was read before when its stamp is the same, '' where there is none. */
  #read(): string {
    try {
      const stat = statSync(this.#file);
      const { dev, ino, size, mtimeMs, ctimeMs } = stat;
      const stamp = `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      if (stamp === this.#stamp && this.#text !== null) return this.#text;
      // A FIFO would block the process.
      if (!stat.isFile() || size > MAX_OCTETS) return '';
      const text = readFileSync(this.#file, 'latin1');
      this.#stamp = Date.now() - Math.max(mtimeMs, ctimeMs) > FRESH_MS ? stamp : null;
      return text;
    } catch {
      this.#stamp = null;
      return '';
    }
  }
}

/**
 * The servers that the `nameserver` lines name, in their order, each once. As in glibc, the keyword stands at the
 * line's start and the address ends at a blank, `;` or `#`; other lines, comments and what is no address are passed
 * over. An IPv6 address may have a scope (RFC 4007 §11). The unspecified address means this host.
 */
export function parseResolvConf(text: string): UpstreamServer[] {
  const servers = new Map<string, UpstreamServer>();
  for (const line of text.split(/\r?\n/)) {
    let host = /^nameserver[ \t]+([^ \t;#]+)/.exec(line)?.[1];
    if (host === undefined || isIP(host) === 0) continue;
    if (host === '0.0.0.0') host = '127.0.0.1';
    if (host === '::') host = '::1';
    servers.set(host, { protocol: 'udp', host, port: DNS_PORT, name: null, ca: null });
  }
  return [...servers.values()];
}
