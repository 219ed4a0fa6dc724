import { resolve } from 'node:path';
import type { Milliseconds } from '../../wire/quantity.ts';

/** What the variables of the OpenTelemetry specification say of OTLP exporters (Protocol Exporter, Configuration Options). */
export interface OtlpEnvironment {
  readonly endpoint: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly isGzipped: boolean;
  /** Milliseconds. */
  readonly timeout: Milliseconds;
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  /** Sentences on values that cannot be followed. */
  readonly faults: readonly string[];
}

const TIMEOUT: Milliseconds = 10_000;

/** The variable of logs goes before that of all signals. To an endpoint of all signals `v1/logs` is added. */
export function otlpEnvironment(env: Readonly<Record<string, string | undefined>>): OtlpEnvironment {
  const faults: string[] = [];
  const value = (option: string): string | null => {
    const own = env[`OTEL_EXPORTER_OTLP_LOGS_${option}`]?.trim();
    const all = env[`OTEL_EXPORTER_OTLP_${option}`]?.trim();
    return own || all || null;
  };
  const path = (option: string): string | null => {
    const file = value(option);
    return file === null ? null : resolve(file);
  };
  const protocol = value('PROTOCOL');
  if (protocol !== null && protocol !== 'http/json')
    faults.push(`OTEL_EXPORTER_OTLP_PROTOCOL is ${protocol}, and namegate speaks http/json alone`);
  const compression = value('COMPRESSION');
  if (compression !== null && compression !== 'gzip' && compression !== 'none')
    faults.push(`OTEL_EXPORTER_OTLP_COMPRESSION is ${compression}, and gzip or none is known`);
  const timeout = value('TIMEOUT');
  if (timeout !== null && !/^[1-9][0-9]{0,6}$/.test(timeout))
    faults.push(`OTEL_EXPORTER_OTLP_TIMEOUT is ${timeout}, and milliseconds are wanted`);
  const certificate = path('CLIENT_CERTIFICATE');
  const key = path('CLIENT_KEY');
  if ((certificate === null) !== (key === null))
    faults.push('OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY go together');
  return {
    endpoint: endpointOf(env),
    headers: readHeaders(value('HEADERS'), faults),
    isGzipped: compression === 'gzip',
    timeout: timeout === null || !/^[1-9][0-9]{0,6}$/.test(timeout) ? TIMEOUT : Number(timeout),
    ca: path('CERTIFICATE'),
    certificate,
    key,
    faults,
  };
}

function endpointOf(env: Readonly<Record<string, string | undefined>>): string | null {
  const own = env['OTEL_EXPORTER_OTLP_LOGS_ENDPOINT']?.trim();
  if (own) return own;
  const all = env['OTEL_EXPORTER_OTLP_ENDPOINT']?.trim();
  return all ? `${all.replace(/\/+$/, '')}/v1/logs` : null;
}

/** `key=value,key=value`, as W3C Baggage, values percent-encoded. */
function readHeaders(text: string | null, faults: string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of text?.split(',') ?? []) {
    if (pair.trim() === '') continue;
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim().toLowerCase();
    let value: string | null = null;
    try {
      value = decodeURIComponent(pair.slice(at + 1).trim());
    } catch {}
    // The value may be a secret: it is not shown.
    if (at < 1 || value === null || !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || !/^[\x20-\x7e]*$/.test(value))
      faults.push('OTEL_EXPORTER_OTLP_HEADERS holds what is no NAME=VALUE');
    else headers[name] = value;
  }
  return headers;
}
