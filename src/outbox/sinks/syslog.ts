import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { SyslogSinkSetting as SyslogSetting } from '../../settings/alert-settings.ts';
import { streamCalls } from '../../socket/stream-calls.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import type { Placed } from '../event.ts';
import { FORMATS } from '../formats/format.ts';
import { jsonText } from '../formats/json-text.ts';
import { type EventSink, reasonOf, type Sending, type SinkClock, type Trouble } from './sink.ts';
import { Credentials, isCertificateRefused } from './sink-credentials.ts';
import { syslogMessage } from './syslog-message.ts';

/** Milliseconds that a connection, and the writing of a batch, may take. */
const PATIENCE: Milliseconds = 10_000;
/** Milliseconds that a connection must stay open after what was written, before that counts. */
const HOLD: Milliseconds = 5_000;
/** Milliseconds in which the receiver's machine must have acknowledged what was sent, so that one that is gone is known before that. */
const UNACKNOWLEDGED: Milliseconds = 4_000;

/**
 * Syslog over TCP and TLS, each message with its length in front (RFC 6587 §3.4.1, RFC 5425 §4.3). Nobody acknowledges: what was
 * written counts once its connection stayed open for 5 s after.
 */
export class SyslogStream implements EventSink {
  readonly #setting: SyslogSetting;
  readonly #clock: SinkClock;
  readonly #credentials: Credentials;
  #connection: Connection | null = null;

  constructor(setting: SyslogSetting, clock: SinkClock) {
    this.#setting = setting;
    this.#clock = clock;
    this.#credentials = new Credentials(setting.tls, null);
  }

  async send(batch: readonly Placed[], signal: AbortSignal): Promise<Sending> {
    const connection = await this.#connected(signal);
    if (!(connection instanceof Connection)) return { accepted: 0, dead: [], trouble: connection };
    const now = this.#clock.now();
    const format = FORMATS[this.#setting.format];
    const frames = batch.map(({ event }) => {
      const message = syslogMessage(event, jsonText(format(event, now)));
      return `${message.length} ${message}`;
    });
    const trouble = await connection.write(frames.join(''), this.#clock, signal);
    if (trouble !== null) return { accepted: 0, dead: [], trouble };
    return { accepted: batch.length, dead: [], trouble: null, held: connection.hold(this.#clock) };
  }

  async renew(): Promise<boolean> {
    const isOther = await this.#credentials.renew(this.#clock.now());
    if (isOther) this.#leave();
    return isOther;
  }

  close(): void {
    this.#leave();
  }

  #leave(): void {
    this.#connection?.destroy();
    this.#connection = null;
  }

  async #connected(signal: AbortSignal): Promise<Connection | Trouble> {
    if (this.#connection?.isOpen) return this.#connection;
    this.#leave();
    const opened = await this.#connect(signal);
    if (opened instanceof Connection) this.#connection = opened;
    return opened;
  }

  async #connect(signal: AbortSignal): Promise<Connection | Trouble> {
    const { protocol, host, port, tls } = this.#setting;
    const where = `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`;
    if (protocol === 'tcp') return open(connectTcp({ host, port }), 'connect', where, this.#clock, signal);
    try {
      const shown = await this.#credentials.shown();
      const fault = this.#credentials.fault(shown, this.#clock.now());
      if (fault !== null) return { kind: 'refused', reason: fault };
      const { ca, cert, key } = shown;
      const socket = connectTls({
        host,
        port,
        ca,
        cert,
        key,
        ...(tls.serverName === null ? {} : { servername: tls.serverName }),
        minVersion: 'TLSv1.2',
      });
      return await open(socket, 'secureConnect', where, this.#clock, signal);
    } catch (error) {
      return { kind: 'retry', reason: `${where}: ${reasonOf(error)}` };
    }
  }
}

/** An open connection, and why it ended once it has. */
class Connection {
  readonly #socket: Socket;
  readonly #where: string;
  /** Aborted at the end. */
  readonly #ended = new AbortController();
  #trouble: Trouble | null = null;

  constructor(socket: Socket, where: string) {
    this.#socket = socket;
    this.#where = where;
    // What a receiver says means nothing, and its end must be noticed.
    socket.resume();
    socket.setKeepAlive(true, HOLD);
    socket.setNoDelay(true);
    const descriptor =
      (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1;
    if (descriptor >= 0) streamCalls()?.setUserTimeout(descriptor, UNACKNOWLEDGED);
    socket.on('error', (error) => this.#end(troubleOf(where, error)));
    socket.on('end', () => this.#end({ kind: 'retry', reason: `${where} has closed the connection` }));
    socket.on('close', () => this.#end({ kind: 'retry', reason: `${where}: the connection is closed` }));
  }

  get isOpen(): boolean {
    return this.#trouble === null;
  }

  async write(text: string, clock: SinkClock, signal: AbortSignal): Promise<Trouble | null> {
    const done = new AbortController();
    const stop = (): void => done.abort();
    this.#ended.signal.addEventListener('abort', stop);
    signal.addEventListener('abort', stop);
    let isWritten = false;
    this.#socket.write(text, 'latin1', (error) => {
      isWritten = error === null || error === undefined;
      done.abort();
    });
    await clock.sleep(PATIENCE, done.signal);
    this.#ended.signal.removeEventListener('abort', stop);
    signal.removeEventListener('abort', stop);
    if (this.#trouble === null && isWritten) return null;
    this.#end({ kind: 'retry', reason: `${this.#where} takes nothing` });
    return this.#trouble;
  }

  /** Null once the connection has stayed open long enough. */
  async hold(clock: SinkClock): Promise<Trouble | null> {
    await clock.sleep(HOLD, this.#ended.signal);
    return this.#trouble;
  }

  destroy(): void {
    this.#end({ kind: 'retry', reason: `${this.#where}: given up` });
  }

  #end(trouble: Trouble): void {
    this.#trouble ??= trouble;
    this.#ended.abort();
    this.#socket.destroy();
  }
}

async function open(
  socket: Socket,
  ready: 'connect' | 'secureConnect',
  where: string,
  clock: SinkClock,
  signal: AbortSignal,
): Promise<Connection | Trouble> {
  const done = new AbortController();
  const stop = (): void => done.abort();
  signal.addEventListener('abort', stop);
  let isOpen = false;
  let trouble: Trouble = { kind: 'retry', reason: `${where} does not answer` };
  socket.once(ready, () => {
    isOpen = true;
    stop();
  });
  // Stays until the end: an error without a listener would end the process.
  socket.on('error', (error) => {
    trouble = troubleOf(where, error);
    stop();
  });
  await clock.sleep(PATIENCE, done.signal);
  signal.removeEventListener('abort', stop);
  if (isOpen && !socket.destroyed) return new Connection(socket, where);
  socket.destroy();
  return trouble;
}

function troubleOf(where: string, error: Error): Trouble {
  const kind = isCertificateRefused(error) ? 'refused' : 'retry';
  return { kind, reason: `${where}: ${reasonOf(error)}` };
}
