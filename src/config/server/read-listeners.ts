import { z } from 'zod';
import type { ListenSetting, PemFile, Spoofable, TlsSetting, TrustDomain } from '../../settings/settings.ts';
import { isLoopback } from '../addresses.ts';
import { TextFault } from '../problems.ts';
import { list, text } from '../schema/schema-parts.ts';
import { quote } from '../units.ts';
import { type Endpoint, parseListener, URL_FORM } from './endpoint.ts';
import { type PemKind, readPemFile } from './pem-files.ts';
import { readPrefixes } from './read-prefixes.ts';
import type { ServerContext } from './server-context.ts';

const url = text(
  'a URL',
  'udp:// or tcp:// (port 53) or tls:// (port 853), and an address.',
  URL_FORM.listen,
  'udp://127.0.0.1:5300',
);

function path(description: string, example: string): z.ZodString {
  return text('a path', `tls:// alone: ${description} Relative to this file.`, null, example);
}

/** An entry of `listen`. */
export const listenEntry = z
  .union([
    url,
    z.strictObject({
      on: url,
      certificate: path('PEM file of the chain that is shown, the leaf first.', 'tls/server.pem').optional(),
      key: path('PEM file of its private key.', 'tls/server.key').optional(),
      clients: z
        .enum(['required', 'optional', 'none'])
        .meta({
          title: 'required, optional or none',
          description:
            'tls:// alone: whether clients show a certificate (default required where client_ca or trust_domains is written, else none).',
        })
        .optional(),
      client_ca: path('PEM file of the CAs of client certificates.', 'tls/clients.pem').optional(),
      crl: path('PEM file of the CRLs of these CAs.', 'tls/clients.crl').optional(),
      crl_ended: z
        .enum(['refuse', 'accept'])
        .meta({
          title: 'refuse or accept',
          description:
            'tls:// alone: what becomes of clients when the CRL of their issuer has ended (default refuse).',
        })
        .optional(),
      trust_domains: z
        .record(z.string(), path('PEM file or SPIFFE bundle (JWKS) of its CAs.', 'tls/ci.example.pem'))
        .meta({
          title: 'a map of trust domains',
          description: 'tls:// alone: SPIFFE trust domains, each with the file of its own CAs.',
        })
        .optional(),
      spoofable: z
        .union([
          z.boolean(),
          z.strictObject({
            except: list(
              text('a prefix', 'An address, or a prefix of addresses.', null, '10.20.0.0/16'),
              'a list of prefixes',
              'Networks that drop forged sources: their clients need no cookie and no TCP.',
            ).min(1),
          }),
        ])
        .meta({
          title: 'true, false or a map with except',
          description:
            'udp:// alone: source addresses may be forged (default true, but on loopback), or all but those of some networks.',
          examples: ['false', '{ except: [10.20.0.0/16] }'],
        })
        .optional(),
      proxy_from: list(
        text('a prefix', 'An address, or a prefix of addresses.', null, '10.0.0.5'),
        'a list of prefixes',
        'tcp:// and tls:// alone: balancers, whose PROXY v2 header says who the client is; they must send one.',
      )
        .min(1)
        .optional(),
    }),
  ])
  .meta({
    title: 'a URL or a map with on',
    examples: [
      'udp://127.0.0.1:5300',
      '{ on: "tls://127.0.0.1:8530", certificate: tls/server.pem, key: tls/server.key }',
    ],
  });

interface WrittenMap {
  readonly on?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly clients?: TlsSetting['clients'] | undefined;
  readonly client_ca?: string | undefined;
  readonly crl?: string | undefined;
  readonly crl_ended?: TlsSetting['crlEnded'] | undefined;
  readonly trust_domains?: { readonly [name: string]: string | undefined } | undefined;
  readonly spoofable?:
    | boolean
    | { readonly except?: readonly (string | undefined)[] | undefined }
    | undefined;
  readonly proxy_from?: readonly (string | undefined)[] | undefined;
}

/** Which schemes a key is for; those that are not here are for tls:// alone. */
const SCHEMES: Readonly<Record<string, readonly string[]>> = {
  on: ['udp', 'tcp', 'tls'],
  spoofable: ['udp'],
  proxy_from: ['tcp', 'tls'],
};

/** Where a URL is written. */
type Place = readonly [holder: object, key: string | number];

export interface ReadListener {
  readonly endpoint: Endpoint;
  readonly setting: ListenSetting;
}

/** The entries of `listen`; one that is refused is left out. */
export function readListeners(
  written: readonly (string | WrittenMap | undefined)[],
  context: ServerContext,
): ReadListener[] {
  const { marks, problems } = context;
  const seen = new Map<string, number>();
  const read = written.flatMap((entry, index) => {
    if (entry === undefined) return [];
    const map = typeof entry === 'string' ? null : entry;
    const place: Place = map === null ? [written, index] : [map, 'on'];
    const where = map === null ? (entry as string) : map.on;
    if (where === undefined) return [];
    const endpoint = parseListener(where);
    if (endpoint instanceof TextFault) {
      problems.fault(endpoint, marks.inside(...place, endpoint.offset));
      return [];
    }
    // TLS runs over TCP: a port is one or the other.
    const key = `${endpoint.scheme === 'udp' ? 'udp' : 'tcp'} ${endpoint.host} ${endpoint.port}`;
    const first = seen.get(key);
    if (first !== undefined && endpoint.port !== 0) {
      const message = `${where} is listed twice; the first is in line ${lineOf(written, first, context)}`;
      problems.error('listen-duplicate', marks.value(...place), message, 'remove one');
    }
    seen.set(key, index);
    const setting = readSetting(endpoint, map ?? {}, place, context);
    return setting === null ? [] : [{ endpoint, setting, at: marks.value(...place) }];
  });
  for (const { endpoint, at } of read) {
    const { scheme, host, port } = endpoint;
    if (host !== '::' || read.some((other) => isTheOther(endpoint, other.endpoint))) continue;
    const message = `${scheme}://[::]:${port} takes IPv6 alone, and no listener takes IPv4 there`;
    problems.warn('listen-family', at, message, `for IPv4, list ${scheme}://0.0.0.0:${port} too`);
  }
  return read;
}

/** Whether `other` takes IPv4 where `six` takes IPv6. */
function isTheOther(six: Endpoint, other: Endpoint): boolean {
  return other.scheme === six.scheme && other.port === six.port && other.address.family === 4;
}

function lineOf(written: readonly unknown[], index: number, { marks }: ServerContext): number {
  return marks.value(written, index).line;
}

function readSetting(
  { scheme, host, port, address }: Endpoint,
  map: WrittenMap,
  place: Place,
  context: ServerContext,
): ListenSetting | null {
  const { marks, problems } = context;
  for (const key of Object.keys(map)) {
    const schemes = SCHEMES[key] ?? ['tls'];
    if (schemes.includes(scheme)) continue;
    const message = `${key} is for ${schemes.map((name) => `${name}://`).join(' and ')}; this listener is ${scheme}://`;
    problems.error('listen-key', marks.key(map, key), message, `remove ${key}`);
  }
  if (scheme === 'udp') {
    const spoofable = readSpoofable(map.spoofable ?? !isLoopback(address), context);
    return { protocol: 'udp', host, port, spoofable };
  }
  const proxyFrom = readPrefixes(map.proxy_from ?? [], context);
  if (scheme === 'tcp') return { protocol: 'tcp', host, port, proxyFrom };
  const tls = readTls(map, place, context);
  return tls === null ? null : { protocol: 'tls', host, port, proxyFrom, tls };
}

function readSpoofable(written: NonNullable<WrittenMap['spoofable']>, context: ServerContext): Spoofable {
  return typeof written === 'boolean' ? written : { except: readPrefixes(written.except ?? [], context) };
}

function readTls(map: WrittenMap, place: Place, context: ServerContext): TlsSetting | null {
  const { marks, problems } = context;
  const file = (key: 'certificate' | 'key' | 'client_ca' | 'crl', kind: PemKind = 'pem'): PemFile | null =>
    map[key] === undefined ? null : readPemFile(map, key, map[key], kind, context);
  for (const key of ['certificate', 'key'] as const) {
    // One that was refused has been reported.
    if (Object.hasOwn(map, key)) continue;
    const message = `a tls:// listener has no ${key}`;
    const fix = 'write { on: "tls://…", certificate: tls/server.pem, key: tls/server.key }';
    problems.error('listen-tls', marks.value(...place), message, fix);
  }
  const [certificate, key, clientCa, crl] = [
    file('certificate'),
    file('key'),
    file('client_ca'),
    file('crl'),
  ];
  const trustDomains = readTrustDomains(map, context);
  const clients = readClients(map, context);
  if (map.crl_ended !== undefined && !Object.hasOwn(map, 'crl')) {
    const message = 'crl_ended changes nothing without crl';
    problems.error('listen-key', marks.key(map, 'crl_ended'), message, 'write crl, or remove crl_ended');
  }
  if (certificate === null || key === null) return null;
  const crlEnded = map.crl_ended ?? 'refuse';
  return { certificate, key, clients, clientCa, crl, crlEnded, trustDomains };
}

/** Who has nothing to verify certificates with cannot ask for them, and who does not ask has no use for it. */
function readClients(map: WrittenMap, { marks, problems }: ServerContext): TlsSetting['clients'] {
  const trusts = ['client_ca', 'trust_domains'].filter((key) => Object.hasOwn(map, key));
  const clients = map.clients ?? (trusts.length > 0 ? 'required' : 'none');
  if (clients === 'none') {
    for (const key of [...trusts, 'crl'].filter((name) => Object.hasOwn(map, name))) {
      const message = `${key} is not used: no client is asked for a certificate`;
      const fix = trusts.length > 0 ? 'write clients: required or optional' : 'write client_ca';
      problems.error('listen-key', marks.key(map, key), message, fix);
    }
  } else if (trusts.length === 0) {
    const message = `clients: ${clients} has nothing to verify certificates with`;
    problems.error('listen-tls', marks.value(map, 'clients'), message, 'write client_ca or trust_domains');
  }
  return clients;
}

function readTrustDomains(map: WrittenMap, context: ServerContext): TrustDomain[] {
  const { marks, problems } = context;
  const domains = map.trust_domains ?? {};
  return Object.entries(domains).flatMap(([name, file]) => {
    if (!/^[a-z0-9._-]{1,255}$/.test(name)) {
      const bare = name
        .replace(/^spiffe:\/\//i, '')
        .replace(/\/.*$/s, '')
        .toLowerCase();
      const fix = /^[a-z0-9._-]{1,255}$/.test(bare)
        ? `write ${bare}`
        : 'write lower case letters, digits, . - and _, such as ci.example';
      problems.error('listen-tls', marks.key(domains, name), `${quote(name)} is no trust domain`, fix);
      return [];
    }
    const bundle = file === undefined ? null : readPemFile(domains, name, file, 'bundle', context);
    return bundle === null ? [] : [{ name, bundle }];
  });
}
