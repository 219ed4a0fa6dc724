import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import type { SyslogSinkSetting as SyslogSetting } from '../../settings/alert-settings.ts';
import type { Placed } from '../event.ts';
import { FORMATS } from '../formats/format.ts';
import { jsonText } from '../formats/json-text.ts';
import { type EventSink, reasonOf, retry, type Sending, type SinkClock } from './sink.ts';
import { syslogMessage } from './syslog-message.ts';

/** Octets of a message in one datagram: IPv4 holds no more than 65,507 (RFC 5426 §3.2). */
const LONGEST = 65_507;

/** Syslog over UDP (RFC 5426): a message a datagram, sent once. Whether one arrives is not known to anybody. */
export class SyslogDatagrams implements EventSink {
  readonly #setting: SyslogSetting;
  readonly #clock: SinkClock;
  #socket: { readonly family: number; readonly socket: Socket } | null = null;

  constructor(setting: SyslogSetting, clock: SinkClock) {
    this.#setting = setting;
    this.#clock = clock;
  }

  async send(batch: readonly Placed[]): Promise<Sending> {
    const { host, port } = this.#setting;
    const format = FORMATS[this.#setting.format];
    const dead: { index: number; reason: string }[] = [];
    let accepted = 0;
    try {
      const { address, family } = await lookup(host);
      const socket = this.#open(family);
      const now = this.#clock.now();
      for (const [index, { event }] of batch.entries()) {
        const message = Buffer.from(syslogMessage(event, jsonText(format(event, now))), 'latin1');
        if (message.length > LONGEST)
          dead.push({ index, reason: `${message.length} octets are more than a datagram holds` });
        else await sendOne(socket, message, port, address);
        accepted++;
      }
      return { accepted, dead, trouble: null };
    } catch (error) {
      return { ...retry(`udp://${host}: ${reasonOf(error)}`, accepted), dead };
    }
  }

  async renew(): Promise<boolean> {
    return false;
  }

  close(): void {
    this.#socket?.socket.close();
    this.#socket = null;
  }

  #open(family: number): Socket {
    if (this.#socket?.family === family) return this.#socket.socket;
    this.close();
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    socket.on('error', () => undefined);
    socket.unref();
    this.#socket = { family, socket };
    return socket;
  }
}

function sendOne(socket: Socket, message: Buffer, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(message, port, address, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
