import { spawn } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { missingForRoot } from './process.ts';

/** The hook after a job says what was refused, and fails the job for it: whatever names, servers and jobs do. */

/** Another user than that of other tests: each has its own records. */
const USER = 65_533;
const HOOKS = fileURLToPath(new URL('../../packaging/github-runner', import.meta.url));
const RECORDS = `/var/tmp/namegate-runner-${USER}`;

interface Row {
  readonly name: string;
  readonly folded: boolean;
  readonly types: readonly string[];
  readonly approved_stage?: string;
  readonly rule?: string;
  readonly count: number;
}

const row = (name: string, count = 1, more: Partial<Row> = {}): Row => ({
  name,
  folded: false,
  types: ['A'],
  ...more,
  count,
});

function reportOf(sections: Readonly<Record<string, readonly Row[]>>, complete = true): object {
  const names = ['unapproved', 'unproven', 'contained', 'empty'];
  const totals = names.map((name) => [name, { names: sections[name]?.length ?? 0, questions: 1 }] as const);
  return {
    verdict: 'v',
    complete,
    ask: 'team-payments',
    totals: Object.fromEntries(totals),
    sections: Object.fromEntries(names.map((name) => [name, sections[name] ?? []])),
  };
}

interface Place {
  readonly address: string;
  readonly protocol?: string;
  readonly port?: number;
  readonly proven?: boolean;
  readonly granted_name?: string;
  readonly count?: number;
}

/** A report of a job that tried addresses, and no name. */
function directReport(...places: readonly Place[]): object {
  const rows = places.map((place) => ({ protocol: 'tcp', port: 443, proven: true, count: 2, ...place }));
  const proven = rows.filter((each) => each.proven).length;
  const direct = { proven, unproven: rows.length - proven, packets: 2 * rows.length, rows };
  return { ...reportOf({}), direct };
}

/** An admin API that has this report; a text instead is sent as it is, null is no answer. */
async function server(t: Test, report: () => object | string): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const api = createServer((request, reply) => {
    const { method = '', url = '' } = request;
    if (url.startsWith('/v1/report')) asked.push(url);
    const body =
      method === 'POST'
        ? { id: 'lease-1' }
        : url.startsWith('/v1/report')
          ? report()
          : method === 'DELETE'
            ? { id: 'lease-1', counts: {} }
            : { leases: [] };
    reply.writeHead(method === 'POST' ? 201 : 200, { 'content-type': 'application/json' });
    reply.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  t.teardown(() => {
    api.closeAllConnections();
    api.close();
  });
  await new Promise<void>((resolve) => void api.listen(0, '127.0.0.1', resolve));
  const address = api.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, asked };
}

let hooks = HOOKS;
let summary = '';
const skip = missingForRoot('curl', 'bash');

t.before(() => {
  hooks = mkdtempSync(join(tmpdir(), 'namegate-report-'));
  chmodSync(hooks, 0o755);
  cpSync(HOOKS, hooks, { recursive: true });
  summary = join(hooks, 'summary.md');
});
t.beforeEach(() => {
  rmSync(RECORDS, { recursive: true, force: true });
  writeFileSync(summary, '');
  chownSync(summary, USER, USER);
});
t.teardown(() => {
  rmSync(RECORDS, { recursive: true, force: true });
  if (hooks !== HOOKS) rmSync(hooks, { recursive: true, force: true });
});

function hook(
  name: string,
  admin: readonly string[],
  more: Record<string, string> = {},
): Promise<{ code: number | null; said: string }> {
  const env = {
    NAMEGATE_ADMIN: admin.join(' '),
    NAMEGATE_IDENTITY: 'payments-build',
    NAMEGATE_ADDRESS: '10.20.3.4',
    NAMEGATE_PATIENCE: '2',
    GITHUB_RUN_ID: '12',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_JOB: 'build',
    GITHUB_STEP_SUMMARY: summary,
    ...more,
  };
  return new Promise((resolve, reject) => {
    const child = spawn(join(hooks, name), [], { env, uid: USER, gid: USER, cwd: '/' });
    const said: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, said: Buffer.concat(said).toString() }));
  });
}

/** What a runner's log shows of a workflow command: of properties and of the text it decodes what their grammar has, and no more. */
function commandOf(line: string): { readonly title: string; readonly text: string } {
  const [, title = '', data = ''] = /^::error title=([^,:]*)::(.*)$/.exec(line) ?? [];
  const decode = (text: string, codes: string): string =>
    text.replace(/%(25|0D|0A|3A|2C)/g, (all, code: string) =>
      codes.includes(code) ? String.fromCharCode(Number.parseInt(code, 16)) : all,
    );
  return { title: decode(title, '25 0D 0A 3A 2C'), text: decode(data, '25 0D 0A') };
}

const errors = (said: string): string[] => said.split('\n').filter((line) => line.startsWith('::error'));

const CASES: readonly {
  readonly what: string;
  readonly reports: readonly (object | string)[];
  readonly code: number;
  /** With NAMEGATE_UNSURE=pass. */
  readonly passing: number;
  readonly says?: RegExp;
}[] = [
  { what: 'nothing was refused', reports: [reportOf({})], code: 0, passing: 0, says: /no name was refused/ },
  {
    what: 'a name',
    reports: [reportOf({ unapproved: [row('evil.example', 3)] })],
    code: 1,
    passing: 1,
    says: /1 name was refused/,
  },
  { what: 'a budget', reports: [reportOf({ contained: [row('x.cdn.example')] })], code: 1, passing: 1 },
  { what: 'types alone', reports: [reportOf({ empty: [row('github.com')] })], code: 0, passing: 0 },
  {
    what: 'without proof',
    reports: [reportOf({ unproven: [row('evil.example')] })],
    code: 1,
    passing: 0,
    says: /no TCP/,
  },
  { what: 'not complete', reports: [reportOf({}, false)], code: 1, passing: 0, says: /not complete/ },
  {
    what: '1 goes before 3',
    reports: [reportOf({ unapproved: [row('evil.example')] }, false)],
    code: 1,
    passing: 1,
  },
  { what: 'no JSON', reports: ['<html>'], code: 1, passing: 0, says: /gave no report/ },
  { what: 'something else', reports: [{ leases: [] }], code: 1, passing: 0, says: /gave no report/ },
  {
    what: 'cut off',
    reports: [JSON.stringify(reportOf({})).slice(0, -9)],
    code: 1,
    passing: 0,
    says: /gave no report/,
  },
  {
    what: 'a total that is no number',
    reports: [JSON.stringify(reportOf({})).replace('"names":0', '"names":"0+a[$(id)]"')],
    code: 0,
    passing: 0,
  },
  {
    what: 'an address',
    reports: [directReport({ address: '198.51.100.9' })],
    code: 1,
    passing: 1,
    says: /no name was refused; 1 address was tried/,
  },
  {
    what: 'an address without proof',
    reports: [directReport({ address: '198.51.100.9', proven: false })],
    code: 1,
    passing: 0,
    says: /1 addresses were tried by the job, or by another/,
  },
  {
    what: 'two servers, one refused',
    reports: [reportOf({}), reportOf({ unapproved: [row('evil.example')] })],
    code: 1,
    passing: 1,
  },
];

t.test('what fails a job', { skip }, async (t) => {
  for (const { what, reports, code, passing, says } of CASES) {
    rmSync(RECORDS, { recursive: true, force: true });
    const servers = await Promise.all(reports.map((report) => server(t, () => report)));
    const urls = servers.map(({ url }) => url);
    t.equal((await hook('job-started.sh', urls)).code, 0, what);
    const ran = await hook('job-completed.sh', urls);
    t.equal(ran.code, code, `${what}: ${ran.said}`);
    if (says !== undefined) t.match(readFileSync(summary, 'utf8'), says, what);
    t.equal(
      (await hook('job-completed.sh', urls, { NAMEGATE_UNSURE: 'pass' })).code,
      passing,
      `${what}: pass`,
    );
  }
});

t.test('a server that is down is named, and the others are asked', { skip }, async (t) => {
  const bad = await server(t, () => reportOf({ unapproved: [row('evil.example')] }));
  t.equal((await hook('job-started.sh', [bad.url])).code, 0);
  const ran = await hook('job-completed.sh', ['http://127.0.0.1:9', bad.url]);
  t.equal(ran.code, 1);
  t.match(ran.said, /::warning title=namegate does not know:+.*127\.0\.0\.1:9 did not tell/);
  t.equal(errors(ran.said).length, 1);
  t.match(readFileSync(summary, 'utf8'), /complete: 1 of 2 servers/);
});

/** The command and the line of the policy that the log has beside a name. */
const cure = (name: string, type = '', types = ''): string =>
  `namegate exception add ${name} --identity payments-build --ttl 4h --reason TEXT${type}; or under allow: of payments-build: - { name: "${name}",${types} reason: TEXT }`;

t.test('rows of servers are one, and each name is an error of its own', { skip }, async (t) => {
  const one = await server(t, () =>
    reportOf({ unapproved: [row('evil.example', 2), row('a.example', 1, { approved_stage: 'fetch' })] }),
  );
  const two = await server(t, () => reportOf({ unapproved: [row('evil.example', 3)] }));
  await hook('job-started.sh', [one.url, two.url]);
  const { said } = await hook('job-completed.sh', [one.url, two.url]);
  t.same(errors(said), [
    `::error title=namegate refused a name::evil.example (A): unapproved, 5 times; ask team-payments; ${cure('evil.example')}`,
    `::error title=namegate refused a name::a.example (A; approved at stage fetch): unapproved, once; ask team-payments; ${cure('a.example')}`,
  ]);
  t.match(
    readFileSync(summary, 'utf8'),
    /^\| <code>evil\.example<\/code> \| unapproved \| 5 \| A \| ask team-payments&#59; namegate exception add evil\.example --identity payments-build --ttl 4h --reason TEXT&#59; or under allow&#58; of payments-build&#58; - &#123; name&#58; &#34;evil\.example&#34;, reason&#58; TEXT &#125; \|$/m,
  );
  t.match(
    readFileSync(summary, 'utf8'),
    /2 names were refused[\s\S]*complete: 2 of 2 servers$/m,
    'one name of two servers counts once',
  );
});

t.test('the log says in words what became of a job', { skip }, async (t) => {
  const one = await server(t, () => ({
    ...reportOf({
      unapproved: [row('evil.example', 2)],
      contained: [row('x.cdn.example', 1, { rule: 'policy/a.yaml:5' })],
      empty: [row('github.example', 1, { types: ['TXT'], rule: 'policy/a.yaml:4' })],
    }),
    identities: ['payments-build', 'unknown'],
  }));
  await hook('job-started.sh', [one.url]);
  const { said } = await hook('job-completed.sh', [one.url]);
  const [first = '', second, third] = said.split('\n').filter((line) => /^namegate: (?!no lease)/.test(line));
  t.match(
    first,
    /^namegate: 2 names were refused; identity payments-build at 10\.20\.3\.4 since \S+; complete: 1 of 1 servers$/,
  );
  t.match(second, /the job was told that these names do not exist/);
  t.match(third, /some were asked while no lease was live at 10\.20\.3\.4: nothing is approved then$/);
  t.equal(
    commandOf(errors(said)[1]!).text,
    'x.cdn.example (A): contained: the budget of its rule (policy/a.yaml:5) is used up, and more new names may carry data out, once; ask team-payments',
  );
  t.match(
    readFileSync(summary, 'utf8'),
    /<code>github\.example<\/code> \| empty&#58; approved &#40;policy&#47;a\.yaml&#58;4&#41;, but not for such types \| 1 \| TXT \| ask team-payments&#59; write types&#58; &#91;A, AAAA, CNAME, HTTPS, TXT&#93; on its rule/,
  );
});

t.test('what to write names the types that a rule would not have', { skip }, async (t) => {
  const one = await server(t, () =>
    reportOf({
      unapproved: [
        row('txt.example', 1, { types: ['TXT'] }),
        row('both.example', 1, { types: ['A', 'SRV'] }),
      ],
    }),
  );
  await hook('job-started.sh', [one.url]);
  const { said } = await hook('job-completed.sh', [one.url]);
  t.same(
    errors(said).map((line) => commandOf(line).text.replace(/^.*?; ask team-payments; /, '')),
    [
      cure('txt.example', ' --type TXT', ' types: [TXT],'),
      cure('both.example', ' --type A AAAA CNAME HTTPS SRV', ' types: [A, AAAA, CNAME, HTTPS, SRV],'),
    ],
  );
});

t.test('a name commands nobody, in the log and in the summary', { skip }, async (t) => {
  const names = [
    'a%0Ab.example',
    'x::set-output.example',
    'p|q`*_<b>.example',
    'back\\\\slash.example',
    'quo\\"te.example',
    '$(id).example',
    '{0..9}.example',
  ];
  const hostile = await server(t, () =>
    reportOf({ unapproved: [...names, 'line\n::error::x', '\u001b[2J\u2028'].map((name) => row(name)) }),
  );
  await hook('job-started.sh', [hostile.url]);
  const { said } = await hook('job-completed.sh', [hostile.url]);
  t.equal(errors(said).length, names.length + 2);
  for (const [i, line] of errors(said).entries()) {
    t.match(line, /^::error title=namegate refused a name::[ -~]*$/, line);
    const { title, text } = commandOf(line);
    t.equal(title, 'namegate refused a name');
    const name = names[i];
    if (name !== undefined) t.ok(text.startsWith(`${name} (A): unapproved, once; ask team-payments`), text);
  }
  t.match(said, /a%250Ab\.example/);
  const rows = readFileSync(summary, 'utf8')
    .split('\n')
    .filter((line) => line.includes('<code>'));
  t.equal(rows.length, names.length + 2);
  for (const line of rows)
    t.match(
      line,
      /^\| <code>(?:[A-Za-z0-9., -]|&#\d+;)*<\/code> \| unapproved \| 1 \| A \| ask team-payments[^|]* \|$/,
      line,
    );
});

t.test('an address that was tried is an error, and commands nobody', { skip }, async (t) => {
  const one = await server(t, () =>
    directReport(
      { address: '198.51.100.9', granted_name: 'x::error::y.example' },
      { address: '2001:db8::9', protocol: 'udp', port: 53 },
      { address: '', protocol: '', port: 0, count: 70 },
      { address: '192.0.2.7\n::error::z', protocol: 'icmp', port: 0, proven: false },
    ),
  );
  const two = await server(t, () => directReport({ address: '198.51.100.9', count: 3 }));
  await hook('job-started.sh', [one.url, two.url]);
  const { said, code } = await hook('job-completed.sh', [one.url, two.url]);
  t.equal(code, 1);
  const title = '::error title=namegate refused an address::';
  t.same(errors(said), [
    `${title}198.51.100.9 tcp/443 (x::error::y.example last): 5 times; ask team-payments`,
    `${title}2001:db8::9 udp/53: 2 times; ask team-payments`,
    `${title}many other addresses: 70 times; ask team-payments`,
  ]);
  const told = readFileSync(summary, 'utf8');
  t.match(told, /3 addresses were tried/, 'one place of two servers counts once');
  const rows = told.split('\n').filter((line) => line.includes('<code>'));
  t.equal(rows.length, 4);
  for (const line of rows)
    t.match(
      line,
      /^\| <code>(?:[A-Za-z0-9., -]|&#\d+;)*<\/code> \| \d+ \| [^|<]* \| let the program [^|<]* \|$/,
      line,
    );
});

t.test('of many names some are told one by one', { skip }, async (t) => {
  const many = await server(t, () =>
    reportOf({ unapproved: Array.from({ length: 300 }, (_, n) => row(`n${n}.example`)) }),
  );
  await hook('job-started.sh', [many.url]);
  const { said, code } = await hook('job-completed.sh', [many.url]);
  t.equal(code, 1);
  t.equal(errors(said).length, 51);
  t.match(errors(said).at(-1), /250 more names/);
});

t.test('names without a row of their own are no name', { skip }, async (t) => {
  const many = await server(t, () =>
    reportOf({
      unapproved: [
        row('evil.example', 1_850, { folded: true }),
        row('.', 70, { folded: true }),
        row('evil.example', 1, { folded: false }),
      ],
    }),
  );
  await hook('job-started.sh', [many.url]);
  const { said } = await hook('job-completed.sh', [many.url]);
  t.same(
    errors(said).map((line) => commandOf(line).text),
    [
      'names under evil.example (A): unapproved, 1850 times; ask team-payments',
      'names of many other domains (A): unapproved, 70 times; ask team-payments',
      `evil.example (A): unapproved, once; ask team-payments; ${cure('evil.example')}`,
    ],
  );
  t.match(said, /^namegate: 3 or more names were refused;/m);
});

t.test('a job that ends its lease and opens another does not begin anew', { skip }, async (t) => {
  const clean = await server(t, () => reportOf({}));
  const since = (): string => new URL(clean.asked.at(-1)!, clean.url).searchParams.get('since')!;
  await hook('job-started.sh', [clean.url]);
  await hook('job-completed.sh', [clean.url]);
  const first = since();
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  // As a step of the job would, under other names and under its own.
  await hook('job-started.sh', [clean.url], { GITHUB_RUN_ID: '13' });
  await hook('job-started.sh', [clean.url]);
  const ran = await hook('job-completed.sh', [clean.url]);
  t.equal(ran.code, 0, ran.said);
  t.equal(since(), first);
  t.match(clean.asked.at(-1), /identity=payments-build&address=10\.20\.3\.4&/);
  await hook('job-completed.sh', [clean.url], { GITHUB_RUN_ID: '14' });
  t.match(readFileSync(summary, 'utf8'), /when the job began is not on record/);
});
