import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Report } from '../../src/history/report.ts';
import { Store } from '../../src/outbox/event-store.ts';
import type { FindingList, KeptFinding } from '../../src/outbox/kept-findings.ts';
import { say } from '../cli/command.ts';
import { SETTING } from '../outbox/rig.ts';
import { ask } from './client.ts';
import { fetchText, house, Namegate, pause, until } from './namegate.ts';
import { upstream } from './upstream.ts';

/**
 * The detectors that need time, an upstream or a lease, from outside: each with a client near by that it says nothing of. Days
 * and hours before are written into the state folder, and thresholds are small.
 */

const identity = (name: string, last: number, more: string): string => `  - name: ${name}
    owner: team-${name}
    review_by: 2099-01-01
    from: { addresses: [127.0.0.${last}] }
    ${more}
`;

const POLICY = `
destinations:
  packages:
    owner: sec
    reason: r
    fallback: the mirror of last night
    names: [pypi.example, steady.example, gone.example]
  files: { owner: sec, reason: r, names: [{ name: "*.cdn.example", budget: off }] }
records:
  - { name: github.com, type: A, data: 192.0.2.7 }
identities:
${identity('build', 2, 'allow: [packages]')}${identity('busy', 3, 'limits: { qps: 5, burst: 5 }\n    allow: []')}
${identity('calm', 4, 'allow: []')}${identity('texts', 5, 'allow: [{ name: github.com, reason: r }]')}
${identity('mails', 6, 'allow: [{ name: github.com, reason: r }]')}${identity('old', 7, 'allow: [{ name: github.com, reason: r }]')}
${identity('young', 8, 'allow: [{ name: github.com, reason: r }]')}${identity('storm', 9, 'allow: [files]')}
${identity('drizzle', 10, 'allow: [files]')}`;

const SETTINGS = `admin: unix:admin.sock
state: state/
detect:
  volume: { for: 1s }
  odd_type: { txt: 10 }
  dependency: { for: 2s }
  nxdomain_storm: { questions: 20 }
  after_end: { grace: 1s }
`;

const DAY = 86_400_000;

/** What runs of days and hours before would have left. */
function remember(folder: string): void {
  mkdirSync(join(folder, 'state'), { mode: 0o700 });
  const now = Date.now();
  const known = (days: number, leases: number) => ({ since: now - days * DAY, leases, names: [] });
  const identities = { old: known(15, 20), young: known(13, 20) };
  const acquaintance = { version: 1, secret: '00'.repeat(8), identities };
  writeFileSync(join(folder, 'state', 'detect.json'), JSON.stringify(acquaintance));
  const path = join(folder, 'state', 'feed.db');
  const store = new Store({ path, setting: SETTING, server: 'x', version: '0', now: Date.now });
  const hours = (txt: number) =>
    JSON.stringify({ hour: 0, asked: 0, txt: 0, hours: [1, 2, 3].map(() => ({ asked: 100, txt })) });
  const state = new Map([
    ['detect rate texts', hours(1)],
    ['detect rate mails', hours(50)],
  ]);
  store.commit({ drafts: [], losses: [], state });
  store.close();
}

t.test('what needs time, an upstream or a lease is found', async (t) => {
  const failing = new Set<string>();
  const up = await upstream(t, ({ name, type }, to) => {
    if (failing.has(name)) to.reply({ rcode: 2 });
    else if (name.endsWith('.cdn.example.') || name === 'gone.example.') to.reply({ rcode: 3 });
    else to.reply(type === 'A' ? { answer: [`${name} 1 A 192.0.2.9`] } : {});
  });
  const folder = house(t, { policy: POLICY, servers: `[${up.url}]`, settings: SETTINGS });
  remember(folder);
  let server = await new Namegate(t, folder).started();
  const from = (last: number) => ({ from: `127.0.0.${last}` });
  const verb = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await say([...args, '--config', server.path('namegate.yaml')]);
    t.equal(code, 0, stderr);
    return stdout;
  };
  const listed = async (): Promise<readonly KeptFinding[]> =>
    (JSON.parse(await verb('findings', '--json')) as FindingList).findings;
  const brief = ({ kind, severity, identity: whose, state, key }: KeptFinding): string =>
    [kind, severity, whose, state, key].join(' ');
  const open = async (last: number): Promise<string> => {
    const args = ['--identity', 'build', '--address', `127.0.0.${last}`, '--ttl', '1h', '--json'];
    return (JSON.parse(await verb('lease', 'open', ...args)) as { id: string }).id;
  };

  const lease = await open(12);
  const ended = await open(13);
  await ask(server, 'after.example', from(13));
  await verb('lease', 'end', ended);
  const job = from(12);
  for (const name of ['pypi.example', 'steady.example', 'gone.example']) await ask(server, name, job);
  failing.add('pypi.example.');
  for (let i = 0; i < 90; i++) await ask(server, 'no.example', from(3));
  for (let i = 0; i < 40; i++) await ask(server, 'no.example', from(4));
  for (let i = 0; i < 11; i++) {
    await ask(server, 'github.com', { ...from(5), type: 'TXT' });
    await ask(server, 'github.com', { ...from(6), type: 'TXT' });
  }
  await ask(server, 'github.com', from(7));
  await ask(server, 'github.com', from(8));
  for (let i = 0; i < 21; i++) await ask(server, `n${i}.cdn.example`, from(9));
  for (let i = 0; i < 19; i++) await ask(server, `n${i}.cdn.example`, from(10));
  await until(
    async () => {
      await pause(300);
      for (const name of ['pypi.example', 'steady.example', 'gone.example']) await ask(server, name, job);
      // In quarantine, and then beyond the grace.
      await ask(server, 'after.example', from(13));
      return server.events('finding').some(({ finding }) => finding === 'dependency');
    },
    undefined,
    30_000,
  );
  await until(
    async () =>
      server.events('finding').filter(({ finding }) => finding === 'volume' || finding === 'odd-type')
        .length >= 2,
    () => server.stderr,
    30_000,
  );

  const outage = { finding: 'dependency', severity: 'operations', identity: 'build', key: 'pypi.example' };
  const next =
    'ask sec, who answers for it; while it fails: the mirror of last night; the policy is not to blame';
  t.match(
    server.events('finding').find(({ finding }) => finding === 'dependency'),
    { ...outage, remedy: next },
  );
  t.match(
    (await fetchText(`${server.status}/metrics`)).body,
    /^namegate_detections_open\{finding="dependency"\} 1$/m,
  );
  const report = JSON.parse(await verb('report', '--lease', lease, '--format', 'json')) as Report;
  t.match(report.dependencies, [{ name: 'pypi.example', until: null, next }]);
  t.equal(report.verdict, '1 approved name failed upstream; all that was asked is approved');
  const expected = [
    `after-end medium build open ${ended}`,
    'dependency operations build open pypi.example',
    'first-contact low old open github.com',
    'nxdomain-storm medium storm open 127.0.0.9',
    'odd-type low texts open TXT',
    'volume low busy open over its qps',
  ];
  const before = await listed();
  t.strictSame(before.map(brief).sort(), expected);
  for (const { next: advice, names, kind } of before) {
    t.match(advice, /^[^.]{20,160}$/, 'one sentence');
    t.ok(kind === 'volume' || kind === 'odd-type' || names.length > 0, `${kind} has names`);
  }

  server.kill('SIGKILL');
  await server.ended;
  server = await new Namegate(t, folder).started();
  failing.clear();
  await ask(server, 'after.example', from(13));
  await ask(server, 'github.com', from(7));
  await until(
    async () => {
      await pause(200);
      await ask(server, 'pypi.example', job);
      return server.events('finding').some(({ ended: isOver }) => isOver === true);
    },
    () => server.stderr,
    30_000,
  );
  const after = await listed();
  t.strictSame(
    after.map(brief).sort(),
    expected.map((line) => line.replace(/^(dependency .*) open/, '$1 closed')),
    'a kill raises nothing twice, and the end of the outage is told',
  );
  t.strictSame(after.map(({ uid }) => uid).sort(), before.map(({ uid }) => uid).sort());
  const over = JSON.parse(await verb('report', '--lease', lease, '--format', 'json')) as Report;
  t.match(over.dependencies, [{ name: 'pypi.example', until: /Z$/ }]);
  t.match(
    await verb('report', '--lease', lease),
    /^Approved names that failed upstream:\n {2}pypi\.example: failed from /m,
  );
});
