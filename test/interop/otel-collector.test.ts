import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { parse, stringify } from 'yaml';
import { KINDS } from '../../src/outbox/event.ts';
import { blocks, page } from '../docs.ts';
import { Collector } from '../outbox/sinks/collector.ts';
import { ask } from '../server/client.ts';
import { MAIN, type Namegate, namegate } from '../server/namegate.ts';
import { opensslCa } from './openssl-ca.ts';
import { freePort, must, type Peer, run, start, until } from './process.ts';
import { type Event, idOf, withoutSending } from './siem-receivers.ts';

/**
 * A real OpenTelemetry Collector behind the sink `otlp`, with the receiver and the pipelines of the docs. It is built from packages of
 * a suite that moves, so where that fails this is skipped, in CI too. Its exporters are those of the Collector's own repository: what
 * it took goes on over OTLP/HTTP to the strict collector of the other tests.
 */
const PROGRAM = process.env['NAMEGATE_OTELCOL'] ?? '/var/cache/namegate/otelcol/otelcol';
const STRICT = join(dirname(PROGRAM), 'strict');
const skip = existsSync(PROGRAM) && existsSync(STRICT) ? false : `not built: ${PROGRAM}`;
const ALL = KINDS.filter((kind) => kind !== 'dropped').join();
const POLICY = `identities:
  - { name: builder, owner: team, review_by: 2099-01-01, from: { addresses: [127.0.0.1] } }
`;

interface Configuration {
  readonly receivers: { readonly otlp: { readonly protocols: { readonly http: Record<string, unknown> } } };
  readonly exporters: Readonly<
    Record<string, { readonly sending_queue?: object; readonly retry_on_failure?: object }>
  >;
  readonly service: {
    readonly pipelines: Readonly<Record<string, { receivers: string[]; exporters: string[] }>>;
  };
}

const documented = (): Configuration =>
  parse(
    blocks(page('docs/alerts.md')).find(({ kind }) => kind === 'yaml collector')?.text ?? '',
  ) as Configuration;

interface Chain {
  readonly server: Namegate;
  readonly backend: Collector;
  collector: Peer;
  restart(): Promise<void>;
  told(): Event[];
}

async function chain(t: Test, format: 'json' | 'ocsf'): Promise<Chain> {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-otelcol-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const ca = opensslCa(folder, 'ca');
  const pem = ca.issue('collector', 'subjectAltName = DNS:collector.example\nextendedKeyUsage = serverAuth');
  const shown = ca.issue('ns1', 'subjectAltName = DNS:ns1.example\nextendedKeyUsage = clientAuth');
  const keyOf = (file: string): string => file.replace(/\.pem$/, '.key');
  const backend = new Collector();
  await backend.listen(t);
  const port = await freePort();
  const { receivers, exporters, service } = documented();
  const tls = { cert_file: pem, key_file: keyOf(pem), client_ca_file: ca.certificate };
  const { http } = receivers.otlp.protocols;
  const own = { ...http, endpoint: `127.0.0.1:${port}`, tls };
  const [terms] = Object.values(exporters);
  const { sending_queue, retry_on_failure } = terms ?? {};
  const onward = {
    endpoint: `http://127.0.0.1:${backend.port}`,
    encoding: 'json',
    sending_queue,
    retry_on_failure,
  };
  const [pipeline] = Object.values(service.pipelines);
  const configuration = {
    receivers: { otlp: { protocols: { http: own } } },
    exporters: { otlp_http: onward },
    service: {
      // Its own metrics would take a port.
      telemetry: { metrics: { level: 'none' } },
      pipelines: { logs: { receivers: pipeline?.receivers ?? [], exporters: ['otlp_http'] } },
    },
  };
  const file = join(folder, 'collector.yaml');
  writeFileSync(file, stringify(configuration));
  const begin = async (): Promise<Peer> => {
    const peer = start(t, [PROGRAM, '--config', file]);
    await until(() => peer.log().includes('Everything is ready') || peer.ended(), peer.log);
    if (peer.ended()) throw new Error(peer.log());
    return peer;
  };
  const to = `"https://127.0.0.1:${port}#collector.example", ca: ${ca.certificate}, certificate: ${shown}, key: ${keyOf(shown)}`;
  const collector = await begin();
  const server = await namegate(t, {
    policy: POLICY,
    settings: `admin: unix:admin.sock
alerts:
  sinks:
    - { name: siem, type: otlp, format: ${format}, kinds: [${ALL}], to: ${to} }
    - { name: beside, type: file, format: ${format}, kinds: [${ALL}], to: beside.jsonl }
`,
  });
  const beside = join(server.folder, 'beside.jsonl');
  const all: Chain = {
    server,
    backend,
    collector,
    restart: async () => {
      all.collector.kill('SIGKILL');
      await all.collector.stop();
      all.collector = await begin();
    },
    told: () => {
      const lines = existsSync(beside) ? readFileSync(beside, 'utf8').split('\n').slice(0, -1) : [];
      return lines.map((line) => JSON.parse(line) as Event);
    },
  };
  return all;
}

async function holdAll(t: Test, { server, backend, collector, told }: Chain): Promise<void> {
  const arrived = (): Map<string, Event> => new Map(backend.received.map(({ body }) => [idOf(body), body]));
  await until(
    () => told().every((event) => arrived().has(idOf(event))),
    () => `${backend.faults}\n${collector.log()}\n${server.stderr}`,
    60_000,
  );
  t.same(backend.faults, [], 'what the Collector sends on is OTLP as it is written');
  const byId = arrived();
  for (const event of told())
    t.strictSame(
      withoutSending(byId.get(idOf(event)) ?? {}),
      withoutSending(event),
      `${idOf(event)} is as it was told`,
    );
}

async function makeEvents({ server, told }: Chain): Promise<void> {
  for (const name of ['evil.example', '\\010\\123\\034\\092\\255.example', 'localhost', 'x.oast.fun'])
    await ask(server, name);
  await until(
    () => told().length >= 4,
    () => server.stderr,
    30_000,
  );
}

for (const format of ['json', 'ocsf'] as const)
  t.test(`each kind of event passes a real Collector in format ${format}`, { skip }, async (t) => {
    const all = await chain(t, format);
    await makeEvents(all);
    await must([
      process.execPath,
      MAIN,
      'alerts',
      'test',
      '--config',
      join(all.server.folder, 'namegate.yaml'),
    ]);
    await holdAll(t, all);
    const names = new Set(all.backend.received.map(({ eventName }) => eventName));
    t.strictSame(
      names,
      new Set(['namegate.decision', 'namegate.finding', 'namegate.heartbeat', 'namegate.dropped']),
    );
    await all.server.stop(t);
  });

t.test('an outage behind the Collector, and its kill, lose nothing', { skip }, async (t) => {
  const all = await chain(t, 'json');
  all.backend.script = [['503'], ['429'], ['503']];
  await makeEvents(all);
  await holdAll(t, all);
  all.backend.script = [['503'], ['503'], ['503']];
  for (let n = 0; n < 200; n++) await ask(all.server, `n${n}.evil.example`);
  await until(
    () => all.backend.script.length < 3,
    () => all.collector.log(),
    30_000,
  );
  await all.restart();
  for (let n = 0; n < 200; n++) await ask(all.server, `m${n}.evil.example`);
  await holdAll(t, all);
  await all.server.stop(t);
});

t.test('the receiver of the docs has the keys that the Collector knows', { skip }, async (t) => {
  const { receivers, service } = documented();
  const file = join(t.testdir(), 'collector.yaml');
  const exporters = Object.fromEntries(
    Object.values(service.pipelines).flatMap(({ exporters: names }) =>
      names.map((name) => [`otlp_http/${name}`, { endpoint: 'http://127.0.0.1:1' }]),
    ),
  );
  const pipelines = Object.fromEntries(
    Object.entries(service.pipelines).map(([name, { receivers: from, exporters: names }]) => [
      name,
      // The processor is no part of this Collector.
      { receivers: from, exporters: names.map((each) => `otlp_http/${each}`) },
    ]),
  );
  const validate = async (http: object) => {
    const protocols = { ...receivers.otlp.protocols, http };
    writeFileSync(
      file,
      stringify({ receivers: { otlp: { protocols } }, exporters, service: { ...service, pipelines } }),
    );
    return run([PROGRAM, 'validate', '--config', file]);
  };
  const { http } = receivers.otlp.protocols;
  t.match(await validate(http), { code: 0 });
  t.match(await validate({ ...http, endpiont: 'x' }), { code: 1, stderr: /invalid keys: endpiont/ });
});

/** What protobuf's own reader says of each request, by the published definitions. */
function readStrictly(requests: readonly string[]): string[] {
  const { stdout } = spawnSync(STRICT, { input: `${requests.join('\n')}\n`, encoding: 'utf8' });
  return stdout.split('\n').slice(0, -1);
}

for (const format of ['json', 'ocsf'] as const)
  t.test(`each request in format ${format} is one by the published definitions`, { skip }, async (t) => {
    const requests: string[] = [];
    const receiver = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      request.on('end', () => {
        requests.push(text);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      receiver.closeAllConnections();
      receiver.close();
    });
    const { port } = receiver.address() as AddressInfo;
    const server = await namegate(t, {
      policy: POLICY,
      settings: `admin: unix:admin.sock
alerts: { sinks: [{ name: siem, type: otlp, format: ${format}, kinds: [${ALL}], to: "http://127.0.0.1:${port}" }] }
`,
    });
    for (const name of ['evil.example', '\\010\\123\\034\\092\\255.example', 'localhost', 'x.oast.fun'])
      await ask(server, name);
    await must([process.execPath, MAIN, 'alerts', 'test', '--config', join(server.folder, 'namegate.yaml')]);
    await until(
      () => requests.some((text) => text.includes('out-of-band')),
      () => server.stderr,
      30_000,
    );
    const read = readStrictly(requests);
    t.equal(read.length, requests.length);
    t.same(
      read.filter((line) => line.startsWith('fault:')),
      [],
    );
    const counted = read.join(' ').split(' ').length;
    t.equal(counted, requests.join('').split('"timeUnixNano"').length - 1, 'each record has its event name');
    const [first = ''] = requests;
    const wrong = [
      first.replace('"severityText"', '"severity_txt"'),
      first.replace(/"severityNumber":\d+/, '"severityNumber":"LOUD"'),
      first.replace(/"timeUnixNano":"/, '"timeUnixNano":"x'),
      first.replace('"stringValue"', '"strValue"'),
    ];
    for (const [n, line] of readStrictly(wrong).entries()) t.match(line, /^fault:/, `wrong request ${n}`);
    await server.stop(t);
  });
