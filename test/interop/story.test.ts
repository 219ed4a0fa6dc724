import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { say } from '../cli/command.ts';
import { namespace, resolvConf } from './netns.ts';
import { type Namegate, namegate, nsd, zones } from './peers.ts';
import { missingForRoot, must, run } from './process.ts';

/** From an audit to a policy that is enforced, with the stubs of two libraries; and what a job is told that tries more. */

/** `NAMEGATE_STORY_JOBS=200` runs as many as a fleet does in an hour. */
const JOBS = Number(process.env['NAMEGATE_STORY_JOBS'] ?? 8);

/** What a stub makes of each name: its IPv4 addresses or nothing, a line each. */
const PROGRAM = `#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found = 0, *at;
    printf("%s", argv[i]);
    if (getaddrinfo(argv[i], "443", &hints, &found) == 0)
      for (at = found; at; at = at->ai_next)
        printf(" %s", inet_ntoa(((struct sockaddr_in *)at->ai_addr)->sin_addr));
    puts("");
  }
  return 0;
}
`;

/** What jobs of the fleet ask, in turn. */
const SCRIPTS: readonly (readonly string[])[] = [
  ['www.example', 'mx1.example'],
  ['www.example', 'sip.example', 'svc.example'],
  ['chain.example', 'mx2.example', 'mx1.example'],
  ['deep.under.it.example', 'svc.example'],
];

const SEARCH = ['ci.example', 'corp.example'];
const HOOK = fileURLToPath(new URL('../../packaging/github-runner/job-completed.sh', import.meta.url));

const policyOf = (mode: string): string => `identities:
  - name: job
    owner: team-job
    review_by: 2099-01-01
    ${mode}
    search: ${JSON.stringify(SEARCH)}
    from: { addresses: [127.0.0.9] }
`;

interface Fleet {
  readonly server: Namegate;
  readonly inside: string;
  readonly programs: readonly string[];
}

function api(
  server: Namegate,
  method: string,
  path: string,
  body?: object,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const options = { socketPath: join(server.folder, 'admin.sock'), method, path, headers };
    const sent = request(options, (reply) => {
      let text = '';
      reply.on('data', (chunk) => {
        text += chunk;
      });
      reply.on('end', () => resolve(JSON.parse(text) as Record<string, unknown>));
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** One job under a lease of its own; gives the lease, and what the stub found. */
async function job(
  { server, inside, programs }: Fleet,
  number: number,
  names: readonly string[],
): Promise<{ lease: string; found: string }> {
  const { id } = await api(server, 'POST', '/v1/leases', {
    identity: 'job',
    addresses: ['127.0.0.1'],
    ttl: 600,
    job: { run_id: String(number), repository: `org/repo-${number % 3}` },
  });
  const { stdout } = await run([programs[number % programs.length]!, ...names], { namespace: inside });
  await api(server, 'DELETE', `/v1/leases/${id}`);
  return { lease: String(id), found: stdout.split('\n').map(sorted).join('\n') };
}

/** The order of addresses changes. */
function sorted(line: string): string {
  const [name = '', ...addresses] = line.split(' ');
  return [name, ...addresses.sort()].join(' ');
}

async function fleet(t: Test): Promise<Fleet> {
  const inside = await namespace(t, 'story');
  const { example } = await zones(t);
  await nsd(t, [example], { namespace: inside, host: '127.0.0.1', port: 1053 });
  const server = await namegate(t, {
    namespace: inside,
    host: '127.0.0.1',
    port: 53,
    policy: policyOf('mode: audit\n    audit_until: 2090-01-01T00:00:00Z'),
    upstream: '[udp://127.0.0.1:1053]',
    server: 'admin: unix:admin.sock',
  });
  resolvConf(t, inside, `nameserver 127.0.0.1\nsearch ${SEARCH.join(' ')}\noptions ndots:5 timeout:2\n`);
  const folder = t.testdir({ 'ask.c': PROGRAM });
  const made = [
    ['gcc', 'glibc'],
    ['musl-gcc', 'musl', '-static'],
  ] as const;
  const programs: string[] = [];
  for (const [compiler, name, ...more] of made) {
    await must([compiler, ...more, '-o', join(folder, name), join(folder, 'ask.c')]);
    programs.push(join(folder, name));
  }
  return { server, inside, programs };
}

t.test(
  'from an audit to a policy',
  { skip: missingForRoot('ip', 'nsd', 'gcc', 'musl-gcc', 'curl') },
  async (t) => {
    const all = await fleet(t);
    const { server } = all;
    const config = join(server.folder, 'namegate.yaml');
    const policy = join(server.folder, 'policy');
    const verb = (...args: string[]) => say([...args, '--config', config]);

    const before: string[] = [];
    for (let i = 0; i < JOBS; i++) before.push((await job(all, i, SCRIPTS[i % SCRIPTS.length]!)).found);
    t.match(before[0], 'www.example 192.0.2.10 192.0.2.11\nmx1.example 192.0.2.40', 'the audit resolves all');

    // The report waits for the worker: what the last job asked is in the history then.
    const audited = JSON.parse((await verb('report', '--identity', 'job', '--format', 'json')).stdout);
    t.equal(audited.complete, true);
    t.ok(audited.totals.noise.names + audited.totals.would_deny.names > 8);

    const suggested = await verb('suggest', '--identity', 'job');
    t.equal(suggested.code, 0, suggested.stderr);
    t.notMatch(
      suggested.stdout.replace(/#.*/g, ''),
      /\*|ci\.example/,
      'no star, and no name of the search list',
    );
    writeFileSync(join(policy, 'proposed-job.yaml'), suggested.stdout);
    writeFileSync(join(policy, 'test.yaml'), policyOf('mode: enforce'));
    const checked = await verb('check');
    t.equal(checked.code, 0, checked.stdout + checked.stderr);
    const tried = await say([
      'try',
      policy,
      '--fail-on',
      'newly-denied',
      '--history',
      join(server.folder, 'state/history.db'),
    ]);
    t.equal(tried.code, 0, tried.stdout + tried.stderr);

    // An audit says of a name, too, that it would be denied.
    for (let told = ''; !told.includes(': deny') || told.includes('audit'); await pause(50))
      told = (await explain(server, 'secret.example')).body;
    for (let i = 0; i < JOBS; i++) {
      const { found } = await job(all, JOBS + i, SCRIPTS[i % SCRIPTS.length]!);
      t.equal(found, before[i], `job ${i} finds under the policy what it found before`);
    }
    const enforced = await verb('report', '--identity', 'job', '--job', 'run_id=1');
    t.equal(enforced.code, 2, 'one of the two');
    const passed = await verb('report', '--job', `run_id=${JOBS}`, '--fail-on', 'deny');
    t.equal(passed.code, 0, passed.stdout);

    await t.test('a job that tries another name fails, and its summary says why', async (t) => {
      const from = new Date().toISOString();
      const number = 3 * JOBS;
      const { lease, found } = await job(all, number, ['www.example', 'secret.example']);
      t.match(found, /^secret\.example$/m, 'it is not resolved');
      const summary = join(t.testdir({ 'summary.md': '' }), 'summary.md');
      const hooked = await run([HOOK], {
        environment: {
          PATH: process.env['PATH'],
          NAMEGATE_ADMIN: `unix:${join(server.folder, 'admin.sock')}`,
          NAMEGATE_IDENTITY: 'job',
          NAMEGATE_ADDRESS: '127.0.0.1',
          GITHUB_RUN_ID: String(number),
          GITHUB_STEP_SUMMARY: summary,
        },
      });
      t.equal(hooked.code, 1, hooked.stdout + hooked.stderr);
      t.match(hooked.stdout, /^::error title=namegate refused a name::secret\.example \(A\)/m);
      t.match(
        readFileSync(summary, 'utf8'),
        /<code>secret\.example<\/code> \| unapproved \| \d+ \| A \| ask team-job/,
      );
      const report = await verb('report', '--lease', lease, '--fail-on', 'deny');
      t.equal(report.code, 1);
      t.match(report.stdout, /^namegate: 1 unapproved name asked\n/, 'names of the search list are noise');
      const asked = await verb('history', '--name', 'secret.example', '--since', from);
      t.match(asked.stdout, new RegExp(`deny +secret\\.example +A .* ${lease} `));
    });

    const given = await verb('history', '--address', '192.0.2.40');
    t.match(given.stdout, /mx1\.example +A +192\.0\.2\.40 +job +le-[0-9a-f]+ +127\.0\.0\.1 +.*run_id=0/);
    t.equal(await server.stop(), 0);
  },
);

/** What the server that runs says of a name now. */
async function explain(server: Namegate, name: string): Promise<{ body: string }> {
  const { text = '' } = await api(server, 'GET', `/v1/explain?identity=job&name=${name}&type=A`);
  return { body: String(text) };
}
