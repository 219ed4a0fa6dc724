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

/** A tree of labels from the right; a leaf is the service's name. */
type Node = Map<string, Node | string>;

/** Finds the service of a name. */
export class OutOfBand {
  readonly #root: Node = new Map();

  constructor(services: readonly Service[] = OUT_OF_BAND) {
    for (const { service, suffixes } of services) for (const suffix of suffixes) this.#add(suffix, service);
  }

  #add(suffix: string, service: string): void {
    const labels = suffix.split('.').reverse();
    let node = this.#root;
    for (const label of labels.slice(0, -1)) {
      const next = node.get(label);
      if (typeof next === 'string') return;
      const under: Node = next ?? new Map();
      node.set(label, under);
      node = under;
    }
    node.set(labels.at(-1)!, service);
  }

  /** The service that a wire name belongs to, and where its suffix starts in the name; null for none. */
  find(name: Uint8Array): { readonly service: string; readonly start: number } | null {
    let node = this.#root;
    for (let at = starts(name) - 1; at >= 0; at--) {
      const next = node.get(labelAt(name, STARTS[at]!));
      if (next === undefined) return null;
      if (typeof next === 'string') return { service: next, start: STARTS[at]! };
      node = next;
    }
    return null;
  }
}

/** Not re-entrant. */
const STARTS = new Uint8Array(128);

function starts(name: Uint8Array): number {
  let count = 0;
  for (let at = 0; name[at] !== 0 && count < 128; at += 1 + name[at]!) STARTS[count++] = at;
  return count;
}

function labelAt(name: Uint8Array, at: number): string {
  return Buffer.from(name.buffer, name.byteOffset + at + 1, name[at]!).toString('latin1');
}
