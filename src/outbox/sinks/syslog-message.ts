import type { FeedEvent, Severity } from '../event.ts';
import { severityOf } from '../formats/severity.ts';

/** Facility local0 (RFC 5424 §6.2.1). */
const FACILITY = 16;
/** Severities of RFC 5424: critical, warning, notice, informational. */
const OF_SEVERITY: Readonly<Record<Severity, number>> = { high: 2, medium: 4, low: 5, operations: 6 };

/**
 * A message of RFC 5424 §6 without framing. MSG is the JSON object alone, in ASCII (so it is valid without a byte order mark, §6.4),
 * and nothing in front of it holds a brace.
 */
export function syslogMessage(event: FeedEvent, json: string): string {
  const { kind, server, time } = event;
  const priority = FACILITY * 8 + OF_SEVERITY[severityOf(event)];
  return `<${priority}>1 ${time} ${hostName(server)} namegate - ${kind} - ${ascii(json)}`;
}

/** HOSTNAME: printable ASCII without a blank, at most 255 octets. */
function hostName(server: string): string {
  return server.replace(/[^\x21-\x7e]|[{}]/g, '_').slice(0, 255) || '-';
}

/** The same JSON with each character beyond ASCII as `\uXXXX`. */
function ascii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
