import { type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import type { LogLevel } from '../settings/settings.ts';
import { isJournal, PRIORITY } from './journald.ts';
import { Sink } from './log-sink.ts';

/**
 * What is logged, one line an event. Operators search and alert by these names: once released, a name and its
 * meaning stay. Never one line a query.
 */
export type LogEvent =
  | 'starting'
  | 'listening'
  | 'policy-loaded'
  | 'trust-loaded'
  | 'client-without-tcp'
  | 'client-unknown'
  | 'policy-problem'
  | 'reload-failed'
  | 'reload-unchanged'
  | 'restart-needed'
  | 'ready'
  | 'not-ready'
  | 'listener-refused'
  | 'listener-waits'
  | 'listener-trouble'
  | 'handshake-failed'
  | 'client-certificate'
  | 'crl'
  | 'proxy-header'
  | 'upstream-down'
  | 'upstream-up'
  | 'upstream-changed'
  | 'finding'
  | 'restart-needed'
  | 'watch-trouble'
  | 'portable-udp'
  | 'descriptor-limit'
  | 'finding'
  | 'fault'
  | 'sink'
  | 'lease-opened'
  | 'lease-changed'
  | 'lease-ended'
  | 'lease-unknown'
  | 'ledger-reset'
  | 'ledger-trouble'
  | 'feed-trouble'
  | 'detect-unheard'
  | 'enforce-session'
  | 'enforce-trouble'
  | 'exception-added'
  | 'exception-revoked'
  | 'exception-ended'
  | 'admin-refused'
  | 'admin-trouble'
  | 'journal-damaged'
  | 'journal-torn'
  | 'journal-trouble'
  | 'clock-jump'
  | 'certificate-loaded'
  | 'certificate-doubtful'
  | 'certificate-early'
  | 'certificate-ending'
  | 'certificate-ended'
  | 'stopping'
  | 'stopped';

/** Facts of an event, by name in snake_case. An Error under `error` is written with its stack. */
export type LogFields = Readonly<Record<string, unknown>> & {
  readonly event?: never;
  readonly level?: never;
  readonly time?: never;
  readonly msg?: never;
};

/** The server's own log. Rooms that log depend on this shape. No call throws or waits. */
export interface Log {
  debug(event: LogEvent, text: string, fields?: LogFields): void;
  info(event: LogEvent, text: string, fields?: LogFields): void;
  warn(event: LogEvent, text: string, fields?: LogFields): void;
  error(event: LogEvent, text: string, fields?: LogFields): void;
  /** Lines that were lost since the start: nobody read them in time, or the disk was full. */
  readonly dropped: number;
  /** Writes what waits; lines wait 0.2 s at most. It also happens at every `process.exit`. */
  flush(): void;
  /** Flushes for the last time, half a second at most. */
  close(): void;
}

/**
 * JSON lines: {"level":"info","time":"2026-11-20T21:00:00.000Z","event":"listening",…,"msg":"…"}. No pid or host
 * name: journald and container runtimes add theirs. `destination` is a descriptor; the standard error is the
 * default, as the standard output is for what commands print. Where that is journald's, each line begins with its priority.
 */
export function createLog(level: LogLevel, destination: number = 2): Log {
  return new PinoLog(level, new Sink(destination), isJournal(destination, process.env));
}

function priorityOf(line: string): string {
  const [, level = 'info'] = /^\{"level":"(\w+)"/.exec(line) ?? [];
  return PRIORITY[level as keyof typeof PRIORITY] ?? PRIORITY.info;
}

class PinoLog implements Log {
  readonly #sink: Sink;
  readonly #pino: Logger;

  constructor(level: LogLevel, sink: Sink, journal: boolean) {
    this.#sink = sink;
    this.#pino = pino(
      {
        level,
        base: null,
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: stdSerializers.err },
      },
      journal ? { write: (line) => sink.write(`${priorityOf(line)}${line}`) } : sink,
    );
  }

  get dropped(): number {
    return this.#sink.dropped;
  }

  debug(event: LogEvent, text: string, fields?: LogFields): void {
    this.#pino.debug({ event, ...fields }, text);
  }

  info(event: LogEvent, text: string, fields?: LogFields): void {
    this.#pino.info({ event, ...fields }, text);
  }

  warn(event: LogEvent, text: string, fields?: LogFields): void {
    this.#pino.warn({ event, ...fields }, text);
  }

  error(event: LogEvent, text: string, fields?: LogFields): void {
    this.#pino.error({ event, ...fields }, text);
  }

  flush(): void {
    this.#sink.flush();
  }

  close(): void {
    this.#sink.close();
  }
}
