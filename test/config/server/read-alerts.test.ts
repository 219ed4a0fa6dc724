import { join } from 'node:path';
import t, { type Test } from 'tap';
import { KINDS } from '../../../src/outbox/event.ts';
import { ALERT_KINDS, type AlertSettings, DEFAULT_ALERTS } from '../../../src/settings/alert-settings.ts';
import { brief, loadFrom, POLICY, SERVER, write } from '../harness.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const FILES = { 'policy.yaml': POLICY, 'ca.pem': PEM, 'a.pem': PEM, 'a.key': PEM, token: 'secret-1\n' };

function read(t: Test, alerts: string, env: Record<string, string> = {}) {
  const dir = write(t, { ...FILES, 'namegate.yaml': `${SERVER}${alerts}` });
  const result = loadFrom(dir, env);
  const sinks = (): AlertSettings['sinks'] => {
    if (result.settings === null) throw new Error(JSON.stringify(result.problems));
    return result.settings.alerts.sinks;
  };
  return { dir, result, brief: brief(dir, result), sinks };
}

t.test('the words of settings are those of the outbox', async (t) => {
  t.strictSame([...ALERT_KINDS, 'dropped'].sort(), [...KINDS].sort());
});

t.test('without alerts: there is no sink; alerts: {} writes a file in the state folder', async (t) => {
  t.same(read(t, '').result.settings?.alerts, DEFAULT_ALERTS);
  const { dir, sinks, brief } = read(t, 'alerts: {}\n');
  t.same(brief, []);
  t.match(sinks(), [
    {
      name: 'alerts',
      type: 'file',
      path: join(dir, 'state/alerts.jsonl'),
      format: 'json',
      kinds: ['finding', 'deny', 'contain', 'would_deny', 'would_contain'],
    },
  ]);
});

t.test('every key, as it is written', async (t) => {
  const { dir, result, sinks, brief } = read(
    t,
    `alerts:
  sync: disk
  quota: { decisions: { size: 2MiB, age: 1h }, findings: { size: 1GiB } }
  full: drop_new
  sinks:
    - { name: a, type: file, to: out/a.jsonl, size: 1MiB, keep: 0, kinds: [allow, allow, empty] }
    - { name: b, type: stdout, format: ocsf, min_severity: high }
    - { name: c, type: syslog, to: "tls://[2001:db8::9]#siem.example", ca: ca.pem, certificate: a.pem, key: a.key }
    - { name: d, type: syslog, to: "udp://192.0.2.9" }
    - { name: e, type: otlp, to: "https://192.0.2.9:4318#collector.example", token_file: token }
    - { name: f, type: otlp, to: "http://127.0.0.1:4318/elsewhere?x=1" }
`,
  );
  t.same(brief, []);
  t.match(result.settings?.alerts, {
    isDurable: true,
    decisions: { octets: 2 ** 21, age: 3_600_000 },
    findings: { octets: 2 ** 30, age: DEFAULT_ALERTS.findings.age },
    full: 'drop_new',
  });
  const file = (name: string): string => join(dir, name);
  t.match(sinks(), [
    { name: 'a', type: 'file', path: file('out/a.jsonl'), size: 2 ** 20, keep: 0, kinds: ['allow', 'empty'] },
    { name: 'b', type: 'stdout', format: 'ocsf', minSeverity: 'high' },
    {
      type: 'syslog',
      protocol: 'tls',
      host: '2001:db8::9',
      port: 6514,
      tls: { ca: file('ca.pem'), certificate: file('a.pem'), key: file('a.key'), serverName: 'siem.example' },
    },
    { type: 'syslog', protocol: 'udp', host: '192.0.2.9', port: 514, tls: { ca: null } },
    {
      type: 'otlp',
      url: 'https://192.0.2.9:4318/v1/logs',
      tokenFile: file('token'),
      tls: { serverName: 'collector.example' },
      timeout: 10_000,
    },
    { type: 'otlp', url: 'http://127.0.0.1:4318/elsewhere?x=1' },
  ]);
});

const wrong: readonly [string, string, string][] = [
  ['a file without a path', '{ name: a, type: file }', 'sink-form'],
  ['a file with a URL', '{ name: a, type: file, to: "file:///x" }', 'sink-form'],
  ['a file with a certificate', '{ name: a, type: file, to: x, ca: ca.pem }', 'sink-form'],
  ['a small file', '{ name: a, type: file, to: x, size: 1KiB }', 'value-range'],
  ['stdout with a path', '{ name: a, type: stdout, to: x }', 'sink-form'],
  ['syslog without a receiver', '{ name: a, type: syslog }', 'sink-form'],
  ['syslog over HTTP', '{ name: a, type: syslog, to: "http://192.0.2.1" }', 'url-form'],
  ['syslog with a path', '{ name: a, type: syslog, to: "tcp://192.0.2.1/x" }', 'url-form'],
  ['syslog with port 0', '{ name: a, type: syslog, to: "tcp://192.0.2.1:0" }', 'url-form'],
  ['syslog without a host', '{ name: a, type: syslog, to: "tcp://" }', 'url-form'],
  ['syslog with a name for nothing', '{ name: a, type: syslog, to: "tcp://192.0.2.1#x" }', 'url-form'],
  ['syslog with a token', '{ name: a, type: syslog, to: "tcp://192.0.2.1", token_file: token }', 'sink-form'],
  ['TLS keys without TLS', '{ name: a, type: syslog, to: "tcp://192.0.2.1", ca: ca.pem }', 'sink-form'],
  [
    'a certificate without key',
    '{ name: a, type: syslog, to: "tls://192.0.2.1", certificate: a.pem }',
    'sink-form',
  ],
  [
    'a file that is not there',
    '{ name: a, type: syslog, to: "tls://192.0.2.1", ca: no.pem }',
    'file-missing',
  ],
  ['a password in the URL', '{ name: a, type: otlp, to: "https://u:p@192.0.2.1" }', 'url-form'],
  ['otlp without a receiver', '{ name: a, type: otlp }', 'sink-form'],
  ['an empty token', '{ name: a, type: otlp, to: "https://192.0.2.1", token_file: a.pem }', 'sink-form'],
  ['a kind that is none', '{ name: a, type: stdout, kinds: [dropped] }', 'value-choice'],
  ['a name with a space', '{ name: "a b", type: stdout }', 'identifier-form'],
];
for (const [what, sink, expected] of wrong) {
  t.test(what, async (t) => {
    const { brief } = read(t, `alerts:\n  sinks:\n  - ${sink}\n`);
    t.equal(brief.length, 1, brief.join(', '));
    t.match(brief[0], /^namegate\.yaml:6:\d+ /);
    t.equal(brief[0]?.split(' ')[1], expected);
  });
}

const doubtful: readonly [string, string, string][] = [
  ['a name', '{ name: a, type: syslog, to: "tls://siem.example:6514" }', 'sink-name?'],
  [
    'a token without TLS',
    '{ name: a, type: otlp, to: "http://192.0.2.1", token_file: token }',
    'sink-plain?',
  ],
];
for (const [what, sink, expected] of doubtful) {
  t.test(`${what} is a warning`, async (t) => {
    const { brief, sinks } = read(t, `alerts:\n  sinks:\n  - ${sink}\n`);
    t.strictSame(
      brief.map((line) => line.split(' ')[1]),
      [expected],
    );
    t.equal(sinks().length, 1);
  });
}

t.test('two sinks have neither one name nor one file', async (t) => {
  const { brief } = read(
    t,
    'alerts:\n  sinks:\n  - { name: a, type: stdout }\n  - { name: A, type: file, to: x }\n  - { name: b, type: file, to: ./x }\n',
  );
  t.strictSame(
    brief.map((line) => line.split(' ')[1]),
    ['sink-duplicate', 'sink-duplicate'],
  );
});

t.test('the variables of the OpenTelemetry specification', async (t) => {
  const otlp = 'alerts:\n  sinks:\n  - { name: a, type: otlp }\n';
  const all = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318/base/',
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=k%20y, x=1',
    OTEL_EXPORTER_OTLP_TIMEOUT: '2500',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_EXPORTER_OTLP_CERTIFICATE: '/etc/ca.pem',
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: '/etc/a.pem',
    OTEL_EXPORTER_OTLP_CLIENT_KEY: '/etc/a.key',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  };
  t.match(read(t, otlp, all).sinks(), [
    {
      url: 'http://127.0.0.1:4318/base/v1/logs',
      headers: { 'api-key': 'k y', x: '1' },
      timeout: 2_500,
      isGzipped: true,
      tls: { ca: '/etc/ca.pem', certificate: '/etc/a.pem', key: '/etc/a.key' },
    },
  ]);
  const logs = { ...all, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://127.0.0.1:9/x' };
  t.match(read(t, otlp, logs).sinks(), [{ url: 'http://127.0.0.1:9/x' }]);
  const written = 'alerts:\n  sinks:\n  - { name: a, type: otlp, to: "http://127.0.0.1:1" }\n';
  t.match(
    read(t, written, all).sinks(),
    [{ url: 'http://127.0.0.1:1/v1/logs' }],
    'what is written goes first',
  );
  for (const [name, value] of [
    ['PROTOCOL', 'grpc'],
    ['COMPRESSION', 'zstd'],
    ['TIMEOUT', '-1'],
    ['HEADERS', 'nothing'],
    ['ENDPOINT', 'ftp://x'],
    ['CLIENT_KEY', ''],
  ] as const) {
    const { brief } = read(t, otlp, { ...all, [`OTEL_EXPORTER_OTLP_${name}`]: value });
    t.equal(brief.length, 1, `${name}=${value}: ${brief.join(', ')}`);
  }
});
