import { hostname } from 'node:os';
import { resolve } from 'node:path';
import {
  type BudgetSettings,
  DEFAULT_BUDGETS,
  type LogLevel,
  type RenewSetting,
  type Settings,
} from '../../settings/settings.ts';
import { readBudget } from '../budgets.ts';
import { relativeTo } from '../policy/lists.ts';
import { TextFault } from '../problems.ts';
import type { ServerFile } from '../schema/server-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import { parseSize } from '../units.ts';
import { parseMetrics } from './endpoint.ts';
import { readAdmin } from './read-admin.ts';
import { readAlerts } from './read-alerts.ts';
import { readDetect, type WrittenKinds } from './read-detect.ts';
import { readEnforce } from './read-enforce.ts';
import { readFeeds } from './read-feeds.ts';
import { readHistory } from './read-history.ts';
import { readListeners } from './read-listeners.ts';
import { readUpstreams } from './read-upstreams.ts';
import { readSeconds } from './seconds.ts';
import type { ServerContext } from './server-context.ts';

type Written = Repaired<ServerFile>;

/**
 * The server file as settings, defaults filled in, paths absolute. For use only if no problem is an error. `policy`: the
 * path of the policy, as `readPolicyPlace` gives it.
 */
export function readServerFile(written: Written, policy: string, context: ServerContext): Settings {
  const { marks } = context;
  const state = resolve(relativeTo(marks.file, readPath(written, 'state', context) ?? 'state'));
  const listeners = readListeners(written.listen ?? [], context);
  return {
    listen: listeners.map(({ setting }) => setting),
    name: written.server?.name ?? hostName(),
    upstreams: readUpstreams(
      written.upstreams,
      listeners.map(({ endpoint }) => endpoint),
      context,
    ),
    policy: resolve(policy),
    cache: {
      size: readSize(written.cache, 'size', context) ?? 64 * 2 ** 20,
      maxTtl: readSeconds(written.cache, 'max_ttl', 1, context) ?? 86_400,
      serveStale: readSeconds(written.cache, 'serve_stale', 0, context) ?? 3_600,
      share: written.cache?.share ?? 'all',
    },
    budgets: readBudgets(written.detect?.budgets, context),
    detect: readDetect(written.detect as WrittenKinds, context),
    replies: {
      maxTtl: readSeconds(written.replies, 'max_ttl', 0, context) ?? 300,
      dynamicMaxTtl: readSeconds(written.replies, 'dynamic_max_ttl', 0, context) ?? 30,
      edeText: written.replies?.ede_text ?? true,
      contact: written.contact?.replace(/\s+/g, ' ').trim() ?? '',
    },
    limits: {
      inFlight: written.limits?.in_flight ?? 10_000,
      tcpClients: written.limits?.tcp_clients ?? 1_000,
      unknownQps: written.limits?.unknown_qps ?? 20,
    },
    renew: readRenew(written.renew),
    state,
    admin: readAdmin(written, context),
    exceptions: { maxTtl: readSeconds(written.exceptions, 'max_ttl', 1, context) ?? 604_800 },
    metrics: readMetrics(written, context),
    alerts: readAlerts(written.alerts, state, context),
    enforce: readEnforce(written.enforce, context, readFeeds(written.enforce?.feeds ?? [], context)),
    history: readHistory(written.history, context),
    log: { level: (written.log?.level ?? 'info') satisfies LogLevel },
  };
}

/** The system takes other octets in it than an event may have. */
function hostName(): string {
  return (
    hostname()
      .replace(/[^!-~]/g, '_')
      .slice(0, 255) || 'namegate'
  );
}

function readBudgets(
  budgets: NonNullable<Written['detect']>['budgets'],
  context: ServerContext,
): BudgetSettings {
  const read = (key: keyof BudgetSettings) =>
    readBudget(budgets, key, DEFAULT_BUDGETS[key], context) ?? DEFAULT_BUDGETS[key];
  return {
    lease_wildcard: read('lease_wildcard'),
    claim_wildcard: read('claim_wildcard'),
    identity_wildcard: read('identity_wildcard'),
    identity: read('identity'),
  };
}

function readMetrics(written: Written, { marks, problems }: ServerContext): Settings['metrics'] {
  if (written.metrics === undefined) return null;
  const endpoint = parseMetrics(written.metrics);
  if (!(endpoint instanceof TextFault)) return { host: endpoint.host, port: endpoint.port };
  problems.fault(endpoint, marks.inside(written, 'metrics', endpoint.offset));
  return null;
}

function readRenew(renew: Written['renew']): RenewSetting | null {
  if (renew === undefined) return null;
  const names =
    renew.names === undefined || renew.names === 'all'
      ? 'all'
      : renew.names.filter((name) => name !== undefined);
  return { names, max: renew.max ?? 1_000 };
}

function readPath(written: Written, key: 'state', { marks, problems }: ServerContext): string | undefined {
  const path = written[key];
  if (path !== '') return path;
  problems.error('value-empty', marks.value(written, key), `${key} is empty`, 'write the path of a folder');
  return undefined;
}

/** Octets; at least 64 KiB, for a cache that holds less than one large answer holds nothing. */
function readSize(
  holder: { readonly size?: string | undefined } | undefined,
  key: 'size',
  { marks, problems }: ServerContext,
): number | null {
  const text = holder?.[key];
  if (holder === undefined || text === undefined) return null;
  const size = parseSize(text);
  if (size instanceof TextFault) problems.fault(size, marks.inside(holder, key, size.offset));
  else if (size < 64 * 2 ** 10)
    problems.error('value-range', marks.value(holder, key), `${text} is too small`, 'write at least 64KiB');
  else return size;
  return null;
}
