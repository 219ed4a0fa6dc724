import { createSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { jsonText } from '../../../src/outbox/formats/json-text.ts';
import { syslogMessage } from '../../../src/outbox/sinks/syslog-message.ts';
import type { SyslogSinkSetting } from '../../../src/settings/alert-settings.ts';
import { DENY } from '../formats/events.ts';
import { fastClock, NO_TLS, once, Rig, TERMS, until, upTo } from './rig.ts';

/** A receiver of frames `LENGTH SP MESSAGE`; each connection counts for itself. */
class Receiver {
  readonly frames: string[] = [];
  readonly sockets = new Set<Socket>();
  connections = 0;
  port = 0;
  /** What becomes of a connection. */
  mode: 'read' | 'close' | 'ignore' = 'read';
  #server: Server | null = null;

  async listen(t: Test, port = 0): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    this.port = (server.address() as { port: number }).port;
    t.teardown(() => this.close());
  }

  close(): void {
    this.#server?.close();
    this.#server = null;
    for (const socket of this.sockets) socket.destroy();
  }

  seqs(): number[] {
    return this.frames.map((frame) => (JSON.parse(frame.slice(frame.indexOf('{'))) as { seq: number }).seq);
  }

  #serve(socket: Socket): void {
    this.connections++;
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    if (this.mode === 'ignore') {
      socket.pause();
      return;
    }
    let text = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
      for (;;) {
        const length = /^([1-9]\d*) /.exec(text);
        if (length === null) {
          if (text.length > 10) throw new Error(`no frame: ${text.slice(0, 40)}`);
          break;
        }
        const end = length[0].length + Number(length[1]);
        if (text.length < end) break;
        this.frames.push(text.slice(length[0].length, end));
        text = text.slice(end);
      }
      if (this.mode === 'close') socket.end();
    });
  }
}

function setting(port: number, more: Partial<SyslogSinkSetting> = {}): SyslogSinkSetting {
  return { ...TERMS, type: 'syslog', protocol: 'tcp', host: '127.0.0.1', port, tls: NO_TLS, ...more };
}

t.test('a message is that of RFC 5424, its MSG the one JSON object', async (t) => {
  const json = jsonText({ name: 'é\u{1f600}', a: 1 });
  const message = syslogMessage({ ...DENY, server: 'ns1 {x}' }, json);
  t.equal(message, `<133>1 ${DENY.time} ns1__x_ namegate - deny - {"name":"\\u00e9\\ud83d\\ude00","a":1}`);
  t.match(JSON.parse(message.slice(message.indexOf('{'))), { name: 'é\u{1f600}' });
});

t.test('frames arrive, and count once the connection stayed open', async (t) => {
  const receiver = new Receiver();
  await receiver.listen(t);
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const clock = fastClock(1);
  const isHold = (milliseconds: number): boolean => milliseconds === 5_000;
  const rig = new Rig(t, {
    now: clock.now,
    sleep: (milliseconds, signal) => (isHold(milliseconds) ? released : clock.sleep(milliseconds, signal)),
  });
  await rig.use(setting(receiver.port));
  rig.deny(600);
  await until('all have arrived', () => receiver.frames.length === 600);
  t.equal(rig.store.cursor('siem'), 0, 'they do not count yet');
  release();
  await until('they count', () => rig.acknowledged());
  t.same(receiver.seqs(), upTo(600));
  t.equal(receiver.connections, 1);
});

t.test('what a connection took that ended soon is sent again on the next', async (t) => {
  const receiver = new Receiver();
  receiver.mode = 'close';
  await receiver.listen(t);
  const rig = new Rig(t);
  await rig.use(setting(receiver.port));
  rig.deny(5);
  await until('it has come three times', () => receiver.connections >= 3);
  t.equal(rig.store.cursor('siem'), 0);
  t.match(rig.sinks.states, [{ status: 'waiting' }]);
  receiver.mode = 'read';
  await until('it counts', () => rig.acknowledged());
  t.same(once(receiver.seqs()), upTo(5));
  t.match(rig.sinks.states, [{ status: 'ok' }]);
});

t.test('what is sent past all that waits counts once its own connection stayed open', async (t) => {
  const receiver = new Receiver();
  await receiver.listen(t);
  const rig = new Rig(t);
  await rig.use(setting(receiver.port));
  const event = { position: 0, event: DENY };
  const sent = await rig.sinks.tryOut('siem', [event], 8_000);
  t.match(sent, { accepted: 1, trouble: null });
  t.equal(await sent?.held, null, 'and it was not ended before');
  t.same(receiver.frames.length, 1);
  receiver.mode = 'close';
  const cut = await rig.sinks.tryOut('siem', [event], 8_000);
  t.match(await cut?.held, { reason: /has closed the connection/ });
});

t.test('a receiver that reads nothing delays no other', async (t) => {
  const [slow, good] = [new Receiver(), new Receiver()];
  slow.mode = 'ignore';
  await slow.listen(t);
  await good.listen(t);
  const rig = new Rig(t);
  await rig.use(setting(slow.port, { name: 'slow' }), setting(good.port, { name: 'good' }));
  for (let i = 0; i < 40; i++) rig.deny(500, () => ({ text: 'x'.repeat(1_000) }));
  await until('the good one has all', () => rig.acknowledged('good'));
  await until('the slow one is known', () => /takes nothing/.test(rig.sinks.states[0]?.reason ?? ''));
  // Two connections that follow each other within the fast clock's waits may be read in turns.
  t.same(
    once(good.seqs()).sort((a, b) => a - b),
    upTo(20_000),
  );
});

t.test('UDP: a message a datagram, and what fits in none is a dead letter', async (t) => {
  const socket = createSocket('udp4');
  const found: string[] = [];
  socket.on('message', (message) => found.push(message.toString()));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.teardown(() => socket.close());
  const rig = new Rig(t);
  await rig.use(setting(socket.address().port, { protocol: 'udp' }));
  rig.deny(3, (n) => (n === 2 ? { text: 'x'.repeat(70_000) } : {}));
  await until('it counts', () => rig.acknowledged() && found.length === 2);
  for (const message of found) t.match(message, /^<133>1 \S+Z ns1 namegate - deny - \{/);
  t.match(rig.store.dead('siem', 10), [{ event: { seq: 2 }, reason: /more than a datagram holds/ }]);
});
