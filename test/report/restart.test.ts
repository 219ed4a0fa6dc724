import t from 'tap';
import type { LogEvent, LogFields } from '../../src/report/log.ts';
import { RestartNeeds } from '../../src/report/restart.ts';
import { tellProblems } from '../../src/report/tell-problems.ts';
import { DEFAULT_ALERTS } from '../../src/settings/alert-settings.ts';
import { DEFAULT_BUDGETS, type Settings } from '../../src/settings/settings.ts';

const settings: Settings = {
  name: 'ns1',
  listen: [{ protocol: 'udp', host: '127.0.0.1', port: 53, spoofable: false }],
  upstreams: [],
  policy: '/policy',
  cache: { size: 1000, maxTtl: 1, serveStale: 1, share: 'all' },
  budgets: DEFAULT_BUDGETS,
  detect: {},
  replies: { maxTtl: 1, dynamicMaxTtl: 1, edeText: true, contact: '' },
  limits: { inFlight: 1, tcpClients: 1, unknownQps: 1 },
  renew: null,
  state: '/state',
  admin: null,
  exceptions: { maxTtl: 1 },
  metrics: null,
  alerts: DEFAULT_ALERTS,
  enforce: null,
  history: null,
  log: { level: 'info' },
};

t.test('what needs a restart is told once for each change, and not when it is taken back', async (t) => {
  const needs = new RestartNeeds(settings);
  t.same(needs.changed(settings), []);
  t.same(needs.changed({ ...settings, policy: '/other', replies: { ...settings.replies, maxTtl: 2 } }), []);
  const next: Settings = {
    ...settings,
    name: 'ns2',
    listen: [],
    metrics: { host: '127.0.0.1', port: 1 },
    state: '/other',
    log: { level: 'warn' },
    cache: { ...settings.cache, size: 2000 },
    limits: { ...settings.limits, tcpClients: 2 },
  };
  t.same(needs.changed(next).sort(), [
    'cache.size',
    'limits.tcp_clients',
    'listen',
    'log',
    'metrics',
    'server.name',
    'state',
  ]);
  t.same(needs.changed(next), [], 'once');
  t.same(needs.changed({ ...next, state: '/third' }), ['state'], 'changed again');
  t.same(needs.changed(settings), [], 'as it runs');
  const feed = (name: string, path: string) =>
    ({ name, class: 'follow', at: { kind: 'unix', path } }) as const;
  const enforce = { socket: '/e.sock', feeds: [feed('a', '/a.sock')] } as unknown as NonNullable<
    Settings['enforce']
  >;
  const firewall = new RestartNeeds({ ...settings, enforce });
  for (const other of [
    feed('b', '/a.sock'),
    feed('a', '/b.sock'),
    { ...feed('a', '/a.sock'), class: 'wait' },
  ])
    t.same(
      firewall.changed({ ...settings, enforce: { ...enforce, feeds: [other as never] } }),
      ['enforce.feeds'],
      JSON.stringify(other),
    );
  t.same(firewall.changed({ ...settings, enforce: { ...enforce, socket: '/f.sock' } }), ['enforce.socket']);
  t.same(needs.changed({ ...settings, state: '/third' }), ['state'], 'and changed again');
});

t.test('problems of a reload: a line each, the first 20', async (t) => {
  const lines: { level: string; event: LogEvent; text: string; fields: LogFields | undefined }[] = [];
  const tell =
    (level: string) =>
    (event: LogEvent, text: string, fields?: LogFields): void =>
      void lines.push({ level, event, text, fields });
  const log = { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') };
  const problem = {
    code: 'key-unknown',
    severity: 'error',
    at: { file: 'a.yaml', line: 3, column: 5 },
    message: 'foo is no key',
    fix: 'remove it',
  } as const;
  const told = { ...log, dropped: 0, flush: () => {}, close: () => {} };
  tellProblems(told, []);
  t.same(lines, []);
  tellProblems(told, [problem, { ...problem, severity: 'warning' }]);
  const fields = { code: 'key-unknown', file: 'a.yaml', line: 3, column: 5, fix: 'remove it' };
  t.same(lines.splice(0), [
    { level: 'error', event: 'policy-problem', text: 'foo is no key', fields },
    { level: 'warn', event: 'policy-problem', text: 'foo is no key', fields },
  ]);
  tellProblems(told, Array(25).fill(problem));
  t.equal(lines.length, 21);
  t.match(lines.at(-1), { level: 'warn', text: /^and 5 more/, fields: { more: 5 } });
});

t.test('what a tls:// listener shows and whom it trusts needs no restart', async (t) => {
  const file = (text: string) => ({ path: '/tls/file.pem', text });
  const dot = {
    protocol: 'tls',
    host: '127.0.0.1',
    port: 853,
    proxyFrom: [],
    tls: {
      certificate: file('a'),
      key: file('b'),
      clients: 'none',
      clientCa: null,
      crl: null,
      crlEnded: 'refuse',
      trustDomains: [],
    },
  } as const;
  const running: Settings = { ...settings, listen: [dot] };
  const needs = new RestartNeeds(running);
  const trusting = { ...dot.tls, key: file('c'), clients: 'required', clientCa: file('d') } as const;
  t.same(needs.changed({ ...running, listen: [{ ...dot, tls: trusting }] }), []);
  t.same(needs.changed({ ...running, listen: [{ ...dot, port: 854 }] }), ['listen']);
  const prefix = { family: 4, words: [0x0a000001], length: 32 } as const;
  t.same(needs.changed({ ...running, listen: [{ ...dot, proxyFrom: [prefix] }] }), ['listen']);
});
