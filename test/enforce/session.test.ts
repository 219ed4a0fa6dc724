import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import { Session } from '../../src/enforce/session.ts';

/** One resolver at the socket: what becomes one transaction. */

/** A socket on which text comes in pieces that the test cuts. */
class Piecemeal extends EventEmitter {
  destroyed = false;
  writableLength = 0;
  readonly said: string[] = [];
  setEncoding(): void {}
  write(text: string): boolean {
    this.said.push(...text.trim().split('\n'));
    return true;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

function rig() {
  const socket = new Piecemeal();
  const applied: string[][] = [];
  new Session(socket as unknown as Socket, {
    apply: (orders) => {
      applied.push(orders.map((order) => `${order.op} ${'address' in order ? order.address : ''}`.trim()));
      return orders.map(() => null);
    },
    begin: () => {},
    settle: () => {},
    held: () => [],
    rules: () => ({ op: 'rules', hash: '', mended: 0, trouble: '' }),
    ended: (why) => t.fail(why),
  });
  socket.emit('data', '{"op":"hello","v":1}\n');
  return { socket, applied };
}

const who = { client: '10.0.0.1', identity: 'job', lease: null, ports: ['tcp/443'] } as const;
let seq = 0;
const line = (op: 'grant' | 'revoke', address: string, name: string): string =>
  `${JSON.stringify({ seq: ++seq, op, ...who, address, name, ttl_ms: 1000 })}\n`;

t.test('what is taken away and granted again is one transaction, wherever the stream is cut', async (t) => {
  const text = ['192.0.2.1', '192.0.2.2']
    .map(
      (address) =>
        ['a', 'b'].map((name) => line('revoke', address, name)).join('') + line('grant', address, 'b'),
    )
    .join('');
  for (let cut = 1; cut < text.length; cut++) {
    // Between two lines nobody knows that more will come.
    if (text[cut - 1] === '\n') continue;
    const { socket, applied } = rig();
    socket.emit('data', text.slice(0, cut));
    socket.emit('data', text.slice(cut));
    t.equal(applied.flat().length, 6, `cut at ${cut}`);
    for (const address of ['192.0.2.1', '192.0.2.2']) {
      const with_ = applied.filter((orders) => orders.some((order) => order.endsWith(address)));
      t.equal(with_.length, 1, `cut at ${cut}: ${address}`);
    }
    t.match(socket.said.at(-1), '"op":"ack"');
  }
});

t.test('many orders are some transactions, and none is cut in what belongs together', async (t) => {
  const { socket, applied } = rig();
  const lines: string[] = [];
  for (let i = 0; i < 200; i++)
    lines.push(
      line('revoke', `192.0.2.${i}`, 'a'),
      line('grant', `192.0.2.${i}`, 'a'),
      line('grant', `192.0.2.${i}`, 'b'),
    );
  socket.emit('data', lines.join(''));
  t.equal(applied.flat().length, 600);
  t.ok(applied.length >= 2);
  for (const orders of applied) t.equal(orders.length % 3, 0);
  const crowd = Array.from({ length: 5_000 }, (_, i) => line('grant', '192.0.2.1', `n${i}`)).join('');
  socket.emit('data', crowd);
  t.equal(applied.flat().length, 5_600);
  t.ok(
    applied.every((orders) => orders.length <= 2_048),
    'and none is without bound',
  );
});
