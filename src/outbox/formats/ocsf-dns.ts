import { isIP } from 'node:net';
import type { EpochMilliseconds } from '../../wire/quantity.ts';
import type { FeedEvent, Kind } from '../event.ts';
import { type Numbered, rcodeOf, severityIn, treatmentOf } from './ocsf-words.ts';
import type { Row } from './row.ts';

const TCP: Numbered = { id: 6, caption: 'tcp' };
const UDP: Numbered = { id: 17, caption: 'udp' };

/** Milliseconds since 1970 of a time in an event. */
export function instant(text: string | undefined): EpochMilliseconds | undefined {
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

export function addressOf({ client }: FeedEvent): string | undefined {
  return client !== undefined && isIP(client) !== 0 ? client : undefined;
}

function protocolOf({ transport }: FeedEvent): Numbered | undefined {
  if (transport === undefined) return undefined;
  return transport === 'udp' ? UDP : TCP;
}

/** Keys of an event that have no attribute of their own in OCSF: they stand in `unmapped` under their own name. */
export function rest(...keys: readonly (keyof FeedEvent)[]): Row[] {
  return keys.map((key) => ({ to: `unmapped.${key}`, from: `\`${key}\``, give: (event) => event[key] }));
}

/** Attributes of both classes. */
export const COMMON_ROWS: readonly Row[] = [
  { to: 'metadata.version', from: '1.8.0', give: () => '1.8.0' },
  { to: 'metadata.product.name', from: 'namegate', give: () => 'namegate' },
  { to: 'metadata.product.vendor_name', from: 'namegate', give: () => 'namegate' },
  { to: 'metadata.product.version', from: '`version`', give: ({ version }) => version },
  { to: 'metadata.profiles', from: 'security_control', give: () => ['security_control'] },
  { to: 'metadata.uid', from: '`id`', give: ({ id }) => id },
  { to: 'metadata.sequence', from: '`seq`', give: ({ seq }) => seq },
  { to: 'metadata.event_code', from: '`kind`', give: ({ kind }) => kind },
  { to: 'metadata.reporter.name', from: '`server`', give: ({ server }) => server },
  { to: 'metadata.original_time', from: '`time`', give: ({ time }) => time },
  { to: 'metadata.transmit_time', from: '`sent`', give: (_, sent) => sent },
  { to: 'time', from: '`time`', give: ({ time }) => instant(time) ?? 0 },
  { to: 'start_time', from: '`first`', give: ({ first }) => instant(first) },
  { to: 'end_time', from: '`last`', give: ({ last }) => instant(last) },
  { to: 'count', from: '`count`', give: ({ count }) => count },
  { to: 'severity_id', from: '`severity`, else by `kind`', give: (event) => severityIn(event).id },
  { to: 'severity', from: 'caption of `severity_id`', give: (event) => severityIn(event).caption },
  { to: 'action_id', from: '`kind`, `finding`', give: (event) => treatmentOf(event).action.id },
  { to: 'action', from: 'caption of `action_id`', give: (event) => treatmentOf(event).action.caption },
  { to: 'disposition_id', from: '`kind`, `finding`', give: (event) => treatmentOf(event).disposition.id },
  {
    to: 'disposition',
    from: 'caption of `disposition_id`',
    give: (event) => treatmentOf(event).disposition.caption,
  },
  { to: 'message', from: 'a sentence of `kind`, `identity`, `name`, `type`; or `text`', give: messageOf },
  {
    to: 'firewall_rule.uid',
    from: '`rule`',
    give: ({ rule }) => (rule === '' ? undefined : rule),
  },
  { to: 'policy.uid', from: '`policy`', give: ({ policy }) => policy },
  {
    to: 'policy.is_applied',
    from: 'false for `would_deny` and `would_contain`',
    give: ({ policy, kind }) => (policy === undefined ? undefined : !kind.startsWith('would_')),
  },
];

const SAYS: Readonly<Record<Kind, string>> = {
  deny: 'denied',
  empty: 'gave no data of',
  contain: 'contained',
  would_deny: 'would have denied',
  would_contain: 'would have contained',
  allow: 'allowed',
  finding: 'saw',
  heartbeat: 'heartbeat',
  dropped: 'dropped',
};

function messageOf(event: FeedEvent): string {
  const { kind, text, identity = 'unknown', name, type = '', server, of = '', count, why = '' } = event;
  if (text !== undefined) return text;
  if (kind === 'heartbeat') return `${server} is alive`;
  if (kind === 'dropped') {
    const doubt = event.in_doubt === true ? ' They were sent, and may have arrived.' : '';
    return `${count ?? 0} of ${of} were dropped: ${why}.${doubt}`;
  }
  if (kind === 'finding') return `${event.finding ?? 'finding'} of ${identity}`;
  return `${SAYS[kind]} ${name ?? 'names'} ${type} for ${identity}`.replace('  ', ' ');
}

const isHeartbeat = ({ kind }: FeedEvent): boolean => kind === 'heartbeat';
const question = (give: (event: FeedEvent) => unknown): Row['give'] => {
  return (event) => (event.name === undefined ? undefined : give(event));
};

/** An endpoint needs an address, a name or an id beside what else is said of it. */
const source = (give: (event: FeedEvent) => unknown): Row['give'] => {
  return (event) => {
    const isSomebody =
      event.identity !== undefined || event.lease !== undefined || addressOf(event) !== undefined;
    return isSomebody ? give(event) : undefined;
  };
};

/** DNS Activity (4003): decisions, and heartbeats. */
export const DNS_ROWS: readonly Row[] = [
  { to: 'class_uid', from: '4003', give: () => 4003 },
  { to: 'class_name', from: 'DNS Activity', give: () => 'DNS Activity' },
  { to: 'category_uid', from: '4', give: () => 4 },
  { to: 'category_name', from: 'Network Activity', give: () => 'Network Activity' },
  { to: 'activity_id', from: '6; 99 of a heartbeat', give: (event) => (isHeartbeat(event) ? 99 : 6) },
  {
    to: 'activity_name',
    from: 'Traffic; Heartbeat',
    give: (event) => (isHeartbeat(event) ? 'Heartbeat' : 'Traffic'),
  },
  { to: 'type_uid', from: '400306; 400399', give: (event) => (isHeartbeat(event) ? 400_399 : 400_306) },
  {
    to: 'type_name',
    from: 'of class and activity',
    give: (event) => `DNS Activity: ${isHeartbeat(event) ? 'Heartbeat' : 'Traffic'}`,
  },
  { to: 'app_protocol_name', from: 'DNS', give: () => 'DNS' },
  { to: 'src_endpoint.ip', from: '`client`', give: addressOf },
  { to: 'src_endpoint.port', from: '`client_port`', give: source(({ client_port }) => client_port) },
  { to: 'src_endpoint.name', from: '`identity`', give: ({ identity }) => identity },
  { to: 'src_endpoint.owner.name', from: '`owner`', give: source(({ owner }) => owner) },
  { to: 'src_endpoint.zone', from: '`stage`', give: source(({ stage }) => stage) },
  { to: 'src_endpoint.instance_uid', from: '`lease`', give: ({ lease }) => lease },
  { to: 'dst_endpoint.name', from: '`server`', give: ({ server }) => server },
  { to: 'dst_endpoint.svc_name', from: 'namegate', give: () => 'namegate' },
  {
    to: 'connection_info.direction_id',
    from: '1 where `transport` is there',
    give: (event) => (protocolOf(event) === undefined ? undefined : 1),
  },
  {
    to: 'connection_info.direction',
    from: 'Inbound',
    give: (event) => (protocolOf(event) === undefined ? undefined : 'Inbound'),
  },
  { to: 'connection_info.protocol_num', from: '`transport`', give: (event) => protocolOf(event)?.id },
  {
    to: 'connection_info.protocol_name',
    from: '`transport`; tcp for tls',
    give: (event) => protocolOf(event)?.caption,
  },
  { to: 'query.hostname', from: '`name`', give: ({ name }) => name },
  { to: 'query.type', from: '`type`', give: question(({ type }) => type) },
  { to: 'query.class', from: 'IN', give: question(() => 'IN') },
  { to: 'query.opcode_id', from: '0', give: question(() => 0) },
  { to: 'query.opcode', from: 'Query', give: question(() => 'Query') },
  {
    to: 'answers',
    from: '`addresses`',
    give: ({ addresses }) =>
      addresses?.map((rdata) => ({ rdata, type: rdata.includes(':') ? 'AAAA' : 'A', class: 'IN' })),
  },
  { to: 'rcode_id', from: '`rcode`', give: (event) => rcodeOf(event)?.id },
  { to: 'rcode', from: '`rcode`', give: (event) => rcodeOf(event)?.caption },
  {
    to: 'status_id',
    from: '1 for `rcode` NOERROR, else 2',
    give: ({ rcode }) => (rcode === undefined ? undefined : rcode === 'NOERROR' ? 1 : 2),
  },
  { to: 'status_code', from: '`rcode`', give: ({ rcode }) => rcode },
  { to: 'status_detail', from: '`ground`', give: ({ ground }) => ground },
  {
    to: 'observables',
    from: '`name` (1, Hostname), `client` (2, IP Address)',
    give: (event) => observables(event, 'query.hostname', 'src_endpoint.ip'),
  },
  ...rest(
    'transport',
    'proven',
    'certificate',
    'job',
    'verdict',
    'approved_stage',
    'wire_name',
    'total',
    'distinct_names',
    'folded',
    'expected',
    'counts',
  ),
];

/** What an investigator searches by. `name` and `ip`: the paths where the values stand. */
export function observables(event: FeedEvent, name: string, ip: string): unknown {
  const address = addressOf(event);
  const found = [
    ...(event.name === undefined ? [] : [{ name, type_id: 1, type: 'Hostname', value: event.name }]),
    ...(address === undefined ? [] : [{ name: ip, type_id: 2, type: 'IP Address', value: address }]),
  ];
  return found.length === 0 ? undefined : found;
}
