import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { KINDS } from '../../src/outbox/event.ts';
import { blocks, page } from '../docs.ts';
import { ask } from '../server/client.ts';
import { MAIN, type Namegate, namegate } from '../server/namegate.ts';
import { opensslCa } from './openssl-ca.ts';
import { freePort, missing, must, type Peer, until } from './process.ts';
import {
  Elastic,
  type Event,
  idOf,
  type Pair,
  Sentinel,
  Splunk,
  type Template,
  withoutSending,
} from './siem-receivers.ts';
import { missingSyslogNg, syslogNg } from './syslog-ng.ts';

/** From a real server over a real syslog-ng, with the configuration of packaging/, to the APIs of three SIEMs. */

const skip = missingSyslogNg() || missing('openssl');
const FILES = ['namegate.conf', 'splunk.conf', 'elastic.conf', 'sentinel.conf'];
const TEMPLATE = JSON.parse(readFileSync('packaging/siem/elastic-template.json', 'utf8')) as Template;
const POLICY = `identities:
  - name: builder
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
`;

interface Chain {
  readonly server: Namegate;
  readonly splunk: Splunk;
  readonly elastic: Elastic;
  readonly sentinel: Sentinel;
  syslog: Peer;
  restart(): Promise<void>;
  /** Events that the server has told to a file beside. */
  told(): Event[];
}

async function chain(t: Test, format: 'json' | 'ocsf'): Promise<Chain> {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-siem-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const ca = opensslCa(folder, 'ca');
  const pem = ca.issue(
    'siem',
    'subjectAltName = IP:127.0.0.1,DNS:siem.example\nextendedKeyUsage = serverAuth',
  );
  const shown = ca.issue('ns1', 'subjectAltName = DNS:ns1.example\nextendedKeyUsage = clientAuth');
  const keyOf = (file: string): string => file.replace(/\.pem$/, '.key');
  const pair: Pair = { cert: readFileSync(pem), key: readFileSync(keyOf(pem)) };
  const splunk = new Splunk();
  const elastic = new Elastic(format === 'json' ? TEMPLATE : null);
  const sentinel = new Sentinel();
  for (const receiver of [splunk, elastic, sentinel]) await receiver.listen(t, pair);
  const port = await freePort();
  const forwarder = syslogNg(t, FILES, {
    NAMEGATE_IP: '127.0.0.1',
    NAMEGATE_PORT: String(port),
    NAMEGATE_CERTIFICATE: pem,
    NAMEGATE_KEY: keyOf(pem),
    NAMEGATE_CLIENTS: ca.certificate,
    NAMEGATE_BUFFER: folder,
    SPLUNK_URL: splunk.url,
    SPLUNK_TOKEN: splunk.token,
    SPLUNK_INDEX: 'dns',
    SPLUNK_CA: ca.certificate,
    ELASTIC_URL: elastic.url,
    ELASTIC_API_KEY: elastic.key,
    ELASTIC_INDEX: 'namegate',
    ELASTIC_CA: ca.certificate,
    SENTINEL_URL: sentinel.url,
    SENTINEL_RULE: 'dcr-00000000000000000000000000000000',
    SENTINEL_STREAM: 'Custom-Namegate',
    SENTINEL_CA: ca.certificate,
    AZURE_AUTHORITY_HOST: sentinel.url,
    AZURE_TENANT_ID: 'tenant',
    AZURE_CLIENT_ID: 'client',
    AZURE_CLIENT_SECRET: 'secret',
    SSL_CERT_FILE: ca.certificate,
  });
  const syslog = await forwarder.start();
  const tls = `to: "tls://127.0.0.1:${port}#siem.example", ca: ${ca.certificate}, certificate: ${shown}, key: ${keyOf(shown)}`;
  const server = await namegate(t, {
    policy: POLICY,
    settings: `admin: unix:admin.sock
server: { name: ns1 }
alerts:
  sinks:
    - { name: siem, type: syslog, format: ${format}, kinds: [${KINDS.filter((kind) => kind !== 'dropped')}], ${tls} }
    - { name: beside, type: file, format: ${format}, kinds: [${KINDS.filter((kind) => kind !== 'dropped')}], to: beside.jsonl }
`,
  });
  const beside = join(server.folder, 'beside.jsonl');
  const all: Chain = {
    server,
    splunk,
    elastic,
    sentinel,
    syslog,
    restart: async () => {
      all.syslog.kill('SIGKILL');
      await all.syslog.stop();
      all.syslog = await forwarder.start();
    },
    told: () => {
      if (!existsSync(beside)) return [];
      return readFileSync(beside, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Event);
    },
  };
  return all;
}

/** Waits until each receiver has each event that the server told, and holds what it has to that. */
async function holdAll(t: Test, { server, splunk, elastic, sentinel, syslog, told }: Chain): Promise<void> {
  const missingAt = (taken: readonly Event[]): string[] => {
    const ids = new Set(taken.map(idOf));
    return told()
      .map(idOf)
      .filter((id) => !ids.has(id));
  };
  for (const [name, { taken, faults }] of Object.entries({ splunk, elastic, sentinel })) {
    await until(
      () => missingAt(taken).length === 0,
      () => `${name} has not ${missingAt(taken)}; ${faults}\n${syslog.log()}\n${server.stderr}`,
      60_000,
    );
    t.same(faults, [], `${name} finds no fault`);
    const byId = new Map(taken.map((event) => [idOf(event), event]));
    for (const event of told()) {
      const [arrived, expected] = [withoutSending(byId.get(idOf(event)) ?? {}), withoutSending(event)];
      t.strictSame(arrived, expected, `${name} has ${idOf(event)} as it was told`);
    }
  }
}

/** Makes events of real questions, and one of each kind by `namegate alerts test`. */
async function makeEvents({ server, told }: Chain): Promise<void> {
  const before = told().length;
  await ask(server, 'evil.example');
  await ask(server, '\\010\\123\\034\\092\\255\u202e.example');
  await ask(server, 'localhost');
  await ask(server, 'x.oast.fun');
  await until(
    () => told().length >= before + 4,
    () => `${JSON.stringify(told())}\n${server.stderr}`,
    30_000,
  );
}

async function sendTests({ server }: Chain): Promise<string> {
  return must([process.execPath, MAIN, 'alerts', 'test', '--config', join(server.folder, 'namegate.yaml')]);
}

/** Events that syslog-ng has not acknowledged. */
async function waiting({ server }: Chain): Promise<number> {
  const config = join(server.folder, 'namegate.yaml');
  const text = await must([process.execPath, MAIN, 'alerts', 'status', '--json', '--config', config]);
  const { sinks } = JSON.parse(text) as {
    sinks: readonly { readonly name: string; readonly depth: number }[];
  };
  return sinks.find(({ name }) => name === 'siem')?.depth ?? -1;
}

t.test('each kind of event arrives at Splunk, Elasticsearch and Sentinel as it is', { skip }, async (t) => {
  const all = await chain(t, 'json');
  await makeEvents(all);
  t.comment(await sendTests(all));
  await holdAll(t, all);
  const kinds = new Set(all.splunk.taken.map(({ kind }) => kind));
  t.strictSame([...kinds].sort(), [...KINDS].sort(), 'all kinds');
  t.match(all.splunk.envelopes[0], {
    host: 'ns1',
    source: 'namegate',
    sourcetype: 'namegate:json',
    index: 'dns',
  });
  for (const { time, event } of all.splunk.envelopes)
    t.equal(time, Date.parse(String((event as Event)['time'])) / 1000, 'the time is the decision’s');
  await all.server.stop(t);
});

t.test('in format ocsf too', { skip }, async (t) => {
  const all = await chain(t, 'ocsf');
  await makeEvents(all);
  await sendTests(all);
  await holdAll(t, all);
  t.strictSame(new Set(all.elastic.taken.map((event) => event['class_uid'])), new Set([4003, 2004]));
  await all.server.stop(t);
});

t.test('outages, a refused token and kill -9 of syslog-ng lose nothing', { skip }, async (t) => {
  const all = await chain(t, 'json');
  all.splunk.script = [503, 429];
  all.elastic.script = [429, 502];
  all.sentinel.script = [503, 429];
  await makeEvents(all);
  await holdAll(t, all);
  all.sentinel.revoke();
  all.splunk.token = 'another';
  const [atSplunk, atSentinel] = [all.splunk.answers.length, all.sentinel.answers.length];
  for (let n = 0; n < 200; n++) await ask(all.server, `n${n}.evil.example`);
  await until(
    () =>
      all.splunk.answers.slice(atSplunk).includes(403) &&
      all.sentinel.answers.slice(atSentinel).includes(401),
    () => `they are not refused\n${all.syslog.log()}`,
    30_000,
  );
  // From here on nobody but syslog-ng has them, and its disk must.
  await until(
    async () => (await waiting(all)) === 0,
    () => all.server.stderr,
    30_000,
  );
  await all.restart();
  for (let n = 0; n < 200; n++) await ask(all.server, `m${n}.evil.example`);
  all.splunk.token = 'splunk-token';
  await holdAll(t, all);
  await all.server.stop(t);
});

t.test('the page has each variable that the files name', async (t) => {
  const used = FILES.flatMap((file) =>
    [...readFileSync(join('packaging/siem/syslog-ng', file), 'utf8').matchAll(/`([A-Z_]+)`/g)].map(
      ([, name]) => name,
    ),
  );
  const code = readFileSync('packaging/siem/syslog-ng/namegate_entra.py', 'utf8');
  const read = [...code.matchAll(/environ\["(\w+)"\]/g)].map(([, name]) => name);
  const shown =
    blocks(page('docs/alerts.md')).find(({ text }) => text.startsWith('NAMEGATE_IP='))?.text ?? '';
  const written = [...shown.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
  t.same(new Set(written), new Set([...used, ...read, 'PYTHONPATH']));
});
