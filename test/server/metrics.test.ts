import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { page } from '../docs.ts';
import { Authority } from '../identity/authority.ts';
import { ask } from './client.ts';
import { fetchText, house, Namegate } from './namegate.ts';

/** What a scrape of a running server shows, and that docs/metrics.md has the same. */

/** With `first` and `second` one more than have samples of their own. */
const MANY = Array.from(
  { length: 999 },
  (_, n) =>
    `  - { name: many-${n}, owner: many, from: { addresses: [10.9.${n >> 8}.${n & 255}] }, allow: [] }\n`,
).join('');

const POLICY = (owner: string, more = ''): string => `
identities:
  - name: first
    owner: ${owner}
    from: { addresses: [127.0.0.0/8] }
    allow: [{ name: "*.wild.example", types: [A], reason: test }]
  - { name: second, owner: ${owner}, review_by: 2020-01-01T00:00:00Z, from: { addresses: [10.1.0.0/16] }, allow: [] }
${more}`;

/** Of each metric the labels of one sample. */
function labelsOf(text: string): Map<string, string[]> {
  const labels = new Map<string, string[]>();
  for (const [, name = '', inner = ''] of text.matchAll(/^(\w+?)(?:_bucket)?(?:\{(.*)\})? \S+$/gm)) {
    const used = [...inner.matchAll(/(\w+)="/g)].map(([, label = '']) => label);
    labels.set(
      name,
      used.filter((label) => label !== 'le'),
    );
  }
  return labels;
}

/** What somebody who watches a server must find: what it is, its metric, type and labels. */
const WATCHED = `
queries by transport, verdict and rcode | namegate_queries_total | counter | transport verdict rcode
latency | namegate_query_duration_seconds | histogram | kind
cache entries | namegate_cache_entries | gauge |
cache bytes | namegate_cache_bytes | gauge |
cache hits | namegate_cache_hits_total | counter |
questions to a server | namegate_upstream_asked_total | counter | group server
failures of a server | namegate_upstream_failures_total | counter | group server reason
latency of a server | namegate_upstream_response_seconds | histogram | group server
a server is up | namegate_upstream_up | gauge | group server
denials | namegate_identity_denied_total | counter | identity
containments | namegate_identity_contained_total | counter | identity
what the ledger holds | namegate_identity_ledger_bytes | gauge | identity
in flight | namegate_identity_in_flight | gauge | identity
limited | namegate_identity_limited_total | counter | identity
leases live | namegate_leases | gauge |
leases opened | namegate_leases_opened_total | counter |
leases ended | namegate_leases_ended_total | counter | outcome
reloads | namegate_reloads_total | counter | outcome
last good policy | namegate_reload_last_good_timestamp_seconds | gauge |
last tried policy | namegate_reload_last_try_timestamp_seconds | gauge |
end of a certificate | namegate_certificate_expiry_timestamp_seconds | gauge | file
end of a CRL | namegate_crl_expiry_timestamp_seconds | gauge | file issuer
reviews overdue | namegate_policy_reviews_overdue | gauge |
depth of the outbox | namegate_feed_sink_events | gauge | sink
oldest unacknowledged event | namegate_feed_sink_oldest_seconds | gauge | sink
dropped | namegate_feed_dropped_total | counter | reason
delay of the event loop | namegate_event_loop_delay_seconds | histogram |
pauses of the collector | namegate_gc_pause_seconds | histogram | kind
memory | namegate_memory_bytes | gauge | kind
resident memory | process_resident_memory_bytes | gauge |
build | namegate_build_info | gauge | version node
grants | namegate_grants | gauge |
refused packets | namegate_refused_packets_total | counter | told
answers without grants | namegate_ungranted_answers_total | counter | finding
consumers of a grant feed | namegate_grant_feed_consumers | gauge | feed
consumers that have all | namegate_grant_feed_synced | gauge | feed
consumers that were too slow | namegate_grant_feed_dropped_total | counter | feed
oldest unacknowledged grant | namegate_grant_feed_oldest_seconds | gauge | feed
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
  // A short path: a socket's has 107 octets at most.
  const sockets = mkdtempSync(join(tmpdir(), 'ng-metrics-'));
  t.teardown(() => rmSync(sockets, { recursive: true, force: true }));
  const [servers, clients] = [new Authority({ name: 'servers' }), new Authority({ name: 'clients' })];
  const shown = servers.issue({ dns: ['dns.example'], eku: ['serverAuth'] });
  const folder = t.testdir({
    'server.pem': shown.pem,
    'server.key': shown.keyPem,
    'clients.pem': clients.pem,
    'clients.crl': clients.crl().pem,
  });
  const own = { certificate: 'server.pem', key: 'server.key', client_ca: 'clients.pem', crl: 'clients.crl' };
  const options = {
    policy: POLICY('team-a', MANY),
    listen: [
      'udp://127.0.0.1:0',
      'tcp://127.0.0.1:0',
      { on: 'tls://127.0.0.1:0', clients: 'required', ...own },
    ],
    settings: `admin: unix:admin.sock
alerts: {}
enforce: { feeds: [{ name: proxy, on: "unix:${sockets}/proxy.sock" }] }
`,
  };
  const server = await new Namegate(t, house(t, options, folder)).started();
  for (let i = 0; i < 3; i++) await ask(server, `denied-${i}.example`);
  await ask(server, 'localhost');
  await ask(server, 'localhost', { over: 'tcp' });
  await ask(server, 'chosen-by-a-client.wild.example');
  const text = await scrape(server);

  await t.test('counts what was asked', async (t) => {
    for (const [sample, value] of [
      ['namegate_queries_total{transport="udp",verdict="deny",rcode="NXDOMAIN"}', '3'],
      ['namegate_queries_total{transport="udp",verdict="local",rcode="NOERROR"}', '1'],
      ['namegate_queries_total{transport="tcp",verdict="local",rcode="NOERROR"}', '1'],
      ['namegate_query_exits_total{exit="deny"}', '3'],
      ['namegate_query_duration_seconds_count{kind="denied"}', '3'],
      ['namegate_query_duration_seconds_count{kind="local"}', '2'],
      ['namegate_identity_queries_total{identity="first"}', '6'],
      ['namegate_query_duration_seconds_count{kind="forwarded"}', '1'],
      ['namegate_query_duration_seconds_count{kind="hit"}', '0'],
      ['namegate_identity_denied_total{identity="first"}', '3'],
      ['namegate_identity_denied_total{identity="second"}', '0'],
      ['namegate_policy_reviews_overdue', '1'],
      ['namegate_ready', '1'],
      ['namegate_identity_denied_total{identity="other"}', '0'],
      ['namegate_grant_feed_consumers{feed="proxy"}', '0'],
      ['namegate_leases', '0'],
      ['namegate_feed_up', '1'],
      ['namegate_upstream_up{group="default",server="udp://127.0.0.1:9"}', '0'],
    ] as const)
      t.equal(sampled(text, sample), value, sample);
  });

  await t.test('what somebody who watches must find is there', async (t) => {
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
    const labels = labelsOf(text);
    for (const row of WATCHED.trim().split('\n')) {
      const [what = '', name = '', type = '', wanted = ''] = row.split('|').map((cell) => cell.trim());
      t.equal(types.get(name), type, what);
      // Nobody knows whether the collector had work.
      if (name === 'namegate_gc_pause_seconds' && !labels.has(name)) continue;
      t.same(labels.get(name) ?? labels.get(`${name}_count`), wanted === '' ? [] : wanted.split(' '), what);
    }
  });

  await t.test('no label holds a name that a client chose', async (t) => {
    t.notMatch(text, /denied-\d|chosen-by-a-client|localhost/);
  });

  await t.test('1,000 identities have samples of their own', async (t) => {
    const named = [...text.matchAll(/^namegate_identity_denied_total\{identity="(.*)"\} /gm)].map(
      ([, name]) => name,
    );
    t.equal(named.length, 1_002, 'unknown and other besides');
    t.ok(named.includes('many-997') && !named.includes('many-998'));
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
