import t from 'tap';
import { page } from '../docs.ts';
import { ask } from './client.ts';
import { fetchText, type Namegate, namegate } from './namegate.ts';

/** What a scrape of a running server shows, and that docs/metrics.md has the same. */

const POLICY = (owner: string): string => `
identities:
  - { name: first, owner: ${owner}, from: { addresses: [127.0.0.0/8] }, allow: [] }
  - { name: second, owner: ${owner}, review_by: 2020-01-01T00:00:00Z, from: { addresses: [10.0.0.0/8] }, allow: [] }
`;

async function scrape(server: Namegate): Promise<string> {
  const { status, body } = await fetchText(`${server.status}/metrics`);
  if (status !== 200) throw new Error(`${status}: ${body}`);
  return body;
}

/** The value of one sample, as it is written; undefined without it. */
function sampled(text: string, sample: string): string | undefined {
  return text
    .split('\n')
    .find((line) => line.startsWith(`${sample} `))
    ?.slice(sample.length + 1);
}

t.test('a scrape', async (t) => {
  const server = await namegate(t, {
    policy: POLICY('team-a'),
    settings: 'admin: unix:admin.sock\nalerts: {}\n',
  });
  for (let i = 0; i < 3; i++) await ask(server, `denied-${i}.example`);
  await ask(server, 'localhost');
  await ask(server, 'localhost', { over: 'tcp' });
  const text = await scrape(server);

  await t.test('counts what was asked', async (t) => {
    for (const [sample, value] of [
      ['namegate_queries_total{transport="udp",verdict="deny",rcode="NXDOMAIN"}', '3'],
      ['namegate_queries_total{transport="udp",verdict="local",rcode="NOERROR"}', '1'],
      ['namegate_queries_total{transport="tcp",verdict="local",rcode="NOERROR"}', '1'],
      ['namegate_query_exits_total{exit="deny"}', '3'],
      ['namegate_query_duration_seconds_count{kind="denied"}', '3'],
      ['namegate_query_duration_seconds_count{kind="local"}', '2'],
      ['namegate_identity_queries_total{identity="first"}', '5'],
      ['namegate_identity_denied_total{identity="first"}', '3'],
      ['namegate_identity_denied_total{identity="second"}', '0'],
      ['namegate_policy_reviews_overdue', '1'],
      ['namegate_ready', '1'],
      ['namegate_leases', '0'],
      ['namegate_feed_up', '1'],
      ['namegate_upstream_up{group="default",server="udp://127.0.0.1:9"}', '1'],
    ] as const)
      t.equal(sampled(text, sample), value, sample);
  });

  await t.test('no series twice, and every name by the rules', async (t) => {
    const series = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.slice(0, line.lastIndexOf(' ')));
    t.equal(new Set(series).size, series.length);
    for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      t.match(name, /^(?:namegate|process)_[a-z0-9_]+$/, name);
      t.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
      if (type === 'histogram') t.match(name, /_seconds$/, name);
    }
  });

  await t.test('docs/metrics.md has each of them, and no other', async (t) => {
    const rows = [...page('docs/metrics.md').matchAll(/^\| `(\w+)` \| (\w+) \| (.*) \| (.*) \|$/gm)];
    const told = rows.map(([, name = '', type = '', , help = '']) => `${name} ${type} ${help}`);
    const there = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)];
    t.same(
      told,
      there.map(([, name = '', help = '', type = '']) => `${name} ${type} ${help}`),
    );
    for (const [, name = '', , labels = ''] of rows) {
      const pattern = new RegExp(`^${name}(?:_bucket)?\\{(.*)\\} `, 'm');
      const sample = pattern.exec(text)?.[1];
      if (sample === undefined) continue;
      const used = [...sample.matchAll(/(\w+)="/g)]
        .map(([, label]) => label)
        .filter((label) => label !== 'le');
      t.equal(used.map((label) => `\`${label}\``).join(', '), labels, name);
    }
  });

  await t.test('counts of an identity go over a reload', async (t) => {
    server.replace('policy/test.yaml', POLICY('team-b'));
    await server.logged('policy-loaded');
    await ask(server, 'denied-3.example');
    const after = await scrape(server);
    t.equal(sampled(after, 'namegate_identity_denied_total{identity="first"}'), '4');
    t.equal(sampled(after, 'namegate_reloads_total{outcome="done"}'), '1');
    server.replace('policy/test.yaml', 'identities: [');
    await server.logged('reload-failed');
    const failed = await scrape(server);
    t.equal(sampled(failed, 'namegate_reload_good'), '0');
    t.equal(sampled(failed, 'namegate_reloads_total{outcome="failed"}'), '1');
  });

  await server.stop(t);
});
