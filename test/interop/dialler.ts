import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { start, until } from './process.ts';

const program = fileURLToPath(new URL('./dialler.mjs', import.meta.url));

export interface Dialled {
  /** `ok`, the system's or the resolver's error code, `silence` or `gone`. */
  readonly result: string;
  readonly ms: number;
  readonly addresses: readonly string[];
  readonly host?: string;
}

interface Deed {
  readonly deed:
    | 'tcp'
    | 'echo'
    | 'pushed'
    | 'happy'
    | 'ping'
    | 'flood'
    | 'udp'
    | 'datagrams'
    | 'dns'
    | 'both';
  readonly text?: string;
  readonly host?: string;
  readonly port?: number;
  readonly from?: string;
  readonly hold?: string;
  readonly ms?: number;
  readonly other?: string;
  readonly size?: number;
  readonly name?: string;
  readonly type?: string;
  readonly server?: string;
}

/** Dials from inside a network namespace: connections, datagrams and questions of a program there. */
export class Dialler {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (dialled: Dialled) => void>();
  #last = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    let rest = '';
    socket.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + String(text)).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const read = JSON.parse(line) as Dialled & { id: number };
        this.#waiting.get(read.id)?.(read);
        this.#waiting.delete(read.id);
      }
    });
  }

  /** `folder`: a short path, for its socket. */
  static async start(t: Test, namespace: string, folder: string): Promise<Dialler> {
    const path = join(folder, 'dial.sock');
    const peer = start(t, [process.execPath, program, path], { namespace });
    await until(() => peer.log().includes('dialling'), peer.log);
    const socket = connect(path);
    t.teardown(() => socket.destroy());
    return new Dialler(socket);
  }

  do(deed: Deed): Promise<Dialled> {
    const id = ++this.#last;
    this.#socket.write(`${JSON.stringify({ id, ...deed })}\n`);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }
}
