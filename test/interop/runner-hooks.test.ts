import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { missingForRoot } from './process.ts';

/** The runner's hooks as a runner runs them: another user, an empty environment, servers in every state. */

const NOBODY = 65_534;
const HOOKS = fileURLToPath(new URL('../../packaging/github-runner', import.meta.url));
const RECORDS = `/var/tmp/namegate-runner-${NOBODY}`;

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly authorization: string | undefined;
}

type Answering = (asked: Asked, reply: ServerResponse) => void;

interface Api {
  readonly url: string;
  readonly asked: Asked[];
}

/** An admin API that says what a test wants. */
async function api(t: Test, answering: Answering, path: string | null = null): Promise<Api> {
  const asked: Asked[] = [];
  const server = createServer((request: IncomingMessage, reply: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const one = {
        method,
        path: url,
        body: Buffer.concat(chunks).toString(),
        authorization: headers.authorization,
      };
      asked.push(one);
      answering(one, reply);
    });
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => {
    if (path === null) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  const address = server.address();
  if (path !== null) chmodSync(path, 0o666);
  const url =
    typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : `unix:${path}`;
  return { url, asked };
}

function json(reply: ServerResponse, status: number, body: unknown): void {
  reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** What a server reports of a job that was refused nothing. */
const CLEAN = {
  verdict: 'all that was asked is approved',
  complete: true,
  ask: 'team-payments',
  totals: { unapproved: { names: 0, questions: 0 }, contained: { names: 0, questions: 0 } },
  sections: { unapproved: [], contained: [] },
};

const GOOD: Answering = ({ method, path }, reply) => {
  if (method === 'POST') json(reply, 201, { id: 'lease-1', expires: '2027-01-01T00:00:00Z' });
  else if (method === 'DELETE')
    json(reply, 200, { id: path.split('/').at(-1), ended: '2026-11-20T00:00:00Z', counts: {} });
  else json(reply, 200, path.startsWith('/v1/report') ? CLEAN : { leases: [] });
};

interface Ran {
  readonly code: number | null;
  readonly said: string;
}

/** Runs a hook as a user without rights, with these variables and no others. */
function hook(name: string, env: Record<string, string>): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(hooks, name), [], { env, uid: NOBODY, gid: NOBODY, cwd: '/' });
    const said: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, said: Buffer.concat(said).toString() }));
  });
}

function settings(admin: readonly string[], more: Record<string, string> = {}): Record<string, string> {
  return {
    NAMEGATE_ADMIN: admin.join(' '),
    NAMEGATE_IDENTITY: 'payments-build',
    NAMEGATE_ADDRESS: '10.20.3.4',
    NAMEGATE_PATIENCE: '2',
    ...more,
  };
}

/** The lines on record. */
function recorded(): string[] {
  if (!existsSync(RECORDS)) return [];
  const files = readdirSync(RECORDS).filter((name) => !/\.(lock|begun)$/.test(name));
  return files.flatMap((name) => readFileSync(join(RECORDS, name), 'utf8').trim().split('\n'));
}

const calls = ({ asked }: Api): string[] =>
  asked.filter(({ path }) => !path.startsWith('/v1/report')).map(({ method, path }) => `${method} ${path}`);

// Another user reads the scripts, so they stand where every user may look.
let hooks = HOOKS;
const skip = missingForRoot('curl', 'bash');

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

t.test('an empty environment is refused with what to write', { skip }, async (t) => {
  for (const name of ['job-started.sh', 'job-completed.sh']) {
    const bare = await hook(name, {});
    t.equal(bare.code, 2, bare.said);
    t.match(bare.said, /NAMEGATE_ADMIN is empty: write unix:PATH or http:/);
    const wrong = [
      { NAMEGATE_ADMIN: 'https://api.example' },
      { NAMEGATE_ADMIN: 'http://192.0.2.1:80' },
      { NAMEGATE_IDENTITY: '' },
      { NAMEGATE_IDENTITY: '"; rm -rf /' },
      { NAMEGATE_ADDRESS: '' },
      { NAMEGATE_ADDRESS: 'localhost' },
      { NAMEGATE_TTL: '1e9' },
      { NAMEGATE_PATIENCE: '0' },
    ];
    for (const one of wrong) {
      const refused = await hook(name, { ...settings(['http://127.0.0.1:9']), ...one });
      t.equal(refused.code, 2, `${JSON.stringify(one)}: ${refused.said}`);
    }
  }
});

t.test('a lease is opened on every server, and ended on every server', { skip }, async (t) => {
  const socket = join(hooks, 'admin.sock');
  const servers = [await api(t, GOOD), await api(t, GOOD, socket)];
  t.teardown(() => rmSync(socket, { force: true }));
  const urls = servers.map(({ url }) => url);
  const facts = { GITHUB_RUN_ID: '12', GITHUB_RUN_ATTEMPT: '1', GITHUB_JOB: 'say "hi" \\ there\n::error::x' };
  const opened = await hook('job-started.sh', settings(urls, facts));
  t.equal(opened.code, 0, opened.said);
  for (const { asked } of servers) {
    t.equal(asked.length, 1);
    const body = JSON.parse(asked[0]!.body);
    t.match(body, { addresses: ['10.20.3.4'], identity: 'payments-build', ttl: 21_600 });
    t.match(body.job, {
      run_id: '12',
      run_attempt: '1',
      job: 'say "hi" \\ there::error::x',
      hook: /^[0-9a-f]{32}$/,
    });
  }
  const ended = await hook('job-completed.sh', settings(urls, facts));
  t.equal(ended.code, 0, ended.said);
  for (const server of servers) t.same(calls(server), ['POST /v1/leases', 'DELETE /v1/leases/lease-1']);
  const again = await hook('job-completed.sh', settings(urls, facts));
  t.equal(again.code, 0);
  t.match(again.said, /nothing to end/);
});

t.test('on every server or on none', { skip }, async (t) => {
  const conflict: Answering = (_, reply) => {
    reply.writeHead(409, { 'content-type': 'application/problem+json' });
    reply.end(
      JSON.stringify({ title: 'Conflict', detail: 'the address has a live lease\n::set-output name=x::y' }),
    );
  };
  const silent: Answering = ({ method }, reply) => {
    if (method !== 'POST') json(reply, 200, { leases: [] });
  };
  const broken: Answering = (_, reply) => reply.writeHead(500).end('<html>');
  const empty: Answering = (_, reply) => reply.writeHead(201).end();
  // Where a server did not say what became of it, a line stays on record until that is known.
  const cases: readonly (readonly [string, Answering | null, RegExp, number])[] = [
    ['409', conflict, /409 the address has a live lease/, 0],
    ['a server that never answers', silent, /no answer in 2 s/, 1],
    ['a server that fails', broken, /500/, 1],
    ['a server that says nothing good', empty, /201, without the id of a lease/, 1],
    ['a server that is down', null, /nobody listens there/, 0],
  ];
  for (const [what, answering, said, left] of cases) {
    rmSync(RECORDS, { recursive: true, force: true });
    const good = await api(t, GOOD);
    const bad = answering === null ? { url: 'http://127.0.0.1:9', asked: [] } : await api(t, answering);
    const ran = await hook('job-started.sh', settings([good.url, bad.url]));
    t.equal(ran.code, 1, `${what}: ${ran.said}`);
    t.match(ran.said, said);
    t.notMatch(ran.said, /^::/m, 'what a server says commands no runner');
    t.same(
      calls(good),
      ['POST /v1/leases', 'DELETE /v1/leases/lease-1'],
      `${what}: what was opened is ended`,
    );
    t.equal(recorded().length, left, `${what}: what is on record`);
  }
});

t.test('a lease that was opened without an answer is found and ended', { skip }, async (t) => {
  let hookId = '';
  const late = await api(t, ({ method, path, body }, reply) => {
    if (method === 'POST') hookId = JSON.parse(body).job.hook;
    else if (method === 'GET')
      json(reply, 200, {
        leases: [
          { id: 'other', job: { hook: 'ff' } },
          { id: 'unheard', job: { run_id: '1', hook: hookId } },
        ],
      });
    else GOOD({ method, path, body, authorization: undefined }, reply);
  });
  const ran = await hook('job-started.sh', settings([late.url]));
  t.equal(ran.code, 1);
  t.equal(calls(late).at(-1), 'DELETE /v1/leases/unheard');
});

t.test(
  'job-completed fails while a lease cannot be ended, and ends it the next time',
  { skip },
  async (t) => {
    let down = true;
    const server = await api(t, (asked, reply) => {
      if (asked.method === 'DELETE' && down) json(reply, 503, { detail: 'the disk is full' });
      else GOOD(asked, reply);
    });
    t.equal((await hook('job-started.sh', settings([server.url]))).code, 0);
    const failed = await hook('job-completed.sh', settings([server.url]));
    t.equal(failed.code, 1);
    t.match(failed.said, /lease-1 could not be ended: 503 the disk is full/);
    const next = await hook('job-started.sh', settings([server.url]));
    t.equal(next.code, 1, 'the next job does not start beside the old lease');
    down = false;
    t.equal((await hook('job-completed.sh', settings([server.url]))).code, 0);
  },
);

t.test('a lease that is gone is no fault of the job', { skip }, async (t) => {
  const server = await api(t, (asked, reply) => {
    if (asked.method === 'DELETE') json(reply, 404, { detail: 'no such lease' });
    else GOOD(asked, reply);
  });
  t.equal((await hook('job-started.sh', settings([server.url]))).code, 0);
  t.equal((await hook('job-completed.sh', settings([server.url]))).code, 0);
});

t.test('a token goes as a header, and is in no argument', { skip }, async (t) => {
  const server = await api(t, GOOD);
  const file = join(hooks, 'token');
  writeFileSync(file, 'secret-token\n', { mode: 0o644 });
  const ran = await hook('job-started.sh', settings([server.url], { NAMEGATE_TOKEN_FILE: file }));
  t.equal(ran.code, 0, ran.said);
  t.equal(server.asked[0]?.authorization, 'Bearer secret-token');
});

t.test('somebody else owns the folder of records: refused', { skip }, async (t) => {
  mkdirSync(RECORDS, { mode: 0o777 });
  const server = await api(t, GOOD);
  const ran = await hook('job-started.sh', settings([server.url]));
  t.equal(ran.code, 2);
  t.match(ran.said, /is not a folder of ours/);
  t.same(server.asked, []);
});
