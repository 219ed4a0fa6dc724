import { spawn } from 'node:child_process';
import t from 'tap';
import { examine, type Surroundings } from '../../../src/cli/doctor/doctor-verb.ts';
import type { Finding } from '../../../src/cli/doctor/finding.ts';
import { parseWhy } from '../../../src/cli/doctor/identify.ts';
import { readStubConfig } from '../../../src/cli/doctor/resolv-conf.ts';
import { stubRemarks } from '../../../src/cli/doctor/stub-remarks.ts';
import { nsswitchFindings, proxyFindings } from '../../../src/cli/doctor/ways-out.ts';
import { loadPolicyOnly } from '../../../src/config/load.ts';
import { explain, explanationLine } from '../../../src/policy/explain/explain.ts';
import { UNKNOWN } from '../../../src/policy/identity.ts';
import { running } from '../../clock.ts';
import { freePort } from '../../interop/process.ts';
import { clientFiles } from '../../stub/peers.ts';
import { MAIN } from '../command.ts';
import { record, replyTo, responder, type Script, txt, wire } from '../responder.ts';

// They wait more than they work.
t.jobs = 4;

const AA = 0x8580;

/** Answers as namegate does. */
function like(line: string, flags = AA): Script {
  return (query) => [replyTo(query, { flags, answers: [record(16, txt(line), 0)] })];
}

const BUILD = like('github.com A: allow for build; rule github.com; owner x');
const OTHER: Script = (query) => [replyTo(query, { rcode: 3 })];
const SILENT: Script = () => [];

function around(port: number, text: string | null, more: Partial<Surroundings> = {}): Surroundings {
  const resolvConf = { path: 'resolv.conf', text };
  return { resolvConf, nsswitch: null, env: {}, listen: [], probes: [], port, ...more };
}

function lines(findings: readonly Finding[], status: Finding['status']): string[] {
  return findings.filter((one) => one.status === status).map(({ check, message }) => `${check}: ${message}`);
}

t.test('namegate alone: all is well', async (t) => {
  const server = await responder(t, BUILD);
  const findings = await examine(around(server.port, 'nameserver 127.0.0.1\n'));
  t.same(lines(findings, 'bad'), []);
  t.same(lines(findings, 'ok'), [
    'nameserver: nameserver 127.0.0.1 is namegate, over UDP and TCP',
    'resolv-conf: namegate is the only nameserver in resolv.conf',
    'identity: namegate sees this client as build',
    'proxy: no variable names a proxy',
  ]);
  t.match(lines(findings, 'note'), [/^probe: .*nothing outside was contacted/]);
  t.same(
    [...new Set(server.seen.map(({ transport }) => transport))].sort(),
    ['tcp', 'udp'],
    'one question over each transport, to the listed nameserver',
  );
});

t.test('another resolver beside namegate', async (t) => {
  const good = await responder(t, BUILD);
  await responder(t, OTHER, '127.0.0.2', good.port);
  const findings = await examine(around(good.port, 'nameserver 127.0.0.1\nnameserver 127.0.0.2\n'));
  t.match(lines(findings, 'bad'), [
    'nameserver: nameserver 127.0.0.2 is not namegate: it answers NXDOMAIN where namegate explains itself',
    /^resolv-conf: namegate is not the only nameserver in resolv\.conf: stubs ask 127\.0\.0\.2 too/,
  ]);
});

t.test('another resolver alone', async (t) => {
  const other = await responder(t, OTHER);
  const namegate = await responder(t, BUILD);
  const listen = [{ protocol: 'udp', host: '127.0.0.1', port: namegate.port }] as const;
  const text = 'nameserver 127.0.0.1\n';
  const findings = await examine(around(other.port, text, { listen }));
  const listed = findings.find(({ check, status }) => check === 'resolv-conf' && status === 'bad');
  t.equal(listed?.message, 'namegate is not among the nameservers in resolv.conf');
  t.match(listed?.fix, `namegate listens on 127.0.0.1:${namegate.port}, but resolv.conf cannot name a port`);
  t.notOk(findings.some(({ check }) => check === 'identity'));

  const blind = await examine(around(other.port, text, { listen: [{ ...listen[0], port: 1 }] }));
  const unknown = blind.find(({ check }) => check === 'resolv-conf');
  t.match(unknown?.fix, /write "nameserver ADDRESS"/, 'a listener that does not answer is not recommended');
});

t.test(
  'behind an address that is translated, the one that namegate sees is told, and no other',
  async (t) => {
    for (const [said, seen] of [
      ['192.0.2.77', '192.0.2.77'],
      ['2001:db8::77', '2001:db8::77'],
      ['192.0.2.77.', '192.0.2.77'],
    ] as const) {
      const line = `github.com A: deny for unknown; name not approved; namegate sees you as ${said}`;
      const server = await responder(t, like(line));
      const findings = await examine(around(server.port, 'nameserver 127.0.0.1'));
      const identity = findings.find(({ check }) => check === 'identity');
      t.equal(
        identity?.message,
        `namegate sees this client, from ${seen}, as unknown, for whom nothing resolves`,
      );
      t.match(identity?.fix, `add ${seen} to from.addresses`);
      t.notMatch(JSON.stringify(identity), '127.0.0.1');
    }
    const silent = await responder(t, like('github.com A: deny for unknown; name not approved'));
    const findings = await examine(around(silent.port, 'nameserver 127.0.0.1'));
    const identity = findings.find(({ check }) => check === 'identity');
    t.notMatch(JSON.stringify(identity), '127.0.0.1', 'a server that does not say: no guess');
  },
);

t.test('behind our own stub whose server is down', async (t) => {
  const { cert, key, ca } = clientFiles(t);
  const port = await freePort();
  const down = `tls://127.0.0.1:${await freePort()}`;
  const stub = spawn(
    'env',
    [
      ...['-u', 'NODE_OPTIONS', process.execPath, '--disable-sigusr1', MAIN, 'stub', '--server', down],
      ...['--listen', `127.0.0.1:${port}`, '--cert', cert, '--key', key, '--ca', ca],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  t.teardown(() => stub.kill('SIGKILL'));
  await new Promise((resolve) => stub.stdout.once('data', resolve));
  const findings = await examine(around(port, 'nameserver 127.0.0.1'));
  const bad = findings.filter(({ status }) => status === 'bad');
  t.equal(bad.length, 1, JSON.stringify(bad));
  t.match(
    bad[0]?.message,
    /^nameserver 127\.0\.0\.1 is namegate stub, which cannot ask namegate: no server is reached/,
  );
  t.match(bad[0]?.fix, /^keep the line; start the server that the stub names/);
});

t.test('reached over one transport only', async (t) => {
  const noTcp = await responder(t, (query, transport, count) =>
    transport === 'udp' ? BUILD(query, transport, count) : [],
  );
  const [tcp] = lines(await examine(around(noTcp.port, 'nameserver 127.0.0.1')), 'bad');
  t.match(tcp, /is namegate over UDP, but over TCP it does not answer: no answer within [\d.]+ s/);
  const noUdp = await responder(t, (query, transport, count) =>
    transport === 'tcp' ? BUILD(query, transport, count) : OTHER(query, transport, count),
  );
  const [udp] = lines(await examine(around(noUdp.port, 'nameserver 127.0.0.1')), 'bad');
  t.match(udp, /is namegate over TCP, but over UDP answers NXDOMAIN/);
});

t.test('who namegate thinks we are', async (t) => {
  const stranger = await responder(t, like('github.com A: deny for unknown; name not approved'));
  t.match(lines(await examine(around(stranger.port, 'nameserver 127.0.0.1')), 'bad'), [
    'identity: namegate sees this client as unknown, for whom nothing resolves',
  ]);

  const audited = await responder(
    t,
    like('github.com A: deny for build (audit: resolved and recorded); name not approved; ask x'),
  );
  const audit = await examine(around(audited.port, 'nameserver 127.0.0.1'));
  t.same(lines(audit, 'bad'), []);
  t.match(lines(audit, 'note'), [/^identity: .* as build, in audit mode/, /^probe/]);

  const two = await responder(t, (query, transport, count) =>
    like(`github.com A: allow for ${transport === 'udp' ? 'build' : 'other'}`)(query, transport, count),
  );
  t.match(lines(await examine(around(two.port, 'nameserver 127.0.0.1')), 'bad'), [
    'identity: this client is several identities: build, other',
  ]);

  const forwarded = await responder(t, like('github.com A: allow for host-of-all', 0x8180));
  t.match(lines(await examine(around(forwarded.port, 'nameserver 127.0.0.1')), 'note'), [
    'forwarder: something that forwards stands between this client and namegate at 127.0.0.1',
    /^probe/,
  ]);
});

t.test('a resolv.conf without nameservers means this host', async (t) => {
  const server = await responder(t, BUILD);
  for (const [text, said] of [
    [null, /cannot be read: stubs ask 127\.0\.0\.1/],
    ['', /lists no nameserver/],
    ['nameserver dns.example\n# nameserver 127.0.0.9\n', /lists no nameserver/],
  ] as const) {
    const bad = lines(await examine(around(server.port, text)), 'bad');
    t.match(bad, [said], String(text));
  }
});

t.test('what does not answer is told within its time', async (t) => {
  const silent = await responder(t, SILENT);
  const started = running();
  const hosts = Array.from({ length: 12 }, (_, i) => `nameserver 127.0.0.${i + 1}`);
  const findings = await examine(
    around(silent.port, hosts.join('\n'), { probes: [{ host: '127.0.0.1', port: silent.port }] }),
  );
  t.ok(running() - started < 6000, `${Math.round(running() - started)} ms`);
  t.equal(
    findings.filter(({ check }) => check === 'nameserver').length,
    8,
    'of many nameservers eight are asked',
  );
  t.match(lines(findings, 'bad')[0], /127\.0\.0\.1 does not answer: (UDP: )?no answer within [\d.]+ s/);
});

t.test('probes', async (t) => {
  const namegate = await responder(t, BUILD);
  const resolver = await responder(t, OTHER);
  const mute = await responder(t, SILENT);
  const findings = await examine(
    around(namegate.port, 'nameserver 127.0.0.1', {
      probes: [resolver, namegate, mute, { host: '127.0.0.1', port: 1 }],
    }),
  );
  const told = findings
    .filter(({ check }) => check === 'probe')
    .map(({ status, message }) => `${status} ${message}`);
  const at = ({ port }: { readonly port: number }): string => `127.0.0.1:${port}`;
  const { port } = resolver;
  t.same(told, [
    `bad ${at(resolver)} is reached: UDP ${port} (a resolver answers NXDOMAIN), TCP ${port} (a resolver answers NXDOMAIN)`,
    `ok ${at(namegate)} is not reached (UDP ${namegate.port}, TCP ${namegate.port}: led to namegate)`,
    `bad ${at(mute)} is reached: TCP ${mute.port} (it connects)`,
    'ok 127.0.0.1:1 is not reached (UDP 1, TCP 1: refused: nothing listens there, or a firewall rejects)',
  ]);
  const bare = await examine(
    around(namegate.port, 'nameserver 127.0.0.1', { probes: [{ host: '127.99.0.1', port: 0 }] }),
  );
  const [one] = bare.filter(({ check }) => check === 'probe');
  t.match(
    one?.message,
    /UDP 53.*TCP 53.*TCP 853.*TCP 443/s,
    'an address without a port is tried where resolvers listen',
  );
});

t.test('the identity is read from the line that namegate really says', async (t) => {
  const dir = t.testdir({
    'policy.yaml': `
identities:
  - name: build_1-A
    owner: "team; for nobody"
    from: { addresses: [192.0.2.1] }
    allow: [{ name: github.com, reason: "for other; at stage x" }]
    stages: { fetch: { only: [] } }
`,
    'audit.yaml': `
identities:
  - name: build_1-A
    owner: team
    from: { addresses: [192.0.2.1] }
    mode: audit
    audit_until: 2099-01-01
`,
  });
  const why = (file: string, staged: boolean, name: string): unknown => {
    const options = { env: {}, now: 1_800_000_000, salt: 1 };
    const { snapshot, problems } = loadPolicyOnly(`${dir}/${file}`, options);
    if (snapshot === null) throw new Error(JSON.stringify(problems));
    const identity = snapshot.identities[0]!;
    const stage = staged ? identity.stages[0]! : null;
    const line = explanationLine(explain(snapshot, identity, stage, wire(name), 1, options.now));
    const strings = line.match(/.{1,100}/g) ?? [];
    return parseWhy(strings.map((part) => `"${part}"`).join(' '));
  };
  t.same(why('policy.yaml', false, 'github.com'), { identity: 'build_1-A', audit: false, seen: null });
  t.same(why('policy.yaml', false, 'a\\ b.example'), { identity: 'build_1-A', audit: false, seen: null });
  t.same(why('policy.yaml', true, 'github.com'), { identity: 'build_1-A', audit: false, seen: null });
  t.same(why('audit.yaml', false, 'github.com'), { identity: 'build_1-A', audit: true, seen: null });
  const { snapshot } = loadPolicyOnly(`${dir}/policy.yaml`, { env: {}, now: 1_800_000_000, salt: 1 });
  const unknown = explanationLine(explain(snapshot!, UNKNOWN, null, wire('github.com'), 1, 1_800_000_000));
  t.same(parseWhy(`"${unknown}"`), { identity: 'unknown', audit: false, seen: null });
  for (const text of ['', '"v=spf1 -all"', '"github.com A: maybe for x"', '"allow for x"'])
    t.equal(parseWhy(text), null, text);
});

t.test('resolv.conf as stubs read it', async (t) => {
  const text = [
    'domain old.example',
    'search a.example b.example ; comment',
    'nameserver 192.0.2.1 # comment',
    ' nameserver 192.0.2.9',
    'nameserver\t192.0.2.2',
    'nameserver 192.0.2.1',
    'options ndots:5 rotate',
    'options timeout:2',
    'sortlist 192.0.2.0',
  ].join('\r\n');
  const stub = readStubConfig(text, {});
  t.same(stub.nameservers, ['192.0.2.1', '192.0.2.2']);
  t.same(stub.search, ['a.example', 'b.example']);
  t.same(
    [...stub.options],
    [
      ['ndots', '5'],
      ['rotate', ''],
      ['timeout', '2'],
    ],
  );
  const changed = readStubConfig(text, { LOCALDOMAIN: 'c.example', RES_OPTIONS: 'ndots:1' });
  t.same(changed.search, ['c.example']);
  t.equal(changed.options.get('ndots'), '1');
  t.same(readStubConfig('search .', {}).search, []);
  t.same(
    readStubConfig('search a.example\ndomain b.example c.example', {}).search,
    ['b.example'],
    'the last wins',
  );
});

t.test('remarks about search, ndots and options', async (t) => {
  const remarks = (text: string): string[] =>
    stubRemarks(readStubConfig(text, {})).map(({ check, message }) => `${check}: ${message}`);
  t.same(remarks('nameserver 192.0.2.1\noptions edns0 trust-ad timeout:5 attempts:2'), []);
  t.match(remarks('search a.example b.example\noptions ndots:5'), [
    /^search: names with fewer than 5 dots are asked for under a\.example, b\.example first/,
  ]);
  t.match(remarks('search a.example'), [/^search: names without a dot .*ndots:1/]);
  t.match(remarks('nameserver 192.0.2.1\nnameserver 192.0.2.2\noptions rotate'), [
    /^options: options rotate/,
  ]);
  t.same(remarks('nameserver 192.0.2.1\noptions rotate'), []);
  t.match(remarks('options timeout:2'), [/gives up before namegate/]);
  t.match(remarks('options timeout:x ndots:99999999999'), []);
  t.match(remarks([1, 2, 3, 4].map((n) => `nameserver 192.0.2.${n}`).join('\n')), [/three nameservers/]);
});

t.test('proxies, whose credentials are not repeated', async (t) => {
  const [found] = proxyFindings({
    https_proxy: 'http://user:secret@proxy.example:3128/',
    HTTP_PROXY: '',
    ALL_PROXY: 'proxy.example:1080',
    npm_config_proxy: 'http://secret',
    FTP_PROXY: 'user:secret@x',
    NO_PROXY: 'a.example',
    HTTPS_PROXY_TOKEN: 'secret',
    PATH: '/bin',
  });
  t.equal(found?.status, 'note');
  t.equal(
    found?.message,
    'a proxy is set by ALL_PROXY (proxy.example:1080), FTP_PROXY (not a URL), https_proxy (proxy.example:3128), npm_config_proxy (secret)',
  );
  t.same(
    proxyFindings({ NO_PROXY: '*' }).map(({ status }) => status),
    ['ok'],
  );
});

t.test('nsswitch.conf names other ways to addresses', async (t) => {
  const modules = (text: string | null): string[] => nsswitchFindings(text).map(({ message }) => message);
  t.same(modules(null), []);
  t.same(modules('passwd: files systemd\nhosts:  files myhostname dns # resolve\n'), []);
  t.match(modules('hosts: mymachines resolve [!UNAVAIL=return] files dns'), [
    /names resolve: lookups ask systemd-resolved/,
  ]);
  t.match(modules('hosts:files mdns4_minimal [NOTFOUND=return] dns'), [/names mdns4_minimal/]);
});
