import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { missingForRoot } from './process.ts';

/**
 * A job's user arranges limits, files, signals and moments for the hooks, and servers answer as they like. Whatever it is: once
 * job-completed has run, no lease is left that the hooks opened.
 */

const NOBODY = 65_534;
const HOOKS = fileURLToPath(new URL('../../packaging/github-runner', import.meta.url));
const RECORDS = `/var/tmp/namegate-runner-${NOBODY}`;

interface Leases {
  readonly url: string;
  /** Live leases by id, with the tag of the hook. */
  readonly live: Map<string, string>;
  /** Of each POST. */
  readonly opened: string[];
}

type Later = () => Promise<unknown>;

/** Writes the 201 of a lease. */
type Saying = (reply: ServerResponse, id: string) => void;

const say201: Saying = (reply, id) =>
  void reply.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ id }));

/** A server that opens leases when `later` resolves, and says so by `saying`. */
async function leases(t: Test, later: Later = async () => {}, saying: Saying = say201): Promise<Leases> {
  const live = new Map<string, string>();
  const opened: string[] = [];
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    reply.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const id = decodeURIComponent(request.url?.split('/').at(-1) ?? '');
      if (request.method === 'POST') {
        const text = Buffer.concat(chunks).toString();
        if (text === '') return;
        const { job } = JSON.parse(text) as { job: { hook: string } };
        void later().then(() => {
          const lease = `lease-${opened.length}`;
          opened.push(lease);
          live.set(lease, job.hook);
          saying(reply, lease);
        });
      } else if (request.method === 'DELETE') {
        reply.writeHead(live.delete(id) ? 200 : 404).end('{}');
      } else {
        const all = Array.from(live, ([lease, hook]) => ({ id: lease, stage: null, job: { run: 1, hook } }));
        reply.writeHead(200).end(JSON.stringify({ leases: all, next: null }, null, ' '));
      }
    });
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, live, opened };
}

let hooks = HOOKS;
const skip = missingForRoot('curl', 'bash', 'flock');

t.before(() => {
  hooks = mkdtempSync(join(tmpdir(), 'namegate-hooks-'));
  chmodSync(hooks, 0o755);
  cpSync(HOOKS, hooks, { recursive: true });
});
t.beforeEach(() => rmSync(RECORDS, { recursive: true, force: true }));
t.teardown(() => {
  rmSync(RECORDS, { recursive: true, force: true });
  if (hooks !== HOOKS) rmSync(hooks, { recursive: true, force: true });
});

/** Starts a hook as the job's user, behind a shell line that arranges something. */
function start(name: string, admin: readonly string[], arrange = ''): ChildProcess & { said: string } {
  const env = {
    NAMEGATE_ADMIN: admin.join('\n\t'),
    NAMEGATE_IDENTITY: 'payments-build',
    NAMEGATE_ADDRESS: '10.20.3.4',
    NAMEGATE_PATIENCE: '1',
  };
  const line = `${arrange}\nexec "$0" "$@"`;
  const child = spawn('/bin/bash', ['-c', line, join(hooks, name)], {
    env,
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/',
    detached: true,
  }) as unknown as ChildProcess & { said: string };
  child.said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    child.said += chunk.toString();
  });
  return child;
}

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once('close', (code) => resolve(code)));

async function complete(t: Test, server: Leases, what: string): Promise<void> {
  const child = start('job-completed.sh', [server.url]);
  const code = await ended(child);
  t.same([...server.live.keys()], [], `${what}: no lease is left (exit ${code}: ${child.said.trim()})`);
}

t.test('limits and files that the caller arranges', { skip }, async (t) => {
  for (const arrange of [
    'ulimit -f 0',
    'ulimit -f 1',
    ...[3, 5, 8].map((files) => `ulimit -n ${files}`),
    'ulimit -v 60000',
    'ulimit -v 20000',
    'ulimit -d 1000',
    'ulimit -s 64',
    'ulimit -i 0',
    'exec 2>&-',
    'exec 1>&- 2>&-',
    'exec 0<&- 1>&- 2>&-',
    'exec 2>/dev/full',
    "trap '' TERM HUP INT PIPE CHLD",
    'cd /proc/self/fd',
    'umask 777',
  ]) {
    const server = await leases(t);
    const started = await ended(start('job-started.sh', [server.url], arrange));
    if (started !== 0) t.same([...server.live.keys()], [], `${arrange}: what failed leaves nothing open`);
    await complete(t, server, `${arrange}: exit ${started}, ${server.opened.length} opened`);
  }
});

/** Standard error or output is a pipe that is full, and that nobody reads. */
const fullPipe = (descriptor: 1 | 2): string =>
  `exec ${descriptor}> >(exec sleep 60 >/dev/null 2>&1); timeout 0.5 cat /dev/zero >&${descriptor}`;

t.test('what it says goes into a full pipe', { skip, timeout: 60_000 }, async (t) => {
  const server = await leases(t);
  const refusing = await leases(t, undefined, (reply) => void reply.writeHead(409).end('{"detail":"no"}'));
  refusing.live.clear();
  const child = start('job-started.sh', [server.url, refusing.url], fullPipe(2));
  t.equal(await ended(child), 1);
  t.equal(server.opened.length, 1);
  t.same([...server.live.keys()], [], 'what one server opened is ended, though nobody hears why');
  await complete(t, server, 'a full pipe');

  t.equal(await ended(start('job-started.sh', [server.url])), 0);
  const reader = start(
    'runner-lease',
    [server.url],
    `${fullPipe(1)}\nset -- report --identity=payments-build --address=10.20.3.4`,
  );
  t.not(await ended(reader), 0, 'a report that nobody reads ends');
  await complete(t, server, 'a report into a full pipe');
});

t.test('signals at every moment, while a server is slow', { skip }, async (t) => {
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGPIPE', 'SIGALRM', 'SIGKILL'] as const) {
    for (const moment of [50, 400]) {
      const server = await leases(t, () => wait(600));
      const child = start('job-started.sh', [server.url]);
      await wait(moment);
      // To the whole group, as a runner does that cancels a job.
      try {
        process.kill(-(child.pid ?? 0), signal);
      } catch {
        // It has ended.
      }
      await ended(child);
      // A server that was cut off opens its lease all the same.
      await wait(700);
      await complete(t, server, `${signal} after ${moment} ms`);
    }
  }
});

t.test('a lease that comes after the hook gave up is ended by the next', { skip }, async (t) => {
  let release = (): void => {};
  const server = await leases(t, () => new Promise<void>((resolve) => (release = resolve)));
  const child = start('job-started.sh', [server.url]);
  t.equal(await ended(child), 1);
  t.match(child.said, /no answer in 1 s/);
  await complete(t, server, 'too early for it');
  release();
  await wait(50);
  t.equal(server.live.size, 1, 'now it is there');
  await complete(t, server, 'later');
});

t.test('answers of any kind', { skip }, async (t) => {
  const answers: Readonly<Record<string, Saying>> = {
    garbage: (reply) => void reply.writeHead(201).end('{"id": "lease-0"'),
    'no body': (reply) => void reply.writeHead(201).end(),
    'a list': (reply) => void reply.writeHead(201).end('["id"]'),
    'an id that is none': (reply) => void reply.writeHead(201).end('{"id":"../../x y"}'),
    'an id inside': (reply) => void reply.writeHead(201).end('{"job":{"id":"other"}}'),
    'NUL octets': (reply) => void reply.writeHead(201).end('\0\0{"id":1}\0'),
    'a redirect': (reply) => void reply.writeHead(307, { location: '/v1/leases' }).end(),
    'a reset': (reply) => void reply.socket?.resetAndDestroy(),
    'an endless body': (reply) => {
      reply.writeHead(201);
      const more = setInterval(() => reply.write('x'.repeat(65_536)), 1);
      reply.on('close', () => clearInterval(more));
    },
    'five megabytes': (reply) => void reply.writeHead(201).end(Buffer.alloc(5_000_000, ' ')),
  };
  for (const [what, saying] of Object.entries(answers)) {
    const server = await leases(t, undefined, saying);
    const child = start('job-started.sh', [server.url]);
    t.equal(await ended(child), 1, `${what}: ${child.said}`);
    t.same([...server.live.keys()], [], `${what}: nothing is left open`);
    rmSync(RECORDS, { recursive: true, force: true });
  }
  const spaced = await leases(t, undefined, (reply, id) => {
    reply
      .writeHead(201)
      .end(`{ "links" : [ { "id" : "no" } ],\r\n\t"id"\n:\n"${id}" , "job": {"x": "\\"id\\": \\"no\\""} }`);
  });
  t.equal(await ended(start('job-started.sh', [spaced.url])), 0, 'any spacing is JSON');
  await complete(t, spaced, 'spaced');
});

t.test('what the server said', { skip }, async (t) => {
  for (const body of [
    '{"detail":"the address has the live lease 01K-x","errors":[{"detail":"has a live lease"}]}',
    '{ "errors" : [ {"detail" : "has a live lease"} ] ,\n "detail" :\n "the address has the live lease 01K-x" }',
  ]) {
    const server = await leases(t, undefined, (reply) => void reply.writeHead(409).end(body));
    const child = start('job-started.sh', [server.url]);
    t.equal(await ended(child), 1);
    t.match(child.said, /409 the address has the live lease 01K-x$/m, 'the lease is named');
  }
});

t.test('servers in a list with any white space are all asked', { skip }, async (t) => {
  const servers = await Promise.all([leases(t), leases(t), leases(t)]);
  t.equal(
    await ended(
      start(
        'job-started.sh',
        servers.map(({ url }) => url),
      ),
    ),
    0,
  );
  t.same(
    servers.map(({ live }) => live.size),
    [1, 1, 1],
  );
});

t.test('a record that cannot be written: no server is asked', { skip }, async (t) => {
  const server = await leases(t);
  const child = start('job-started.sh', [server.url], 'ulimit -f 0');
  t.equal(await ended(child), 1);
  t.same(server.opened, []);
  t.match(child.said, /cannot be written: nothing was asked for/);
});
