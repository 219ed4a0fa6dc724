import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import t, { type Test } from 'tap';
import type { LoadResult } from '../../../src/config/loaded.ts';
import { DEFAULT_THRESHOLDS } from '../../../src/detect/patterns/kinds.ts';
import { DEFAULT_ALERTS } from '../../../src/settings/alert-settings.ts';
import { DEFAULT_BUDGETS, type Settings, type UpstreamServer } from '../../../src/settings/settings.ts';
import { nameToText } from '../../../src/wire/name.ts';
import { brief, loadFrom, POLICY, problemsOf, put, SERVER, write } from '../harness.ts';

function settingsOf(
  t: Test,
  server: string,
  env: Record<string, string> = {},
  files: Record<string, string> = {},
): Settings {
  const dir = write(t, { 'namegate.yaml': server, 'policy.yaml': POLICY, ...files });
  const result = loadFrom(dir, env);
  if (result.settings === null) throw new Error(brief(dir, result).join('\n'));
  return result.settings;
}

t.test('defaults', async (t) => {
  const settings = settingsOf(t, 'listen: [udp://127.0.0.1]\npolicy: policy.yaml\n');
  const { policy, state, name, ...rest } = settings;
  t.match(name, /^[!-~]+$/, "the host's name");
  t.match(policy, /^\/.*\/policy\.yaml$/);
  t.match(state, /^\/.*\/state$/);
  t.same(rest, {
    listen: [{ protocol: 'udp', host: '127.0.0.1', port: 53, spoofable: false }],
    upstreams: [{ name: 'default', servers: 'system', zones: [] }],
    cache: { size: 67_108_864, maxTtl: 86_400, serveStale: 3_600, share: 'all' },
    budgets: DEFAULT_BUDGETS,
    detect: DEFAULT_THRESHOLDS,
    enforce: null,
    history: { keep: 30 * 86_400_000, size: 2 ** 30 },
    replies: { maxTtl: 300, dynamicMaxTtl: 30, edeText: true, contact: '' },
    limits: { inFlight: 10_000, tcpClients: 1_000, unknownQps: 20 },
    renew: null,
    admin: null,
    exceptions: { maxTtl: 604_800 },
    metrics: null,
    alerts: DEFAULT_ALERTS,
    log: { level: 'info' },
  });
});

t.test('every key, as it is written', async (t) => {
  const settings = settingsOf(
    t,
    `listen: ["udp://[::1]:5300", tcp://127.0.0.1:5300]
upstreams:
  corp: { servers: [tcp://10.0.0.2], zones: [Corp.Example., 10.in-addr.arpa] }
  default:
    servers:
      - udp://192.0.2.53
      - tls://192.0.2.54#DNS.example.
      - { on: "tls://[2001:db8::54]:8853", name: bücher.example }
  other: { servers: system, zones: [other.example] }
policy: ./policy.yaml
detect:
  budgets: { lease_wildcard: { alert: 1KiB, contain: 2KiB }, claim_wildcard: off, identity: { contain: 20KiB } }
cache: { size: 1MiB, max_ttl: 1h, serve_stale: 0s, share: identity }
replies: { max_ttl: 60s, dynamic_max_ttl: 0s, ede_text: false }
renew: { names: all }
limits: { in_flight: 1, tcp_clients: 2, unknown_qps: 3 }
state: ../elsewhere
server: { name: ns1.example }
metrics: "http://[::1]:9999"
log: { level: silent }
`,
  );
  t.same(settings.listen, [
    { protocol: 'udp', host: '::1', port: 5300, spoofable: false },
    { protocol: 'tcp', host: '127.0.0.1', port: 5300, proxyFrom: [] },
  ]);
  t.same(
    settings.upstreams.map(({ name, zones }) => [name, zones.map(nameToText)]),
    [
      ['default', []],
      ['corp', ['corp.example', '10.in-addr.arpa']],
      ['other', ['other.example']],
    ],
    'default first',
  );
  t.same(settings.upstreams[0]!.servers, [
    { protocol: 'udp', host: '192.0.2.53', port: 53, name: null, ca: null },
    { protocol: 'tls', host: '192.0.2.54', port: 853, name: 'dns.example', ca: null },
    { protocol: 'tls', host: '2001:db8::54', port: 8853, name: 'xn--bcher-kva.example', ca: null },
  ]);
  t.same(settings.cache, { size: 1_048_576, maxTtl: 3_600, serveStale: 0, share: 'identity' });
  t.same(settings.budgets, {
    lease_wildcard: { alert: 1024, contain: 2048, containsShared: true },
    claim_wildcard: { alert: 0, contain: 0 },
    identity_wildcard: { alert: 4096, contain: 0 },
    identity: { alert: 10_240, contain: 20_480, containsShared: true },
  });
  t.equal(settings.name, 'ns1.example');
  t.same(settings.replies, { maxTtl: 60, dynamicMaxTtl: 0, edeText: false, contact: '' });
  t.same(settings.renew, { names: 'all', max: 1_000 });
  t.same(settings.limits, { inFlight: 1, tcpClients: 2, unknownQps: 3 });
  t.match(settings.state, /\/elsewhere$/);
  t.same(settings.metrics, { host: '::1', port: 9_999 });
  t.same(settings.log, { level: 'silent' });
});

t.test('servers as they really are: an interface, an address as a name, no mixed case', async (t) => {
  const { upstreams } = settingsOf(
    t,
    `listen: [udp://127.0.0.1:5300]
policy: policy.yaml
upstreams:
  default:
    servers: ["udp://[fe80::53%eth0]:5300", "tcp://[FE80::1%br-lan.7]", "tls://192.0.2.1:853#192.0.2.1"]
  a:
    servers: ["tls://[2001:db8::1]#2001:DB8:0::1", { on: "tls://192.0.2.2", name: "[2001:db8::2]" }]
    zones: [a.example]
  b: { servers: [udp://192.0.2.3, tcp://192.0.2.3], mix_case: false, zones: [b.example] }
  c: { servers: [{ on: udp://192.0.2.4, mix_case: false }, udp://192.0.2.5], zones: [c.example] }
  d: { servers: [{ on: udp://192.0.2.4, mix_case: true }, udp://192.0.2.5], mix_case: false, zones: [d.example] }
  e: { servers: system, mix_case: false, zones: [e.example] }
`,
  );
  const told = upstreams.map(({ servers, mixCase }) => [
    mixCase ?? true,
    ...(servers === 'system' ? ['system'] : servers).map((each) =>
      typeof each === 'string'
        ? each
        : [each.protocol, each.host, each.port, each.name, each.mixCase]
            .filter((part) => part != null)
            .join(' '),
    ),
  ]);
  t.same(told, [
    [true, 'udp fe80::53%eth0 5300', 'tcp fe80::1%br-lan.7 53', 'tls 192.0.2.1 853 192.0.2.1'],
    [true, 'tls 2001:db8::1 853 2001:db8::1', 'tls 192.0.2.2 853 2001:db8::2'],
    [false, 'udp 192.0.2.3 53 false', 'tcp 192.0.2.3 53'],
    [true, 'udp 192.0.2.4 53 false', 'udp 192.0.2.5 53'],
    [false, 'udp 192.0.2.4 53 true', 'udp 192.0.2.5 53 false'],
    [false, 'system'],
  ]);
});

t.test('settings are frozen, to the bottom', async (t) => {
  const settings = settingsOf(t, SERVER);
  t.ok(Object.isFrozen(settings));
  t.ok(Object.isFrozen(settings.listen[0]));
  t.ok(Object.isFrozen(settings.upstreams[0]!.servers));
});

t.test('each mistake, where it stands', async (t) => {
  const base = 'listen: [udp://127.0.0.1:5300]\npolicy: policy.yaml\n';
  const cases: [line: string, problems: string[]][] = [
    ['workers: 4', ['3:1 key-unknown']],
    ['upstream: {}', ['3:1 key-unknown']],
    ['state: ""', ['3:8 value-empty']],
    ['state: 5', ['3:8 yaml-quote']],
    ['state:', ['3:1 value-empty']],
    ['metrics: 9153', ['3:10 yaml-quote']],
    ['metrics: http://localhost:9153', ['3:17 url-form']],
    ['metrics: https://127.0.0.1', ['3:10 url-form']],
    ['log: debug', ['3:6 value-kind']],
    ['log: { level: verbose }', ['3:15 value-choice']],
    ['cache: { size: 64MB }', ['3:16 size-form']],
    ['cache: { size: 1KiB }', ['3:16 value-range']],
    ['cache: { size: 64 }', ['3:16 yaml-quote']],
    ['cache: { max_ttl: 0s }', ['3:19 value-range']],
    ['cache: { max_ttl: 1500ms }', ['3:19 value-range']],
    ['cache: { max_ttl: 300 }', ['3:19 yaml-quote']],
    ['cache: { ttl: 1d, share: one }', ['3:10 key-unknown', '3:26 value-choice']],
    ['replies: { ede_text: yes }', ['3:22 value-kind']],
    ['replies: { max_ttl: 1h30m }', ['3:21 duration-form']],
    ['limits: { in_flight: 0 }', ['3:22 value-range']],
    ['limits: { in_flight: 010 }', ['3:22 yaml-number']],
    ['limits: { in_flight: 1e3 }', ['3:22 yaml-number']],
    ['limits: { in_flight: "10" }', ['3:22 value-kind']],
    ['detect: { budgets: { identity: { alert: 2KiB, contain: 1KiB } } }', ['3:41 budget-order']],
    ['detect: { budgets: { identity: { alert: 2KB } } }', ['3:41 size-form']],
    ['detect: { budgets: { identity: { alert: off } } }', ['3:41 size-form']],
    ['detect: { budgets: { identity: { alert: 2KiB, contain: on } } }', ['3:56 size-form']],
    ['detect: { budgets: { identity: { contain: 0B } } }', ['3:43 value-range']],
    ['detect: { budgets: { identity: { contain: 2GiB } } }', ['3:43 value-range']],
    ['detect: { attempt: { octets: 8B } }', ['3:30 value-range']],
    ['detect: { attempt: { octets: 128KiB } }', ['3:30 value-range']],
    // What no detector can count to never fires.
    ['detect: { attempt: { names: 65 } }', ['3:29 value-range']],
    ['detect: { attempt: { names: 64 } }', []],
    ['detect: { attempt: { length: 256 } }', ['3:30 value-range']],
    ['detect: { sweep: { domains: 129 } }', ['3:29 value-range']],
    ['detect: { sweep: { domains: 128 } }', []],
    ['detect: { nxdomain_storm: { share: 101 } }', ['3:36 value-range']],
    ['detect: { near_miss: { length: 64 } }', ['3:32 value-range']],
    ['detect: { attempt: { octets: 128 } }', ['3:30 yaml-quote']],
    ['detect: { attempt: on }', ['3:20 value-kind']],
    ['detect: { sweep: { within: 10 } }', ['3:28 yaml-quote']],
    ['detect: { sweep: { within: 10ms } }', ['3:28 value-range']],
    ['detect: { sweep: { domains: 1 } }', ['3:29 value-range']],
    ['detect: { out_of_band: { length: 3 } }', ['3:24 value-choice']],
    ['detect: { typosquat: off }', ['3:11 key-unknown']],
    ['detect: { budgets: { identity: never } }', ['3:32 value-kind']],
    ['detect: { budgets: { lease_wildcard: { alert: 2KiB } } }', ['3:47 budget-order']],
    ['detect: { budgets: { lease: off } }', ['3:22 key-unknown']],
    ['limits: { unknown_qps: 1.5, in_flight: 10000001 }', ['3:24 value-kind', '3:40 value-range']],
    ['limits: []', ['3:9 value-kind']],
    ['renew: {}', ['3:1 key-missing']],
    ['renew: { names: some }', ['3:17 value-kind']],
    ['renew: { names: [] }', ['3:17 value-empty']],
    ['renew: { names: all, max: 0 }', ['3:27 value-range']],
    ['renew: { names: [nosuch] }', ['3:18 destination-unknown']],
    ['upstreams: system', ['3:12 value-kind']],
    ['upstreams: { default: system }', ['3:23 value-kind']],
    ['upstreams: { default: { servers: sytem } }', ['3:34 value-kind']],
    ['upstreams: { default: { servers: [] } }', ['3:34 value-empty']],
    ['upstreams: { default: { servers: udp://192.0.2.53 } }', ['3:34 value-kind']],
    ['upstreams: { default: { servers: [192.0.2.53] } }', ['3:35 url-form']],
    ['upstreams: { default: { servers: [udp://dns.example] } }', ['3:41 url-form']],
    ['upstreams: { default: { servers: ["tls://192.0.2.54"] } }', ['3:51 upstream-name']],
    ['upstreams: { default: { servers: ["tls://192.0.2.54#a..b"] } }', ['3:53 upstream-name']],
    ['upstreams: { default: { servers: ["tls://192.0.2.54#192.0.2"] } }', ['3:53 upstream-name']],
    ['upstreams: { default: { servers: ["udp://[fe80::53]"] } }', ['3:51 url-form']],
    ['upstreams: { default: { servers: ["udp://[fe80::53%]"] } }', ['3:51 url-form']],
    ['upstreams: { default: { servers: ["udp://[fe80::53%25eth0]"] } }', ['3:51 url-form']],
    ['upstreams: { default: { servers: ["udp://[fe80::53%a/b]"] } }', ['3:51 url-form']],
    ['upstreams: { default: { servers: ["udp://[2001:db8::53%eth0]"] } }', ['3:55 url-form']],
    ['upstreams: { default: { servers: ["udp://192.0.2.1%eth0"] } }', ['3:51 url-form']],
    [
      'upstreams: { default: { servers: [{ on: "tcp://192.0.2.1", mix_case: false }] } }',
      ['3:60 upstream-mix-case'],
    ],
    ['upstreams: { default: { servers: ["udp://192.0.2.54#a.example"] } }', ['3:52 url-form']],
    ['upstreams: { default: { servers: [{ name: a.example }] } }', ['3:35 key-missing']],
    ['upstreams: { default: { servers: [{ on: "tls://192.0.2.1" }] } }', ['3:41 upstream-name']],
    ['upstreams: { default: { servers: [{ on: "tls://192.0.2.1", name: "*.x" }] } }', ['3:66 upstream-name']],
    [
      'upstreams: { default: { servers: [{ on: "tls://192.0.2.1#a.example", name: b.example }] } }',
      ['3:76 upstream-name'],
    ],
    [
      'upstreams: { default: { servers: [{ on: "udp://192.0.2.1", name: a.example, ca: ca.pem }] } }',
      ['3:60 upstream-name', '3:77 upstream-name', '3:81 file-missing'],
    ],
    ['upstreams: { default: { servers: system, zones: [a.example] } }', ['3:42 group-zones']],
    ['upstreams: { corp: { servers: system } }', ['3:14 group-zones']],
    ['upstreams: { corp: { servers: system, zones: [] } }', ['3:46 value-empty']],
    [
      'upstreams: { corp: { servers: system, zones: ["*.x.example", "."] } }',
      ['3:48 name-exact', '3:63 pattern-empty'],
    ],
    ['upstreams: { corp: { servers: system, zones: [a.example, A.example.] } }', ['3:58 group-zone-twice']],
    [
      'upstreams: { a: { servers: system, zones: [x.example] }, b: { servers: system, zones: [x.example] } }',
      ['3:88 group-zone-twice'],
    ],
    ['upstreams: { "a b": { servers: system, zones: [x.example] } }', ['3:14 identifier-form']],
    ['upstreams: { a: { server: system, zones: [x.example] } }', ['3:14 key-missing', '3:19 key-unknown']],
  ];
  for (const [line, problems] of cases) {
    const told = problemsOf(t, { 'namegate.yaml': `${base}${line}\n` });
    t.same(
      told,
      problems.map((problem) => `namegate.yaml:${problem}`),
      line,
    );
  }
});

t.test('listeners', async (t) => {
  const cases: [listen: string, problems: string[]][] = [
    ['listen: []', ['1:9 value-empty']],
    ['listen: udp://127.0.0.1', ['1:9 value-kind']],
    ['listen: [quic://127.0.0.1:853]', ['1:10 url-unsupported']],
    [
      'listen: ["udp://127.0.0.1:853", "tcp://127.0.0.1:853", { on: "tcp://127.0.0.1:853" }]',
      ['1:62 listen-duplicate'],
    ],
    ['listen: [5300]', ['1:10 yaml-quote']],
    ['listen: [udp://127.0.0.1, tcp://127.0.0.1, udp://127.0.0.1:53]', ['1:44 listen-duplicate']],
    ['listen: [udp://127.0.0.1:0, udp://127.0.0.1:0]', []],
    ['listen: ["udp://[::1]:53", "udp://[0:0::1]"]', ['1:28 listen-duplicate']],
    ['# none', ['1:1 key-missing']],
  ];
  for (const [listen, problems] of cases) {
    const told = problemsOf(t, { 'namegate.yaml': `${listen}\npolicy: policy.yaml\n` });
    t.same(
      told,
      problems.map((problem) => `namegate.yaml:${problem}`),
      listen,
    );
  }
});

t.test('a policy is required, and is where the server file says', async (t) => {
  t.same(problemsOf(t, { 'namegate.yaml': 'listen: [udp://127.0.0.1]\n' }), [
    'namegate.yaml:1:1 key-missing',
  ]);
  t.same(problemsOf(t, { 'namegate.yaml': 'listen: [udp://127.0.0.1]\npolicy: ""\n' }), [
    'namegate.yaml:2:9 value-empty',
  ]);
  t.same(problemsOf(t, { 'namegate.yaml': 'listen: [udp://127.0.0.1]\npolicy: nosuch/\n' }), [
    'namegate.yaml:2:9 file-missing',
  ]);
});

t.test('an upstream is never one of our own listeners', async (t) => {
  const cases: [listen: string, server: string, own: boolean][] = [
    ['udp://127.0.0.1:5300', 'udp://127.0.0.1:5300', true],
    ['udp://127.0.0.1:5300', 'tcp://127.0.0.1:5300', true],
    ['tcp://127.0.0.1:5300', 'udp://127.0.0.1:5300', true],
    ['tcp://127.0.0.1:853', 'tls://127.0.0.1#a.example', true],
    ['udp://127.0.0.1:853', 'tls://127.0.0.1#a.example', false],
    ['udp://127.0.0.1:5300', 'udp://127.0.0.1:5301', false],
    ['udp://127.0.0.2:5300', 'udp://127.0.0.1:5300', false],
    ['udp://0.0.0.0:5300', 'udp://127.0.0.1:5300', true],
    ['udp://0.0.0.0:5300', 'udp://127.9.9.9:5300', true],
    ['udp://0.0.0.0:5300', 'udp://[::1]:5300', false],
    ['udp://[::]:5300', 'udp://[::1]:5300', true],
    ['udp://[::]:5300', 'udp://127.0.0.1:5300', true],
    ['udp://[::1]:5300', 'udp://[0::1]:5300', true],
    ['udp://0.0.0.0:53', 'udp://192.0.2.53', false],
    ['udp://127.0.0.1:0', 'udp://127.0.0.1:5300', false],
  ];
  for (const [listen, server, own] of cases) {
    const file = `listen: ["${listen}"]\nupstreams: { default: { servers: ["${server}"] } }\npolicy: policy.yaml\n`;
    t.same(
      problemsOf(t, { 'namegate.yaml': file }).filter((problem) => !problem.includes('listen-family')),
      own ? ['namegate.yaml:2:35 upstream-self'] : [],
      `${listen} ${server}`,
    );
  }
});

t.test('NAMEGATE_UPSTREAM replaces the servers of default, and of it alone', async (t) => {
  const server = `listen: [udp://127.0.0.1:5300]
upstreams:
  default: { servers: system }
  corp: { servers: [udp://10.0.0.2], zones: [corp.example] }
policy: policy.yaml
`;
  const env = { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:5301, tls://192.0.2.54#dns.example' };
  const { upstreams } = settingsOf(t, server, env);
  t.match(upstreams, [
    {
      name: 'default',
      servers: [
        { protocol: 'udp', host: '127.0.0.1', port: 5301 },
        { protocol: 'tls', host: '192.0.2.54', name: 'dns.example' },
      ],
    },
    { name: 'corp', servers: [{ host: '10.0.0.2' }] },
  ]);
  const without = settingsOf(t, 'listen: [udp://127.0.0.1:5300]\npolicy: policy.yaml\n', env).upstreams;
  t.match(without, [{ name: 'default', servers: [{ port: 5301 }, { port: 853 }] }]);
  const bad: [value: string, problems: string[]][] = [
    ['', ['1:1 url-form']],
    ['system', ['1:1 url-form']],
    ['udp://127.0.0.1:5301,udp://localhost', ['1:28 url-form']],
    ['udp://127.0.0.1:5300', ['1:1 upstream-self']],
    ['tls://192.0.2.54', ['1:16 upstream-name']],
  ];
  for (const [value, problems] of bad) {
    const dir = write(t, { 'namegate.yaml': server, 'policy.yaml': POLICY });
    const result = loadFrom(dir, { NAMEGATE_UPSTREAM: value });
    t.same(
      brief(dir, result),
      problems.map((problem) => `NAMEGATE_UPSTREAM:${problem}`),
      value,
    );
    t.equal(result.settings, null);
    t.equal(result.sources.get('NAMEGATE_UPSTREAM'), value);
  }
});

t.test('ca files are read, checked and followed', async (t) => {
  const dir = write(t, {
    'policy.yaml': POLICY,
    'ca.pem': `# two roots\n${rootCertificates.slice(0, 2).join('\n')}\n`,
    'empty.pem': 'no certificate\n',
    'bad.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  });
  const run = (ca: string): LoadResult => {
    const server = `{ on: "tls://192.0.2.1", name: a.example, ca: ${ca} }`;
    put(dir, {
      'namegate.yaml': `listen: [udp://127.0.0.1]\npolicy: policy.yaml\nupstreams: { default: { servers: [${server}] } }\n`,
    });
    return loadFrom(dir);
  };
  const good = run('ca.pem');
  t.same(brief(dir, good), []);
  const [server] = good.settings!.upstreams[0]!.servers as UpstreamServer[];
  t.equal(server!.ca, rootCertificates.slice(0, 2).join('\n'));
  t.ok(good.files.includes(join(dir, 'ca.pem')));
  t.same(brief(dir, run('empty.pem')), ['namegate.yaml:3:81 file-pem']);
  t.same(brief(dir, run('bad.pem')), ['namegate.yaml:3:81 file-pem']);
  t.same(brief(dir, run('nosuch.pem')), ['namegate.yaml:3:81 file-missing']);
  t.same(brief(dir, run('.')), ['namegate.yaml:3:81 file-kind']);
  t.same(brief(dir, run('""')), ['namegate.yaml:3:81 value-empty']);
});
