import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { missing, must } from '../interop/process.ts';
import { ask, Client, type Transport } from '../server/client.ts';
import { type Namegate, namegate, pause, until } from '../server/namegate.ts';
import { type Upstream, upstream } from '../server/upstream.ts';
import { crowd } from './crowd.ts';
import { descriptors } from './load.ts';
import { policyOf } from './policy.ts';

/** The limit on open files: what is served when it is reached, what the log says, and what it takes to recover. */

const LIMIT = 64;

/** `more`: another pattern that is approved. */
const policy = (...more: readonly string[]): string =>
  policyOf({ name: 'job', from: ['127.0.0.0/8'], allow: ['*.good.example', ...more] });

async function rig(
  t: Test,
  under: readonly string[],
): Promise<{ server: Namegate; slow: Upstream; pid: number }> {
  const slow = await upstream(t, ({ name }, to) => {
    const answer = () => to.reply({ answer: [`${name} 300 A 198.51.100.1`] });
    if (name.startsWith('slow')) setTimeout(answer, 500);
    else answer();
  });
  const server = await namegate(t, { policy: policy(), servers: `[${slow.url}]`, under });
  return { server, slow, pid: server.child.pid! };
}

/** The RCODE of an answer on a new socket, or what went wrong. Each from another address: a cap is small here. */
function outcome(server: Namegate, name: string, over: Transport): Promise<string> {
  return ask(server, name, { over, from: `127.0.0.${10 + (asked++ % 200)}`, patience: 2000 }).then(
    ({ rcode }) => rcode,
    (error: unknown) => String(error),
  );
}

let names = 0;
let asked = 0;

/** A cached name, a denied one and a new one, over UDP and TCP. */
async function outcomes(
  server: Namegate,
  transports: readonly Transport[] = ['udp', 'tcp'],
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const over of transports) {
    found[`cached ${over}`] = await outcome(server, 'cached.good.example', over);
    found[`denied ${over}`] = await outcome(server, 'denied.example', over);
    found[`new ${over}`] = await outcome(server, `new${names++}.good.example`, over);
  }
  return found;
}

const ALL_GOOD = {
  'cached udp': 'NOERROR',
  'denied udp': 'NXDOMAIN',
  'new udp': 'NOERROR',
  'cached tcp': 'NOERROR',
  'denied tcp': 'NXDOMAIN',
  'new tcp': 'NOERROR',
};

t.test(
  `a limit of ${LIMIT} open files from the start: caps shrink with it, the log says so, all is served`,
  { skip: missing('prlimit') },
  async (t) => {
    const { server, pid } = await rig(t, ['prlimit', `--nofile=${LIMIT}:${LIMIT}`]);
    // The alert feed's worker opens its database once it has begun.
    await until(() => existsSync(server.path('state/feed.db-shm')));
    const idle = descriptors(pid);
    t.match(
      server.events('descriptor-limit'),
      [{ level: 'warn', open_files: LIMIT }],
      'the log says what it does',
    );
    t.same(await outcomes(server), ALL_GOOD);

    const others = crowd(t, server, { count: 300, addresses: 30, kind: 'idle' });
    await until(
      () => others.connected > 100 && others.ended > 100,
      () => `${others.connected} connected`,
    );
    t.same(await outcomes(server), ALL_GOOD, 'beside 300 connections');
    t.match(await server.logged('listener-refused'), { level: 'warn' }, 'the caps are in the log');

    const client = await Client.open(server, 'udp');
    const codes = await Promise.all(
      Array.from({ length: 300 }, (_, i) => client.ask(`slow${i}.good.example`).then(({ rcode }) => rcode)),
    );
    client.close();
    const failed = codes.filter((code) => code === 'SERVFAIL').length;
    t.ok(
      codes.every((code) => code === 'NOERROR' || code === 'SERVFAIL'),
      `300 questions at once: ${codes.length - failed} answered, ${failed} SERVFAIL`,
    );
    if (failed > 0)
      t.match(await server.logged('upstream-changed'), { kind: 'sockets-exhausted' }, 'the log says so');
    t.ok(descriptors(pid) < LIMIT, `${descriptors(pid)} are open`);

    server.replace('policy/test.yaml', policy('more.example.com'));
    await server.logged('policy-loaded');
    t.equal(
      await outcome(server, 'more.example.com', 'udp'),
      'NOERROR',
      'a change comes into force meanwhile',
    );
    await others.leave();
    await until(
      () => descriptors(pid) <= idle + 1,
      () => `${descriptors(pid)} are open, ${idle} were`,
    );
    t.same(await outcomes(server), ALL_GOOD, 'and after all that');
    await server.stop(t);
  },
);

t.test(
  'the limit is reached while it serves: what needs no descriptor is served, the rest within 5 s when there are some',
  { skip: missing('prlimit') },
  async (t) => {
    const { server, pid } = await rig(t, []);
    t.same(await outcomes(server), ALL_GOOD);
    await must(['prlimit', `--pid=${pid}`, '--nofile=3:']);
    // A connection waits in the kernel until it can be accepted.
    const found = await outcomes(server, ['udp']);
    t.match(found, { 'cached udp': 'NOERROR', 'denied udp': 'NXDOMAIN', 'new udp': /^(NOERROR|SERVFAIL)$/ });
    // A socket to the upstream that is open already needs no other.
    if (found['new udp'] === 'SERVFAIL')
      t.match(await server.logged('upstream-changed'), { detail: 'EMFILE' }, 'it says so');
    server.replace('policy/test.yaml', policy('more.example.com'));
    server.kill('SIGHUP');
    await server.logged('reload-failed');
    await pause(1500);
    t.match(
      await outcomes(server, ['udp']),
      { 'cached udp': 'NOERROR', 'denied udp': 'NXDOMAIN' },
      'the last policy serves',
    );

    await must(['prlimit', `--pid=${pid}`, '--nofile=10000:']);
    const took = await until(
      async () => (await outcome(server, `back${names++}.good.example`, 'tcp')) === 'NOERROR',
      () => 'it does not recover',
      5000,
    );
    t.comment(`new names over TCP after ${took.toFixed(0)} ms`);
    t.same(await outcomes(server), ALL_GOOD);
    server.kill('SIGHUP');
    await server.logged('policy-loaded');
    t.equal(await outcome(server, 'more.example.com', 'udp'), 'NOERROR', 'the change comes into force');
    server.kill('SIGTERM');
    t.match(await server.ended, { code: 0, signal: null });
    t.match(server.events('stopped'), [{ queries: { bugs: 0 }, lost_log_lines: 0 }]);
  },
);
