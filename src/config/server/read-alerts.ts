import { join, resolve } from 'node:path';
import type { z } from 'zod';
import {
  type AlertQuota,
  type AlertSettings,
  DEFAULT_ALERTS,
  DEFAULT_KINDS,
  type FileSinkSetting,
  type SinkSetting,
} from '../../settings/alert-settings.ts';
import { unreachable } from '../../wire/quantity.ts';
import { relativeTo } from '../policy/lists.ts';
import type { alerts as schema } from '../schema/alert-schema.ts';
import { NAMES } from '../schema/schema-parts.ts';
import type { Repaired } from '../schema/shape.ts';
import { quote } from '../units.ts';
import { readDuration, readSize } from './amounts.ts';
import { readOtlp, readSyslog, type SinkTerms, type WrittenSink } from './receivers.ts';
import type { ServerContext } from './server-context.ts';

type WrittenAlerts = NonNullable<Repaired<z.infer<typeof schema>>>;
type WrittenQuota = NonNullable<NonNullable<WrittenAlerts['quota']>['decisions']>;

/** The smallest quota: less would drop what one batch of the outbox holds. */
const LEAST_QUOTA = { amount: 2 ** 20, fix: 'write at least 1MiB' };
const LEAST_AGE = { amount: 60_000, fix: 'write at least 1m' };
const LEAST_FILE = { amount: 65_536, fix: 'write at least 64KiB' };
const FILE_SIZE = 64 * 2 ** 20;
const FILE_KEEP = 4;

/** `state`: absolute path of the state folder. */
export function readAlerts(
  written: WrittenAlerts | undefined,
  state: string,
  context: ServerContext,
): AlertSettings {
  if (written === undefined) return DEFAULT_ALERTS;
  const { quota } = written;
  return {
    isDurable: written.sync === 'disk',
    decisions: readQuota(quota?.decisions, DEFAULT_ALERTS.decisions, context),
    findings: readQuota(quota?.findings, DEFAULT_ALERTS.findings, context),
    full: written.full ?? DEFAULT_ALERTS.full,
    sinks: written.sinks === undefined ? [ownFile(state)] : readSinks(written.sinks, context),
  };
}

/** The sink of `alerts: {}`. */
function ownFile(state: string): FileSinkSetting {
  const path = join(state, 'alerts.jsonl');
  const terms = { name: 'alerts', format: 'json', kinds: DEFAULT_KINDS, minSeverity: 'operations' } as const;
  return { type: 'file', ...terms, path, size: FILE_SIZE, keep: FILE_KEEP };
}

function readQuota(
  written: WrittenQuota | undefined,
  otherwise: AlertQuota,
  context: ServerContext,
): AlertQuota {
  if (written === undefined) return otherwise;
  return {
    octets: readSize(written, 'size', LEAST_QUOTA, context) ?? otherwise.octets,
    age: readDuration(written, 'age', LEAST_AGE, context) ?? otherwise.age,
  };
}

function readSinks(written: readonly (WrittenSink | undefined)[], context: ServerContext): SinkSetting[] {
  const { marks, problems } = context;
  const names = new Set<string>();
  const places = new Set<string>();
  const read: SinkSetting[] = [];
  for (const sink of written) {
    if (sink?.name === undefined || sink.type === undefined) continue;
    if (!new RegExp(NAMES).test(sink.name)) {
      const fix = 'write letters, digits, - and _';
      problems.error(
        'identifier-form',
        marks.value(sink, 'name'),
        `${quote(sink.name)} is no name of a sink`,
        fix,
      );
    }
    if (names.has(sink.name.toLowerCase())) {
      const message = `a sink is called ${sink.name} already`;
      problems.error(
        'sink-duplicate',
        marks.value(sink, 'name'),
        message,
        'give each sink a name of its own',
      );
    }
    names.add(sink.name.toLowerCase());
    const setting = readSink(sink, context);
    if (setting === null) continue;
    const place = setting.type === 'file' ? setting.path : setting.type === 'stdout' ? 'stdout' : null;
    if (place !== null && places.has(place)) {
      const message = `another sink writes to ${place} already`;
      problems.error('sink-duplicate', marks.container(sink), message, 'write each file with one sink');
    }
    if (place !== null) places.add(place);
    read.push(setting);
  }
  return read;
}

/** Keys that mean nothing to a type. */
const USELESS = {
  file: ['ca', 'certificate', 'key', 'token_file'],
  stdout: ['to', 'ca', 'certificate', 'key', 'token_file', 'size', 'keep'],
  syslog: ['token_file', 'size', 'keep'],
  otlp: ['size', 'keep'],
} as const;

function readSink(written: WrittenSink, context: ServerContext): SinkSetting | null {
  const { marks, problems } = context;
  const type = written.type!;
  for (const key of USELESS[type]) {
    if (written[key] === undefined) continue;
    const message = `a sink of type ${type} has no use for ${key}`;
    problems.error('sink-form', marks.key(written, key), message, `remove ${key}`);
  }
  const terms: SinkTerms = {
    name: written.name!,
    format: written.format ?? 'json',
    kinds: readKinds(written),
    minSeverity: written.min_severity ?? 'operations',
  };
  switch (type) {
    case 'file':
      return readFile(written, terms, context);
    case 'stdout':
      return { type, ...terms };
    case 'syslog':
      return readSyslog(written, terms, context);
    case 'otlp':
      return readOtlp(written, terms, context);
    default:
      unreachable(type);
  }
}

function readKinds({ kinds }: WrittenSink): SinkTerms['kinds'] {
  return kinds === undefined ? DEFAULT_KINDS : [...new Set(kinds.flatMap((kind) => kind ?? []))];
}

function readFile(written: WrittenSink, terms: SinkTerms, context: ServerContext): FileSinkSetting | null {
  const { marks, problems } = context;
  const { to } = written;
  if (to === undefined || to === '') {
    const at = to === undefined ? marks.container(written) : marks.value(written, 'to');
    problems.error('sink-form', at, `the sink ${terms.name} has no file`, 'write to: PATH');
    return null;
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(to)) {
    const bare = to.replace(/^file:\/\//i, '');
    const fix = bare === to ? 'write a path, or another type' : `write ${bare}`;
    problems.error('sink-form', marks.value(written, 'to'), `${to} is a URL, and a file has a path`, fix);
    return null;
  }
  const size = readSize(written, 'size', LEAST_FILE, context) ?? FILE_SIZE;
  const path = resolve(relativeTo(marks.file, to));
  return { type: 'file', ...terms, path, size, keep: written.keep ?? FILE_KEEP };
}
