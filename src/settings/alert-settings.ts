import type { Milliseconds } from '../wire/quantity.ts';

/** Kinds of events that a sink may take. What was dropped is told to each sink besides. */
export const ALERT_KINDS = [
  'finding',
  'deny',
  'empty',
  'contain',
  'would_deny',
  'would_contain',
  'allow',
  'heartbeat',
] as const;

export type AlertKind = (typeof ALERT_KINDS)[number];

/** What a sink takes that does not say: findings and denials. */
export const DEFAULT_KINDS: readonly AlertKind[] = [
  'finding',
  'deny',
  'contain',
  'would_deny',
  'would_contain',
];

/** The least first. `operations`: trouble of the server itself, not of a client. */
export const ALERT_SEVERITIES = ['operations', 'low', 'medium', 'high'] as const;

export type AlertSeverity = (typeof ALERT_SEVERITIES)[number];

/** The outbox and its sinks. The outbox is there with or without `alerts:` in the server file. */
export interface AlertSettings {
  /** Each commit, and each line of a file, reaches the disk before it counts. */
  readonly isDurable: boolean;
  readonly decisions: AlertQuota;
  readonly findings: AlertQuota;
  /** What goes when a quota is full of events that a sink has not had. */
  readonly full: 'drop_oldest' | 'drop_new';
  /** Names are different. */
  readonly sinks: readonly SinkSetting[];
}

export interface AlertQuota {
  readonly octets: number;
  /** Milliseconds that an event is kept. */
  readonly age: Milliseconds;
}

export const DEFAULT_ALERTS: AlertSettings = {
  isDurable: false,
  decisions: { octets: 256 * 2 ** 20, age: 7 * 86_400_000 },
  findings: { octets: 64 * 2 ** 20, age: 30 * 86_400_000 },
  full: 'drop_oldest',
  sinks: [],
};

interface AnySink {
  readonly name: string;
  readonly format: 'json' | 'ocsf';
  readonly kinds: readonly AlertKind[];
  /** The least severity of a finding. */
  readonly minSeverity: AlertSeverity;
}

/** Absolute paths; what the files hold is read by the sink, whenever it is wanted anew. */
export interface SinkTls {
  /** Null for the CAs that Node brings. */
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  /** The name that the receiver's certificate must hold, where it is not that of `host`. */
  readonly serverName: string | null;
}

export interface FileSinkSetting extends AnySink {
  readonly type: 'file';
  /** Absolute. */
  readonly path: string;
  /** Octets from which on a new file is begun. */
  readonly size: number;
  /** Files that are kept beside the one that is written. */
  readonly keep: number;
}

export interface StdoutSinkSetting extends AnySink {
  readonly type: 'stdout';
}

export interface SyslogSinkSetting extends AnySink {
  readonly type: 'syslog';
  readonly protocol: 'udp' | 'tcp' | 'tls';
  /** An address without brackets, or a name that the system resolves. */
  readonly host: string;
  readonly port: number;
  readonly tls: SinkTls;
}

/** OTLP/HTTP with JSON. */
export interface OtlpSinkSetting extends AnySink {
  readonly type: 'otlp';
  /** http: or https:, with the path of the logs, without user information and fragment. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly isGzipped: boolean;
  /** Milliseconds that one request may take. */
  readonly timeout: Milliseconds;
  readonly tokenFile: string | null;
  readonly tls: SinkTls;
}

export type SinkSetting = FileSinkSetting | StdoutSinkSetting | SyslogSinkSetting | OtlpSinkSetting;
