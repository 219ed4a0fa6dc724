import { nameFromText } from '../../wire/name.ts';
import { SuffixIndex } from '../../wire/suffix-index.ts';

/** A service that tells its user of each question that arrives under its names. */
interface Service {
  readonly service: string;
  /** Who says that it is one. */
  readonly source: string;
  /** All names at and under these count. */
  readonly suffixes: readonly string[];
}

/**
 * Services that exploit tools call home to. What such a tool injects holds a name under one of these, so whoever asks for the
 * name has run it. Looked through last on 2026-11-29; it is part of a release, and nothing else changes it. Each entry is known
 * from the documentation or the source of the tool that is named with it.
 */
export const OUT_OF_BAND: readonly Service[] = [
  {
    service: 'interactsh',
    source: 'ProjectDiscovery, interactsh and nuclei: the public servers of the client',
    suffixes: [
      'oast.pro',
      'oast.live',
      'oast.site',
      'oast.online',
      'oast.fun',
      'oast.me',
      'interact.sh',
      'interactsh.com',
    ],
  },
  {
    service: 'Burp Collaborator',
    source: 'PortSwigger, Burp Suite: the public servers',
    suffixes: ['burpcollaborator.net', 'oastify.com'],
  },
  { service: 'DNSLog', source: 'the service itself', suffixes: ['dnslog.cn'] },
  { service: 'CEYE', source: 'the service itself', suffixes: ['ceye.io'] },
  { service: 'dig.pm', source: 'the service itself', suffixes: ['dig.pm', '1433.eu.org', 'bypass.eu.org'] },
  { service: 'eyes.sh', source: 'the service itself', suffixes: ['eyes.sh'] },
  { service: 'callback.red', source: 'the service itself', suffixes: ['callback.red'] },
  { service: 'tu4.org', source: 'the service itself', suffixes: ['tu4.org'] },
  { service: 'requestrepo', source: 'the service itself', suffixes: ['requestrepo.com'] },
  { service: 'requestbin.net', source: 'the service itself: its DNS bins', suffixes: ['requestbin.net'] },
  { service: 'dnsbin', source: 'the project of that name', suffixes: ['dnsbin.zhack.ca'] },
  { service: 'webhook.site', source: 'the service itself: its DNS hooks', suffixes: ['dnshook.site'] },
  {
    service: 'Canarytokens',
    source: 'Thinkst: the public server of its DNS tokens',
    suffixes: ['canarytokens.com', 'canarytokens.org'],
  },
  { service: 'AcuMonitor', source: 'Acunetix: its out-of-band service', suffixes: ['bxss.me'] },
  { service: 'Invicti Hawk', source: 'Invicti: its out-of-band service', suffixes: ['r87.me'] },
  { service: 'XSS Hunter', source: 'the service itself', suffixes: ['xss.ht'] },
];

/** Finds the service of a name. */
export class OutOfBand {
  readonly #services: readonly string[];
  readonly #index: SuffixIndex;

  constructor(services: readonly Service[] = OUT_OF_BAND) {
    this.#services = services.map(({ service }) => service);
    this.#index = new SuffixIndex(
      services.flatMap(({ suffixes }, i) => suffixes.map((suffix) => [wireOf(suffix), i + 1] as const)),
    );
  }

  /** The service that a wire name in lower case belongs to, and where its suffix starts in the name; null for none. */
  find(name: Uint8Array): { readonly service: string; readonly start: number } | null {
    const { starts, values } = this.#index;
    const count = this.#index.look(name);
    for (let i = 0; i < count; i++)
      if (values[i] !== 0) return { service: this.#services[values[i]! - 1]!, start: starts[i]! };
    return null;
  }
}

function wireOf(suffix: string): Uint8Array {
  const name = nameFromText(suffix);
  if (name instanceof Uint8Array) return name;
  throw new Error(`${suffix} is no name`);
}
