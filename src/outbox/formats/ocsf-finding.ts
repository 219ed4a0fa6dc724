import { isIP } from 'node:net';
import type { FeedEvent } from '../event.ts';
import { addressOf, instant, observables, rest } from './ocsf-dns.ts';
import { ATTACKS } from './ocsf-words.ts';
import type { Row } from './row.ts';

const ACTIVITY = {
  create: { id: 1, name: 'Create', status: { id: 1, caption: 'New' } },
  update: { id: 2, name: 'Update', status: { id: 2, caption: 'In Progress' } },
  close: { id: 3, name: 'Close', status: { id: 4, caption: 'Resolved' } },
} as const;
const SUPPRESSED = { id: 3, caption: 'Suppressed' };

const activityOf = ({ activity = 'create' }: FeedEvent) => ACTIVITY[activity];
const statusOf = (event: FeedEvent) => (event.expected === true ? SUPPRESSED : activityOf(event).status);
const nameOf = ({ finding, kind }: FeedEvent): string =>
  finding ?? (kind === 'dropped' ? 'events-dropped' : kind);

function attacksOf({ finding = '' }: FeedEvent): unknown {
  return ATTACKS.get(finding);
}

/** Each name that led to the finding, asked by the client where one is known. */
function evidencesOf(event: FeedEvent): unknown {
  const { name, names = [], client_port: port, identity } = event;
  const ip = addressOf(event);
  const asked = [...new Set([...(name === undefined ? [] : [name]), ...names])];
  const source = {
    ...(ip === undefined ? {} : { ip, ...(port === undefined ? {} : { port }) }),
    ...(identity === undefined ? {} : { name: identity }),
  };
  const from = { ...(Object.keys(source).length === 0 ? {} : { src_endpoint: source }), ...towards(event) };
  if (asked.length === 0) return Object.keys(from).length > 0 ? [from] : undefined;
  return asked.map((hostname) => ({
    ...from,
    query: {
      hostname,
      class: 'IN',
      ...(hostname === name && event.type !== undefined ? { type: event.type } : {}),
    },
  }));
}

/** Where packets were for, and by which protocol. */
function towards({ addresses = [], protocol, port }: FeedEvent): object {
  const [ip] = addresses;
  if (protocol === undefined) return {};
  const number = PROTOCOLS[protocol] ?? Number(protocol);
  return {
    ...(ip === undefined || isIP(ip) === 0
      ? {}
      : { dst_endpoint: { ip, ...(port === undefined ? {} : { port }) } }),
    connection_info: {
      direction_id: 2,
      direction: 'Outbound',
      protocol_name: protocol,
      ...(Number.isInteger(number) ? { protocol_num: number } : {}),
    },
  };
}

const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 };

function resourcesOf({ identity, owner }: FeedEvent): unknown {
  if (identity === undefined) return undefined;
  const owned = owner === undefined || owner === '' ? {} : { owner: { name: owner } };
  return [{ name: identity, type: 'identity', ...owned }];
}

/** Detection Finding (2004): findings, and what was dropped. */
export const FINDING_ROWS: readonly Row[] = [
  { to: 'class_uid', from: '2004', give: () => 2004 },
  { to: 'class_name', from: 'Detection Finding', give: () => 'Detection Finding' },
  { to: 'category_uid', from: '2', give: () => 2 },
  { to: 'category_name', from: 'Findings', give: () => 'Findings' },
  { to: 'activity_id', from: '`activity`: 1, 2, 3', give: (event) => activityOf(event).id },
  { to: 'activity_name', from: '`activity`', give: (event) => activityOf(event).name },
  { to: 'type_uid', from: '200401, 200402, 200403', give: (event) => 200_400 + activityOf(event).id },
  {
    to: 'type_name',
    from: 'of class and activity',
    give: (event) => `Detection Finding: ${activityOf(event).name}`,
  },
  { to: 'finding_info.uid', from: '`uid`, else `id`', give: ({ uid, id }) => uid ?? id },
  { to: 'finding_info.title', from: '`finding`', give: nameOf },
  { to: 'finding_info.types', from: '`finding`', give: (event) => [nameOf(event)] },
  { to: 'finding_info.desc', from: '`text`', give: ({ text }) => text },
  {
    to: 'finding_info.first_seen_time',
    from: '`first`, else `time`',
    give: ({ first, time }) => instant(first ?? time),
  },
  {
    to: 'finding_info.last_seen_time',
    from: '`last`, else `time`',
    give: ({ last, time }) => instant(last ?? time),
  },
  { to: 'finding_info.analytic.name', from: '`finding`', give: nameOf },
  { to: 'finding_info.analytic.type_id', from: '1 (Rule)', give: () => 1 },
  { to: 'finding_info.analytic.type', from: 'Rule', give: () => 'Rule' },
  { to: 'finding_info.attacks', from: '`finding`: see below', give: attacksOf },
  { to: 'attacks', from: '`finding`: see below', give: attacksOf },
  { to: 'is_alert', from: 'false where `expected`', give: ({ expected }) => expected !== true },
  { to: 'status_id', from: '`activity`; 3 where `expected`', give: (event) => statusOf(event).id },
  { to: 'status', from: 'caption of `status_id`', give: (event) => statusOf(event).caption },
  {
    to: 'evidences',
    from: '`name`, `names`, `type`, `client`, `client_port`, `identity`; `addresses`, `protocol`, `port`',
    give: evidencesOf,
  },
  { to: 'resources', from: '`identity`, `owner`', give: resourcesOf },
  {
    to: 'remediation.desc',
    from: '`next`',
    give: ({ next }) => next,
  },
  {
    to: 'observables',
    from: '`name` (1, Hostname), `client` (2, IP Address)',
    give: (event) => observables(event, 'evidences[].query.hostname', 'evidences[].src_endpoint.ip'),
  },
  ...rest(
    'key',
    'stage',
    'lease',
    'job',
    'transport',
    'proven',
    'certificate',
    'verdict',
    'ground',
    'approved_stage',
    'rcode',
    'wire_name',
    'addresses',
    'granted_name',
    'total',
    'distinct_names',
    'folded',
    'of',
    'first_seq',
    'last_seq',
    'runs',
    'lost',
    'sinks',
    'in_doubt',
    'why',
  ),
];
