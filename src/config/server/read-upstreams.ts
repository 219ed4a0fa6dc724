import { X509Certificate } from 'node:crypto';
import type { Position } from '../../policy/problem.ts';
import type { UpstreamGroup, UpstreamServer } from '../../settings/settings.ts';
import { parseAddress, wordsToText } from '../addresses.ts';
import { readExactName, toAsciiName } from '../names.ts';
import { IDENTIFIER_FIX } from '../policy/identities.ts';
import { relativeTo } from '../policy/lists.ts';
import { isIdentifier, nameAt } from '../policy/rules.ts';
import { type Fault, TextFault } from '../problems.ts';
import type { ServerFile } from '../schema/server-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import { quote } from '../units.ts';
import { type Endpoint, parseServer } from './endpoint.ts';
import { isOwnListener } from './ourselves.ts';
import type { ServerContext } from './server-context.ts';

type WrittenGroups = NonNullable<Repaired<ServerFile>['upstreams']>;
type WrittenGroup = NonNullable<WrittenGroups[string]>;

/** The groups, `default` first. Without one written it asks the system's servers. */
export function readUpstreams(
  written: WrittenGroups | undefined,
  listeners: readonly Endpoint[],
  context: ServerContext,
): UpstreamGroup[] {
  const groups = Object.entries(written ?? {}).flatMap(([name, group]) =>
    group === undefined ? [] : [readGroup(name, group, written!, listeners, context)],
  );
  reportSharedZones(written ?? {}, groups, context);
  const overriding =
    context.override === undefined ? null : readOverride(context.override, listeners, context);
  const first = groups.find(({ name }) => name === 'default') ?? {
    name: 'default',
    servers: 'system',
    zones: [],
  };
  const servers = overriding === null ? first.servers : inCase(overriding, first.mixCase !== false);
  return [{ ...first, servers }, ...groups.filter(({ name }) => name !== 'default')];
}

function readGroup(
  name: string,
  written: WrittenGroup,
  holder: object,
  listeners: readonly Endpoint[],
  context: ServerContext,
): UpstreamGroup {
  const { marks, problems } = context;
  const at = marks.key(holder, name);
  if (!isIdentifier(name))
    problems.error('identifier-form', at, `${quote(name)} cannot name a group`, IDENTIFIER_FIX);
  if (name === 'default' && written.zones !== undefined) {
    const message = 'the group default takes what no other group has, so it has no zones';
    problems.error('group-zones', marks.key(written, 'zones'), message, 'remove zones, or rename the group');
  } else if (name !== 'default' && !marks.has(written, 'zones')) {
    const message = `group ${name} has no zones, so that nothing is asked there`;
    problems.error('group-zones', at, message, 'write zones, or call it default');
  }
  const { servers } = written;
  const zones = (written.zones ?? []).flatMap(
    (zone, index) => nameAt(written.zones!, index, zone, 'a zone', context) ?? [],
  );
  const mixCase = written.mix_case ?? true;
  if (servers === 'system') return { name, servers, zones, ...(!mixCase && { mixCase }) };
  const list = (servers ?? []).flatMap((server, index): UpstreamServer[] => {
    const place = { holder: servers!, key: index };
    const read =
      typeof server === 'string'
        ? readUrl(server, place, context)
        : server === undefined
          ? null
          : readMap(server, context);
    if (read === null) return [];
    refuseOwnListener(read.endpoint, listeners, read.at, context);
    return [read.server];
  });
  return { name, servers: inCase(list, mixCase), zones, ...(!mixCase && { mixCase }) };
}

/** Without 0x20 where the group says so; what a server itself says stays. */
function inCase(servers: readonly UpstreamServer[], mixCase: boolean): UpstreamServer[] {
  return servers.map((server) =>
    mixCase || server.mixCase !== undefined || server.protocol !== 'udp' ? server : { ...server, mixCase },
  );
}

/** A zone belongs to one group, and is written once. */
function reportSharedZones(
  written: WrittenGroups,
  groups: readonly UpstreamGroup[],
  { marks, problems }: ServerContext,
): void {
  const seen = new Map<string, string>();
  for (const { name } of groups) {
    const zones = written[name]?.zones ?? [];
    zones.forEach((zone, index) => {
      const read = zone === undefined ? null : readExactName(zone, 'a zone');
      if (read === null || !('name' in read)) return;
      const key = Buffer.from(read.name).toString('latin1');
      const other = seen.get(key);
      if (other === undefined) seen.set(key, name);
      else {
        const message =
          other === name ? `${zone} is listed twice` : `${zone} belongs to the group ${other} already`;
        problems.error('group-zone-twice', marks.value(zones, index), message, 'leave it in one place');
      }
    });
  }
}

interface ReadServer {
  readonly server: UpstreamServer;
  readonly endpoint: Endpoint;
  readonly at: Position;
}

function readUrl(
  text: string,
  place: { readonly holder: object; readonly key: string | number },
  { marks, problems }: ServerContext,
): ReadServer | null {
  const parsed = serverFromUrl(text);
  if ('server' in parsed) return { ...parsed, at: marks.value(place.holder, place.key) };
  problems.fault(parsed, marks.inside(place.holder, place.key, parsed.offset));
  return null;
}

function serverFromUrl(text: string): { server: UpstreamServer; endpoint: Endpoint } | Fault {
  const endpoint = parseServer(text);
  if (endpoint instanceof TextFault) return endpoint;
  if (endpoint.scheme !== 'tls') return { server: toServer(endpoint, null, null), endpoint };
  if (endpoint.name === null) {
    const message = 'a tls:// server is known by the name in its certificate';
    return new TextFault(
      'upstream-name',
      text.length - 1,
      message,
      `write ${text}#dns.example with the server's name`,
    );
  }
  const name = readServerName(endpoint.name);
  if (typeof name !== 'string') return { ...name, offset: endpoint.nameOffset };
  return { server: toServer(endpoint, name, null), endpoint };
}

function readMap(
  written: {
    readonly on?: string | undefined;
    readonly name?: string | undefined;
    readonly ca?: string | undefined;
    readonly mix_case?: boolean | undefined;
  },
  context: ServerContext,
): ReadServer | null {
  const { marks, problems } = context;
  const ca = written.ca === undefined ? null : readCa(written, written.ca, context);
  if (written.on === undefined) return null;
  const at = marks.value(written, 'on');
  const endpoint = parseServer(written.on);
  if (endpoint instanceof TextFault) {
    problems.fault(endpoint, marks.inside(written, 'on', endpoint.offset));
    return null;
  }
  if (endpoint.scheme !== 'udp' && written.mix_case !== undefined) {
    const message = `mix_case is for udp:// servers; over ${endpoint.scheme}:// no case is mixed`;
    problems.error('upstream-mix-case', marks.key(written, 'mix_case'), message, 'remove mix_case');
  }
  if (endpoint.scheme !== 'tls') {
    for (const key of ['name', 'ca'] as const) {
      if (written[key] === undefined) continue;
      const message = `${key} is for tls:// servers; this one is asked over ${endpoint.scheme}://`;
      problems.error('upstream-name', marks.key(written, key), message, `remove ${key}, or write tls://`);
    }
    const server = toServer(endpoint, null, null);
    const { mix_case: mixCase } = written;
    return { server: mixCase === undefined ? server : { ...server, mixCase }, endpoint, at };
  }
  const text = written.name ?? endpoint.name;
  if (text === null) {
    // A name that was refused has been reported.
    if (marks.has(written, 'name')) return null;
    const message = 'a tls:// server is known by the name in its certificate';
    problems.error('upstream-name', at, message, 'write name: dns.example with the name of the server');
    return null;
  }
  if (written.name !== undefined && endpoint.name !== null && written.name !== endpoint.name) {
    const message = `the URL says ${endpoint.name}, and name says ${written.name}`;
    problems.error('upstream-name', marks.value(written, 'name'), message, 'write the name once');
    return null;
  }
  const name = readServerName(text);
  if (typeof name === 'string') return { server: toServer(endpoint, name, ca), endpoint, at };
  problems.fault(
    name,
    written.name === undefined
      ? marks.inside(written, 'on', endpoint.nameOffset)
      : marks.value(written, 'name'),
  );
  return null;
}

function toServer(endpoint: Endpoint, name: string | null, ca: string | null): UpstreamServer {
  const protocol = endpoint.scheme === 'tls' || endpoint.scheme === 'tcp' ? endpoint.scheme : 'udp';
  return { protocol, host: endpoint.host, port: endpoint.port, name, ca };
}

/** The name that a certificate must hold: a host name, in lower case, A-labels, no final dot; or an address (iPAddress). */
function readServerName(text: string): string | Fault {
  const address = parseAddress(text.replace(/^\[(.*)\]$/, '$1'));
  if (!(address instanceof TextFault)) return wordsToText(address);
  const ascii = toAsciiName(text);
  if (ascii instanceof TextFault) return ascii;
  const name = ascii.text.toLowerCase().replace(/\.$/, '');
  const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
  if (new RegExp(`^${label}(\\.${label})*$`).test(name) && name.length <= 253 && !/(^|\.)\d+$/.test(name))
    return name;
  return new TextFault(
    'upstream-name',
    0,
    `${quote(text)} is no host name`,
    'write the name that the certificate holds',
  );
}

/** PEM text that holds certificates, or null with a problem. */
function readCa(holder: object, path: string, { marks, problems, reader }: ServerContext): string | null {
  const at = marks.value(holder, 'ca');
  if (path === '') {
    problems.error('value-empty', at, 'ca is empty', 'write the path of a PEM file');
    return null;
  }
  const file = relativeTo(marks.file, path);
  const text = reader.readHiddenText(file, at, problems);
  if (text === null) return null;
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const bad = blocks.findIndex((block) => !isCertificate(block));
  if (blocks.length > 0 && bad < 0) return blocks.join('\n');
  const message =
    blocks.length === 0 ? `${file} holds no certificate` : `certificate ${bad + 1} in ${file} cannot be read`;
  problems.error('file-pem', at, message, 'write PEM: -----BEGIN CERTIFICATE----- and so on');
  return null;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function refuseOwnListener(
  endpoint: Endpoint,
  listeners: readonly Endpoint[],
  at: Position,
  context: ServerContext,
): void {
  if (!isOwnListener(endpoint, listeners, context.ownAddresses)) return;
  const message = `${endpoint.host} port ${endpoint.port} is where namegate itself listens`;
  context.problems.error('upstream-self', at, message, 'name the server that is to be asked');
}

/** URLs from the environment, commas between them, in place of the servers of `default`. */
function readOverride(
  text: string,
  listeners: readonly Endpoint[],
  context: ServerContext,
): readonly UpstreamServer[] | null {
  const file = 'NAMEGATE_UPSTREAM';
  const servers: UpstreamServer[] = [];
  let column = 1;
  let good = true;
  for (const part of text.split(',')) {
    const url = part.trim();
    const start = column + part.indexOf(url);
    column += part.length + 1;
    const read = serverFromUrl(url);
    if ('server' in read) {
      servers.push(read.server);
      refuseOwnListener(read.endpoint, listeners, { file, line: 1, column: start }, context);
    } else {
      good = false;
      context.problems.fault(read, { file, line: 1, column: start + read.offset });
    }
  }
  return good ? servers : null;
}
