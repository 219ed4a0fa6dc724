import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { SinkSetting } from '../settings/alert-settings.ts';
import { nameFromText } from '../wire/name.ts';
import type { QuestionRecord } from './slot-question.ts';

/**
 * Questions by which this machine looks for the receivers of its own sinks. Its resolver may be this very server: where such a
 * look-up failed, an event of it would have to be sent, which takes the next look-up, and so on.
 */
export class OwnLookups {
  /** Wire names in lower case: each receiver's alone, and with what the system searches behind it. No other name hides behind them. */
  #names: readonly Uint8Array[] = [];
  #machine: ReadonlySet<string> = new Set();

  /** `resolvConf`: the text of resolv.conf(5). */
  configure(sinks: readonly SinkSetting[], resolvConf = readResolvConf()): void {
    const hosts = sinks.flatMap((sink) => hostOf(sink) ?? []).filter((host) => isIP(host) === 0);
    const ends = ['', ...searched(resolvConf).map((domain) => `.${domain}`)];
    this.#names = hosts
      .flatMap((host) => ends.map((end) => nameFromText(`${host.replace(/\.$/, '')}${end}`.toLowerCase())))
      .filter((name) => name instanceof Uint8Array);
    // Addresses of a machine may change, and a reload looks again.
    this.#machine = hosts.length === 0 ? new Set() : machineAddresses();
  }

  has(question: QuestionRecord): boolean {
    return this.#names.some((name) => isSame(name, question.name)) && this.#isHere(question);
  }

  #isHere({ draft: { client = '' } }: QuestionRecord): boolean {
    return client.startsWith('127.') || client === '::1' || this.#machine.has(client);
  }
}

function hostOf(sink: SinkSetting): string | null {
  if (sink.type === 'syslog') return sink.host;
  return sink.type === 'otlp' ? new URL(sink.url).hostname.replace(/^\[|\]$/g, '') : null;
}

function machineAddresses(): Set<string> {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(all.map(({ address }) => address.split('%', 1)[0]!));
}

function readResolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'latin1');
  } catch {
    return '';
  }
}

/** Domains of `search` and `domain`. */
function searched(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [key, ...domains] = line.trim().split(/\s+/);
    return key === 'search' || key === 'domain' ? domains.map((domain) => domain.replace(/\.$/, '')) : [];
  });
}

function isSame(name: Uint8Array, other: Uint8Array): boolean {
  return name.length === other.length && name.every((octet, i) => octet === other[i]);
}
