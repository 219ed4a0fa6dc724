import t from 'tap';
import { placesOf } from '../../../src/assembly/places.ts';
import { CertificateWatch } from '../../../src/assembly/trust/certificate-watch.ts';
import { CrlWatch } from '../../../src/assembly/trust/crl-watch.ts';
import { TrustBuilder, type Vetted } from '../../../src/assembly/trust/trusts.ts';
import type { LoadResult } from '../../../src/config/loaded.ts';
import type { Log } from '../../../src/report/log.ts';
import { Readiness } from '../../../src/report/readiness.ts';
import type { DotSetting, ListenSetting } from '../../../src/settings/settings.ts';
import { Authority } from '../../identity/authority.ts';
import { NOW, setting, type Written } from '../../identity/listener.ts';

const clients = new Authority({ name: 'clients' });
const servers = new Authority({ name: 'servers' });
const shown = servers.issue({ dns: ['dns.example'], ips: ['192.0.2.1'], eku: ['serverAuth'] });

function listener(written: Written, host = '127.0.0.1', port = 853): DotSetting {
  return { protocol: 'tls', host, port, proxyFrom: [], tls: setting(written) };
}

function loaded(...listen: readonly ListenSetting[]): LoadResult {
  const snapshot = { identities: [] };
  const settings = { listen, admin: null };
  return {
    problems: [],
    settings,
    snapshot,
    sources: new Map(),
    files: [],
    hash: '',
  } as unknown as LoadResult;
}

function vet(...listen: readonly ListenSetting[]): Vetted {
  return new TrustBuilder().vet(loaded(...listen), NOW);
}

t.test('a listener has one place, whatever is written before it', async (t) => {
  const udp: ListenSetting = { protocol: 'udp', host: '127.0.0.1', port: 853, spoofable: false };
  const dot = listener({ clientCa: clients.pem });
  t.equal(placesOf([udp, dot])[1], placesOf([dot])[0]);
  t.equal(new Set(placesOf([udp, dot, dot])).size, 3, 'two on port 0 are told apart');
});

t.test('an error in trust is one of the whole load', async (t) => {
  const good = vet(listener({ clientCa: clients.pem }));
  t.ok(good.settings);
  t.equal(good.trusts.size, 1);
  const bad = vet(listener({ clientCa: clients.pem, crl: new Authority({ name: 'other' }).crl().pem }));
  t.equal(bad.settings, null);
  t.equal(bad.snapshot, null);
  t.match(bad.problems, [{ code: 'crl-invalid', severity: 'error' }]);
});

t.test('only listeners that discovery can verify are designated (RFC 9462 §4.2)', async (t) => {
  const designated = (written: Written, host?: string): unknown[] =>
    [...vet(listener({ certificate: shown.pem, key: shown.keyPem, ...written }, host)).trusts.values()].map(
      ({ designation }) => designation,
    );
  t.match(designated({ clients: 'none' }, '0.0.0.0'), [
    { target: 'dns.example', port: 853, host: null, addresses: [{ family: 4, w0: 0xc000_0201 }] },
  ]);
  t.match(designated({ clients: 'optional', clientCa: clients.pem }), [
    { host: { family: 4, w0: 0x7f00_0001 } },
  ]);
  t.same(
    designated({ clients: 'required', clientCa: clients.pem }),
    [null],
    'who discovers has no certificate',
  );
  const nameless = servers.issue({ ips: ['192.0.2.1'], eku: ['serverAuth'] });
  t.same(designated({ clients: 'none', certificate: nameless.pem, key: nameless.keyPem }), [null]);
  const homeless = servers.issue({ dns: ['dns.example'], eku: ['serverAuth'] });
  t.same(designated({ clients: 'none', certificate: homeless.pem, key: homeless.keyPem }), [null]);
});

t.test('a CRL that nears its end is told ahead of time, once, and in /ready while it is so', async (t) => {
  const lines: string[] = [];
  const tell = (level: string) => (event: string, _: string, fields?: { state?: string }) =>
    lines.push(`${level} ${event} ${fields?.state}`);
  const log = { info: tell('info'), warn: tell('warn') } as unknown as Log;
  const readiness = new Readiness();
  const watch = new CrlWatch(log, readiness);
  const until = new Date((NOW + 4 * 86_400) * 1000);
  const crl = clients.crl({ thisUpdate: new Date((NOW - 60) * 1000), nextUpdate: until }).pem;
  const { trusts } = vet(listener({ clientCa: clients.pem, crl }));
  watch.take(trusts, NOW);
  t.same(lines, []);
  t.same(readiness.report().crls, []);
  watch.look(NOW + 3.5 * 86_400);
  watch.look(NOW + 3.6 * 86_400);
  t.same(lines, ['warn crl near']);
  t.match(readiness.report().crls, [{ state: 'near', issuer: /clients/ }]);
  watch.look(NOW + 5 * 86_400);
  t.same(lines, ['warn crl near', 'warn crl ended']);
  watch.take(vet(listener({ clientCa: clients.pem, crl: clients.crl().pem })).trusts, NOW);
  t.same(lines.slice(2), ['info crl good']);
  t.same(readiness.report().crls, []);
});

t.test("a listener's certificate is told of: 14 days, a day and no time before its end", async (t) => {
  const lines: string[] = [];
  const tell =
    (level: string) => (event: string, _: string, fields?: { state?: string; listeners?: string[] }) =>
      lines.push(`${level} ${event} ${fields?.state} ${fields?.listeners?.length}`);
  const log = { info: tell('info'), warn: tell('warn'), error: tell('error') } as unknown as Log;
  const readiness = new Readiness();
  const watch = new CertificateWatch(log, readiness);
  const DAY = 86_400;
  const date = (days: number): Date => new Date((NOW + days * DAY) * 1000);
  const own = servers.issue({
    dns: ['dns.example'],
    eku: ['serverAuth'],
    notBefore: date(-1),
    notAfter: date(30),
  });
  const written = { clientCa: clients.pem, certificate: own.pem, key: own.keyPem };
  // Two that share the file are one.
  watch.take(vet(listener(written), listener(written, '127.0.0.2')).trusts, NOW);
  for (let minute = 0; minute <= 15 * 24 * 60; minute += 10) watch.look(NOW + minute * 60);
  t.same(lines, []);
  t.same(readiness.report().certificates, []);
  const told: [days: number, line: string][] = [];
  for (let hour = 15 * 24; hour <= 32 * 24; hour++) {
    watch.look(NOW + hour * 3600);
    for (const line of lines.splice(0)) told.push([hour / 24, line]);
  }
  t.same(
    told.slice(0, 3),
    [16, 17, 18].map((day) => [day, 'warn certificate-ending near 2']),
  );
  t.same(told.slice(13), [
    [29, 'warn certificate-ending last-day 2'],
    [30, 'error certificate-ended ended 2'],
    [31, 'error certificate-ended ended 2'],
    [32, 'error certificate-ended ended 2'],
  ]);
  t.match(readiness.report().certificates, [
    {
      file: 'server.pem',
      state: 'ended',
      subject: /^CN=/,
      listeners: ['tls 127.0.0.1 853', 'tls 127.0.0.2 853'],
    },
  ]);
  watch.take(vet(listener({ clientCa: clients.pem })).trusts, NOW + 32 * DAY);
  t.same(lines, ['info certificate-loaded good 1']);
  t.same(readiness.report().certificates, []);
  const early = servers.issue({ eku: ['serverAuth'], notBefore: date(40), notAfter: date(90) });
  watch.take(vet(listener({ ...written, certificate: early.pem, key: early.keyPem })).trusts, NOW);
  t.same(lines.slice(1), ['error certificate-early early 1']);
});

t.test('what is wrong with a file that listeners share is told once', async (t) => {
  const crl = clients.crl({ nextUpdate: new Date((NOW - 60) * 1000) }).pem;
  const twin = new Authority({ name: 'clients' });
  const both = { clientCa: clients.pem + twin.pem, crl };
  const codes = (...hosts: string[]): string[] =>
    vet(...hosts.map((host) => listener(both, host))).problems.map(({ code }) => code);
  t.same(codes('127.0.0.1'), ['trust-name', 'crl-ended', 'crl-missing']);
  t.same(codes('127.0.0.1', '127.0.0.2', '127.0.0.3'), codes('127.0.0.1'));
  const lines: string[] = [];
  const log = { warn: (event: string) => void lines.push(event) } as unknown as Log;
  new CrlWatch(log, new Readiness()).take(vet(listener(both), listener(both, '127.0.0.2')).trusts, NOW);
  t.same(lines, ['crl']);
});
