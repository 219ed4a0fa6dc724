import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { EnforcerLink } from '../../../src/assembly/firewall/enforcer-link.ts';
import type { GrantOrder } from '../../../src/resolve/grants/grant-line.ts';
import { until } from '../../server/namegate.ts';

/** The resolver's end of the socket, against an enforcer that the test plays. */

const end = (client: string): GrantOrder => ({
  op: 'end',
  client,
  identity: null,
  lease: null,
  quarantine_ms: 0,
});
const live = (client: string): GrantOrder => ({
  op: 'live',
  client,
  identity: 'job',
  lease: null,
  ttl_ms: null,
});

/** An enforcer: it greets and acknowledges until it is `silent`. */
class Played {
  readonly heard: string[] = [];
  silent = false;
  /** It says that it can tell what it holds. */
  holds = false;
  /** Answers the question what it holds. */
  tell = (): void => {};
  readonly #server = createServer((socket) => this.#arrived(socket));
  readonly #sockets = new Set<Socket>();

  listen(path: string): Promise<void> {
    return new Promise((resolve) => this.#server.listen(path, resolve));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #arrived(socket: Socket): void {
    this.#sockets.add(socket);
    if (this.silent) return;
    socket.write(`{"op":"hello","v":1,"holds":${this.holds}}\n`);
    let rest = '';
    socket.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#take(socket, JSON.parse(line));
    });
  }

  #take(socket: Socket, line: Record<string, unknown>): void {
    if (this.silent) return;
    if (line['op'] === 'check') socket.write('{"op":"rules","hash":"1","mended":0,"trouble":""}\n');
    else if (line['op'] === 'held') {
      this.heard.push('held');
      this.tell = () =>
        socket.write(
          '{"op":"held","client":"10.0.0.9","identity":"job","lease":null,"certified":true}\n{"op":"held-end"}\n',
        );
    } else if (line['op'] !== 'hello') {
      this.heard.push(`${line['op']} ${line['client'] ?? ''}`.trim());
      socket.write(`{"op":"ack","seq":${line['seq']}}\n`);
    }
  }
}

function rig(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'ng-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const rig = { now: 1_000, rules: 0, said: [] as string[], path: join(folder, 'e.sock'), wait: 60_000 };
  const link = new EnforcerLink({
    socket: rig.path,
    wait: () => rig.wait,
    now: () => rig.now,
    snapshot: () => [live('10.0.0.0/8'), { op: 'snapshot' }],
    heard: {
      changed: (up, why) => rig.said.push(up ? 'up' : why),
      rules: () => rig.rules++,
      refused: () => {},
      untold: () => {},
      fault: (text) => rig.said.push(text),
      held: (line) => rig.said.push(`held ${line.client}`),
      heldEnd: () => rig.said.push('held-end'),
      bug: (error) => t.fail(String(error)),
    },
  });
  t.teardown(() => link.close());
  return Object.assign(rig, { link });
}

t.test(
  'what is told while nobody is there comes in its order, and what nobody waits for with it',
  async (t) => {
    const here = rig(t);
    const settled: string[] = [];
    const waiter = (name: string) => ({
      settled: (good: boolean) => settled.push(`${name} ${good}`),
      expired: () => settled.push(`${name} late`),
    });
    here.link.start();
    here.link.order([end('10.0.0.1')], null);
    here.link.order([live('10.0.0.2')], waiter('a'));
    here.link.order([end('10.0.0.2')], null);
    here.link.order([live('10.0.0.3')], waiter('b'));
    const enforcer = new Played();
    t.teardown(() => enforcer.close());
    await enforcer.listen(here.path);
    await until(() => settled.length === 2);
    t.same(enforcer.heard, [
      'live 10.0.0.0/8',
      'snapshot',
      'live 10.0.0.2',
      // The lease has ended before anybody heard of its grant.
      'end 10.0.0.2',
      'live 10.0.0.3',
    ]);
    t.same(settled, ['a true', 'b true']);
  },
);

t.test('what nobody took in time is told to nobody', async (t) => {
  const here = rig(t);
  here.wait = 5;
  const told: string[] = [];
  here.link.start();
  here.link.order([live('10.0.0.2')], {
    settled: () => told.push('settled'),
    expired: () => told.push('late'),
  });
  here.link.order([end('10.0.0.2')], null);
  here.now += 10;
  await until(() => told.length === 1);
  const enforcer = new Played();
  t.teardown(() => enforcer.close());
  await enforcer.listen(here.path);
  await until(() => here.said.includes('up'));
  t.same(told, ['late']);
  t.same(enforcer.heard, ['live 10.0.0.0/8', 'snapshot']);
});

t.test('who has started anew asks what is held, and tells what is granted when it has heard', async (t) => {
  const here = rig(t);
  const enforcer = new Played();
  enforcer.holds = true;
  t.teardown(() => enforcer.close());
  await enforcer.listen(here.path);
  here.link.start();
  await until(() => enforcer.heard.includes('held'));
  const settled: boolean[] = [];
  here.link.order([live('10.0.0.2')], { settled: (good) => settled.push(good), expired: () => {} });
  await until(() => settled.length === 1);
  t.same(
    enforcer.heard,
    ['live 10.0.0.0/8', 'held', 'live 10.0.0.2'],
    'who is live is told first, and no answer waits',
  );
  t.equal(here.link.isSettled, false);
  here.link.repeat();
  enforcer.tell();
  await until(() => here.said.includes('up'));
  t.same(here.said, ['held 10.0.0.9', 'held-end', 'up']);
  t.same(enforcer.heard.slice(3), ['live 10.0.0.0/8', 'snapshot']);
  enforcer.close();
  await until(() => here.said.length === 4);
  const next = new Played();
  next.holds = true;
  t.teardown(() => next.close());
  await next.listen(here.path);
  await until(() => here.said.at(-1) === 'up');
  t.same(next.heard, ['live 10.0.0.0/8', 'snapshot'], 'another enforcer is asked nothing');
});

t.test('an enforcer that is stopped is as good as gone', async (t) => {
  const here = rig(t);
  const enforcer = new Played();
  t.teardown(() => enforcer.close());
  await enforcer.listen(here.path);
  here.link.start();
  await until(() => here.said.includes('up'));
  here.link.check();
  await until(() => here.rules === 1);
  here.now += 60_000;
  here.link.check();
  await until(() => here.rules === 2);
  enforcer.silent = true;
  here.link.check();
  here.now += 9_000;
  here.link.check();
  t.equal(here.said.at(-1), 'up');
  here.now += 2_000;
  here.link.check();
  await until(() => here.said.at(-1) !== 'up');
  t.match(here.said.at(-1), /^no answer from /);
  here.now += here.wait + 1;
  t.equal(here.link.down, true, 'nobody waits for it');
  enforcer.silent = false;
  enforcer.close();
});
