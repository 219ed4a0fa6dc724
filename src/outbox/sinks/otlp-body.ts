import type { EpochMilliseconds } from '../../wire/quantity.ts';
import type { FeedEvent, Kind, Severity } from '../event.ts';
import type { Format } from '../formats/format.ts';
import { severityOf } from '../formats/severity.ts';

/**
 * Events as the JSON of an ExportLogsServiceRequest (OTLP 1, "JSON Protobuf Encoding": names in lowerCamelCase, 64-bit numbers as
 * text). `sent`: milliseconds since 1970.
 */
export function otlpRequest(events: readonly FeedEvent[], format: Format, sent: EpochMilliseconds): object {
  const { server = '', version = '' } = events[0] ?? {};
  return {
    resourceLogs: [
      {
        resource: {
          attributes: [
            attribute('service.name', 'namegate'),
            attribute('service.version', version),
            attribute('service.instance.id', server),
            attribute('host.name', server),
          ],
        },
        scopeLogs: [
          {
            scope: { name: 'namegate', version },
            logRecords: events.map((event) => logRecord(event, format, sent)),
          },
        ],
      },
    ],
  };
}

/** SeverityNumber of the logs data model: ERROR, WARN, INFO2, INFO. */
const OF_SEVERITY: Readonly<Record<Severity, readonly [number, string]>> = {
  high: [17, 'ERROR'],
  medium: [13, 'WARN'],
  low: [10, 'INFO2'],
  operations: [9, 'INFO'],
};

function logRecord(event: FeedEvent, format: Format, sent: EpochMilliseconds): object {
  const [severityNumber, severityText] = OF_SEVERITY[severityOf(event)];
  return {
    timeUnixNano: nanoseconds(Date.parse(event.time)),
    observedTimeUnixNano: nanoseconds(sent),
    severityNumber,
    severityText,
    eventName: eventName(event.kind),
    body: anyValue(format(event, sent)),
    attributes: attributesOf(event),
  };
}

function eventName(kind: Kind): string {
  return `namegate.${kind === 'finding' || kind === 'heartbeat' || kind === 'dropped' ? kind : 'decision'}`;
}

/** What a collector routes and drops by, without reading the body. */
function attributesOf(event: FeedEvent): object[] {
  const { name, client, client_port, type } = event;
  const found: object[] = [];
  if (name !== undefined) found.push(attribute('dns.question.name', name));
  if (type !== undefined) found.push(attribute('dns.question.type', type));
  if (client !== undefined) found.push(attribute('client.address', client));
  if (client_port !== undefined) found.push(attribute('client.port', client_port));
  for (const key of OWN) {
    const value = event[key];
    if (value !== undefined) found.push(attribute(`namegate.${key}`, value));
  }
  return found;
}

const OWN = [
  'id',
  'seq',
  'kind',
  'server',
  'identity',
  'owner',
  'stage',
  'lease',
  'verdict',
  'ground',
  'approved_stage',
  'rule',
  'policy',
  'count',
  'severity',
  'finding',
  'uid',
  'activity',
  'expected',
] as const satisfies readonly (keyof FeedEvent)[];

function attribute(key: string, value: unknown): object {
  return { key, value: anyValue(value) };
}

/** An AnyValue: each in the form of its kind. What JSON would leave out has no value. */
function anyValue(value: unknown): object {
  switch (typeof value) {
    case 'string':
      return { stringValue: value };
    case 'boolean':
      return { boolValue: value };
    case 'number':
      return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
    case 'object':
      if (value === null) return {};
      if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
      return {
        kvlistValue: {
          values: Object.entries(value)
            .filter(([, each]) => each !== undefined)
            .map(([key, each]) => attribute(key, each)),
        },
      };
    default:
      return {};
  }
}

function nanoseconds(milliseconds: EpochMilliseconds): string {
  return `${Number.isFinite(milliseconds) ? Math.max(0, Math.floor(milliseconds)) : 0}000000`;
}
