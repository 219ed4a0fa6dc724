import type { Socket } from 'node:net';

/**
 * A small enforcer at the other end of a grant feed, as somebody would write one: it keeps who is live and what is granted, and
 * acknowledges. Where `obeys` is false it does so only when it is told to.
 */
export class Consumer {
  readonly socket: Socket;
  /** Every line that was read, as it came. */
  readonly lines: Record<string, unknown>[] = [];
  readonly live = new Map<string, unknown>();
  /** By `client address port`: the names that opened it. */
  readonly grants = new Map<string, string>();
  sequence = 0;
  /** Snapshots that were whole, and how often lines were dropped. */
  snapshots = 0;
  dropped = 0;
  /** Lines whose number was not the one that had to come. */
  gaps = 0;
  over = false;
  #acknowledged = 0;
  #obeys: boolean;
  #rest = '';

  constructor(socket: Socket, obeys = true) {
    this.socket = socket;
    this.#obeys = obeys;
    socket.setEncoding('utf8');
    socket.on('data', (text) => this.#take(String(text)));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.over = true;
    });
  }

  say(line: object | string): void {
    this.socket.write(typeof line === 'string' ? line : `${JSON.stringify(line)}\n`);
  }

  hello(): void {
    this.live.clear();
    this.grants.clear();
    this.say({ op: 'hello', v: 1 });
  }

  acknowledge(): void {
    if (this.sequence === this.#acknowledged) return;
    this.#acknowledged = this.sequence;
    this.say({ op: 'ack', seq: this.sequence });
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#hear(JSON.parse(line) as Line);
    if (this.#obeys) this.acknowledge();
  }

  #hear(line: Line): void {
    this.lines.push({ ...line });
    const { op, seq = 0, client, address, ports, name = '' } = line;
    if (op === 'hello') return;
    if (op === 'dropped') {
      this.dropped++;
      // What was sent before is no longer to be acknowledged.
      this.#acknowledged = this.sequence;
      if (this.#obeys) this.hello();
      return;
    }
    if (seq !== this.sequence + 1) this.gaps++;
    this.sequence = seq;
    switch (op) {
      case 'live':
        this.live.set(client, line);
        return;
      case 'grant':
        for (const port of ports) this.grants.set(`${client} ${address} ${port}`, name);
        return;
      case 'revoke':
        for (const port of ports) this.grants.delete(`${client} ${address} ${port}`);
        return;
      case 'end':
        this.live.delete(client);
        for (const key of this.grants.keys()) if (key.startsWith(`${client} `)) this.grants.delete(key);
        return;
      case 'snapshot':
        this.snapshots++;
    }
  }
}

interface Line {
  readonly op: string;
  readonly seq?: number;
  readonly client: string;
  readonly address: string;
  readonly ports: readonly string[];
  readonly name?: string;
}
