import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Consumer } from '../assembly/firewall/consumer.ts';
import { Authority } from '../identity/authority.ts';
import { ask } from '../server/client.ts';
import { house, Namegate } from '../server/namegate.ts';
import { upstream } from '../server/upstream.ts';
import { freePort, missing, start, until } from './process.ts';

/** Every expression of the dashboard and of the alert rules has data: a real Prometheus scrapes a server with something of all. */

const skip = missing('prometheus');

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
      - { name: "*.wild.example", types: [A], reason: test, budget: { alert: 48B, contain: 64B } }
      - { name: "*.free.example", types: [A], reason: test, budget: off }
      - { name: here.example, types: [A], reason: test }
  - name: quick
    owner: team
    review_by: 2020-01-01
    from: { addresses: [127.0.0.2] }
    allow: [{ name: here.example, types: [A], reason: test }]
    limits: { qps: 1, burst: 1 }
`;

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError: string;
}

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(readFileSync('packaging/grafana/namegate.json', 'utf8')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly query: string }[] };
};
const rules = readFileSync('packaging/prometheus/namegate.rules.yml', 'utf8');

/** A server with each kind of thing that a panel shows: receivers, a grant feed, certificates, leases, and load of each verdict. */
async function served(t: Test): Promise<{ server: Namegate; load: () => Promise<void> }> {
  // A short path: a socket's has 107 octets at most.
  const sockets = mkdtempSync(join(tmpdir(), 'ng-dash-'));
  t.teardown(() => rmSync(sockets, { recursive: true, force: true }));
  const up = await upstream(t, ({ name }, to) => to.reply({ answer: [`${name} 2 A 198.51.100.1`] }));
  const [servers, clients] = [new Authority({ name: 'servers' }), new Authority({ name: 'clients' })];
  const shown = servers.issue({ dns: ['dns.example'], eku: ['serverAuth'] });
  const folder = t.testdir({
    'server.pem': shown.pem,
    'server.key': shown.keyPem,
    'clients.pem': clients.pem,
    'clients.crl': clients.crl().pem,
  });
  const own = { certificate: 'server.pem', key: 'server.key', client_ca: 'clients.pem', crl: 'clients.crl' };
  const server = await new Namegate(
    t,
    house(
      t,
      {
        policy: POLICY,
        servers: `[${up.url}]`,
        listen: [
          'udp://127.0.0.1:0',
          'tcp://127.0.0.1:0',
          { on: 'tls://127.0.0.1:0', clients: 'required', ...own },
        ],
        settings: `admin: unix:${sockets}/admin.sock
detect: { budgets: { claim_wildcard: off } }
alerts:
  sinks:
    - { name: local, type: file, to: local.jsonl, kinds: [finding, deny, allow] }
    - { name: down, type: otlp, to: "http://127.0.0.1:9" }
enforce:
  socket: ${sockets}/enforce.sock
  interfaces: [docker0]
  fail: open
  wait: 1ms
  feeds: [{ name: proxy, on: "unix:${sockets}/proxy.sock" }]
`,
      },
      folder,
    ),
  ).started();
  const consumer = new Consumer(connect({ path: join(sockets, 'proxy.sock') }));
  t.teardown(() => consumer.socket.destroy());
  consumer.hello();
  let n = 0;
  const load = async (): Promise<void> => {
    for (let i = 0; i < 4; i++) {
      await ask(server, `denied-${n++}.example`);
      await ask(server, 'here.example');
      await ask(server, 'localhost', { over: 'tcp' });
      await ask(server, `n${n++}.wild.example`);
      await ask(server, `n${n++}.free.example`);
      await ask(server, 'here.example', { from: '127.0.0.2' });
    }
  };
  return { server, load };
}

t.test('each panel and each rule has data', { skip }, async (t) => {
  const { server, load } = await served(t);
  const folder = mkdtempSync(join(tmpdir(), 'namegate-prometheus-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  copyFileSync('packaging/prometheus/namegate.rules.yml', join(folder, 'namegate.rules.yml'));
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `global: { evaluation_interval: 1s }
rule_files: [namegate.rules.yml]
scrape_configs:
  - { job_name: namegate, scrape_interval: 1s, static_configs: [{ targets: ["${new URL(server.status).host}"] }] }
`,
  );
  const options = ['--config.file=prometheus.yml', `--web.listen-address=127.0.0.1:${port}`];
  const peer = start(t, ['prometheus', ...options, `--storage.tsdb.path=${folder}/data`], { cwd: folder });
  const api = async <T>(path: string): Promise<T | null> => {
    try {
      const reply = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
      return ((await reply.json()) as { readonly data?: T }).data ?? null;
    } catch {
      return null;
    }
  };
  /** Numbers that an expression gives now; as Grafana asks, with all servers chosen. */
  const values = async (expr: string): Promise<number[]> => {
    const text = expr.replaceAll('$instance', '.+').replaceAll('$__rate_interval', '10s');
    const found = await api<{ readonly result: readonly { readonly value: readonly [number, string] }[] }>(
      `query?query=${encodeURIComponent(text)}`,
    );
    return (found?.result ?? []).map(({ value: [, number] }) => Number(number));
  };
  const scraped = (count: number) =>
    until(
      async () => {
        await load();
        return ((await values('count_over_time(namegate_ready[1h])'))[0] ?? 0) >= count;
      },
      () => `it does not scrape\n${peer.log()}`,
      60_000,
    );
  await scraped(5);

  for (const { title, targets } of dashboard.panels)
    for (const { expr } of targets) {
      // Nobody knows whether the collector had work.
      const found = await values(expr);
      if (/namegate_gc_pause/.test(expr) && found.length === 0) continue;
      t.ok(found.length > 0, `${title}: ${expr}`, { found });
      t.ok(
        found.some((value) => !Number.isNaN(value)),
        `${title} has a number: ${expr}`,
        { found },
      );
    }

  const exprs = [...rules.matchAll(/^ +expr: (.*)$/gm)].map(([, expr]) => expr ?? '');
  for (const expr of exprs) {
    const [, measured = ''] = /^(.*) (?:==|>|<) .*$/.exec(expr) ?? [];
    t.not(measured, '', expr);
    t.ok((await values(measured)).length > 0, `a rule has data: ${measured}`);
  }
  const evaluated = await api<{ readonly groups: readonly { readonly rules: readonly Rule[] }[] }>('rules');
  const all = evaluated?.groups.flatMap(({ rules: each }) => each) ?? [];
  t.equal(all.length, exprs.length, 'Prometheus took every rule');
  t.strictSame(
    all.filter(({ health }) => health !== 'ok'),
    [],
    'and evaluates each',
  );
  const series = await api<{ readonly instance: string }[]>('series?match[]=namegate_build_info');
  t.equal(series?.length, 1, `the variable ${dashboard.templating.list[1]?.query} has the server`);
  await server.stop(t);
});
