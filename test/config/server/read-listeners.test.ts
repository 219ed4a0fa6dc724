import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { formatProblem } from '../../../src/config/files/excerpt.ts';
import type { LoadResult } from '../../../src/config/loaded.ts';
import type { ListenSetting } from '../../../src/settings/settings.ts';
import { Authority } from '../../identity/authority.ts';
import { asNobody, unreachableForNobody } from '../../nobody.ts';
import { brief, loadFrom, POLICY, put, write } from '../harness.ts';

const ca = new Authority({ name: 'clients' });
const leaf = ca.issue({ dns: ['dns.example'], eku: ['serverAuth'] });
const FILES = {
  'policy.yaml': POLICY,
  'tls/server.pem': leaf.pem,
  'tls/server.key': leaf.keyPem,
  'tls/clients.pem': ca.pem,
  'tls/clients.crl': ca.crl().pem,
  'tls/bundle.json': '{ "keys": [] }',
  'tls/empty.pem': '',
  'tls/text.pem': 'nothing of that kind\n',
  'tls/server.der': Buffer.from(leaf.der),
  'tls/latin.pem': Buffer.from([0x2d, 0xe9, 0xff]),
};

const HEAD = 'upstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy.yaml\n';

function loadListen(t: Test, listen: string): { dir: string; result: LoadResult } {
  const dir = write(t, { ...FILES, 'namegate.yaml': `${HEAD}listen:\n  - ${listen}\n` });
  return { dir, result: loadFrom(dir) };
}

function listenerOf(t: Test, listen: string): ListenSetting {
  const { dir, result } = loadListen(t, listen);
  t.same(brief(dir, result), [], listen);
  return result.settings!.listen[0]!;
}

const SHOWS = 'certificate: tls/server.pem, key: tls/server.key';

t.test('defaults: who shows what, and where nothing is written', async (t) => {
  t.match(listenerOf(t, 'udp://127.0.0.1'), { protocol: 'udp', port: 53, spoofable: false });
  t.match(listenerOf(t, 'udp://0.0.0.0'), { spoofable: true });
  t.match(listenerOf(t, '{ on: "udp://0.0.0.0", spoofable: false }'), { spoofable: false });
  t.match(listenerOf(t, '{ on: "udp://127.0.0.1", spoofable: true }'), { spoofable: true });
  t.match(listenerOf(t, 'tcp://127.0.0.1'), { protocol: 'tcp', port: 53, proxyFrom: [] });
  const bare = listenerOf(t, `{ on: "tls://127.0.0.1", ${SHOWS} }`);
  t.match(bare, {
    protocol: 'tls',
    port: 853,
    proxyFrom: [],
    tls: { clients: 'none', clientCa: null, crl: null, crlEnded: 'refuse', trustDomains: [] },
  });
  t.equal(bare.protocol === 'tls' && bare.tls.certificate.text, leaf.pem);
  t.equal(bare.protocol === 'tls' && bare.tls.key.text, leaf.keyPem);
  t.match(listenerOf(t, `{ on: "tls://127.0.0.1", ${SHOWS}, client_ca: tls/clients.pem }`), {
    tls: { clients: 'required', clientCa: { text: ca.pem } },
  });
});

t.test('all keys of a tls:// listener', async (t) => {
  const listen = `{ on: "tls://[::1]:8530", ${SHOWS}, clients: optional, client_ca: tls/clients.pem, crl: tls/clients.crl,
      crl_ended: accept, trust_domains: { ci.example: tls/bundle.json }, proxy_from: [10.0.0.5, "2001:db8::/64"] }`;
  t.match(listenerOf(t, listen), {
    host: '::1',
    port: 8530,
    proxyFrom: [
      { family: 4, length: 32 },
      { family: 6, length: 64 },
    ],
    tls: {
      clients: 'optional',
      crl: { text: FILES['tls/clients.crl'] },
      crlEnded: 'accept',
      trustDomains: [{ name: 'ci.example', bundle: { text: '{ "keys": [] }' } }],
    },
  });
});

t.test('what is refused, and where', async (t) => {
  const cases: [listen: string, problems: string[]][] = [
    ['tls://127.0.0.1', ['4:5 listen-tls', '4:5 listen-tls']],
    ['{ on: "tls://127.0.0.1" }', ['4:11 listen-tls', '4:11 listen-tls']],
    ['{ on: "tls://127.0.0.1", certificate: tls/server.pem }', ['4:11 listen-tls']],
    ['{ certificate: tls/server.pem }', ['4:5 key-missing']],
    [`{ on: "tcp://127.0.0.1", spoofable: true }`, ['4:30 listen-key']],
    [`{ on: "udp://127.0.0.1", proxy_from: [10.0.0.1] }`, ['4:30 listen-key']],
    [`{ on: "tcp://127.0.0.1", key: tls/server.key }`, ['4:30 listen-key']],
    [`{ on: "tcp://127.0.0.1", proxy_from: [10.0.0.1/8] }`, ['4:43 prefix-host-bits']],
    [`{ on: "tcp://127.0.0.1", proxy_from: [] }`, ['4:42 value-empty']],
    [`{ on: "tls://127.0.0.1", ${SHOWS}, clients: required }`, ['4:89 listen-tls']],
    [`{ on: "tls://127.0.0.1", ${SHOWS}, clients: none, client_ca: tls/clients.pem }`, ['4:95 listen-key']],
    [`{ on: "tls://127.0.0.1", ${SHOWS}, crl: tls/clients.crl }`, ['4:80 listen-key']],
    [
      `{ on: "tls://127.0.0.1", ${SHOWS}, client_ca: tls/clients.pem, crl_ended: accept }`,
      ['4:108 listen-key'],
    ],
    [
      `{ on: "tls://127.0.0.1", ${SHOWS}, trust_domains: { "spiffe://CI.example": tls/clients.pem } }`,
      ['4:97 listen-tls'],
    ],
    [`{ on: "tls://127.0.0.1", ${SHOWS}, trust_domains: { ci.example: tls/text.pem } }`, ['4:109 file-pem']],
    [`{ on: "tls://127.0.0.1", ${SHOWS}, clients: maybe }`, ['4:89 value-choice']],
    ['{ on: "tls://127.0.0.1", certificate: tls/none.pem, key: tls/server.key }', ['4:43 file-missing']],
    ['{ on: "tls://127.0.0.1", certificate: tls, key: tls/server.key }', ['4:43 file-kind']],
    ['{ on: "tls://127.0.0.1", certificate: "", key: tls/server.key }', ['4:43 value-empty']],
    ['{ on: "tls://127.0.0.1", certificate: tls/empty.pem, key: tls/server.key }', ['4:43 file-pem']],
    ['{ on: "tls://127.0.0.1", certificate: tls/text.pem, key: tls/server.key }', ['4:43 file-pem']],
    ['{ on: "tls://127.0.0.1", certificate: tls/server.der, key: tls/server.key }', ['4:43 file-pem']],
    ['{ on: "tls://127.0.0.1", certificate: tls/latin.pem, key: tls/server.key }', ['4:43 file-pem']],
  ];
  for (const [listen, problems] of cases) {
    const { dir, result } = loadListen(t, listen);
    t.same(
      brief(dir, result),
      problems.map((problem) => `namegate.yaml:${problem}`),
      listen,
    );
    for (const { fix } of result.problems) t.ok(fix.length > 0);
  }
});

t.test('a key is never shown, wherever it stands', async (t) => {
  const secret = leaf.keyPem.split('\n')[1]!;
  const cases = [
    // PEM in the place of a path; the key where CAs are wanted; in a file that is no text; with a bad certificate.
    `{ on: "tls://127.0.0.1", certificate: tls/server.pem, key: "${leaf.keyPem.replaceAll('\n', '\\n')}" }`,
    '{ on: "tls://127.0.0.1", certificate: tls/empty.pem, key: tls/both.pem }',
    '{ on: "tls://127.0.0.1", certificate: tls/both.pem, key: tls/odd.key }',
  ];
  for (const listen of cases) {
    const dir = write(t, {
      ...FILES,
      'tls/both.pem': leaf.pem + leaf.keyPem,
      'tls/odd.key': Buffer.concat([Buffer.from(leaf.keyPem), Buffer.from([0xff])]),
      'namegate.yaml': `${HEAD}listen:\n  - ${listen}\n`,
    });
    const result = loadFrom(dir);
    t.ok(result.problems.length > 0);
    const said = JSON.stringify(result.problems.map(({ message, fix }) => [message, fix]));
    t.notMatch(said, secret);
    const files = [...result.sources].filter(([file]) => !file.endsWith('namegate.yaml'));
    t.notOk(
      files.some(([, text]) => text.includes(secret)),
      'no excerpt can be made of it',
    );
    if (!listen.includes('BEGIN')) {
      const shown = result.problems.map((problem) =>
        formatProblem(problem, result.sources, { color: false }),
      );
      t.notOk(shown.join('').includes(secret));
    }
  }
});

t.test('every file is part of what is watched', async (t) => {
  const { dir, result } = loadListen(
    t,
    `{ on: "tls://127.0.0.1", ${SHOWS}, client_ca: tls/clients.pem, crl: tls/clients.crl, trust_domains: { ci.example: tls/bundle.json } }`,
  );
  const names = ['server.pem', 'server.key', 'clients.pem', 'clients.crl', 'bundle.json'];
  let { hash } = result;
  for (const name of names) {
    const file = join(dir, 'tls', name);
    t.ok(result.files.includes(file), name);
    put(dir, { [`tls/${name}`]: `${FILES[`tls/${name}` as keyof typeof FILES]}\n` });
    const next = loadFrom(dir).hash;
    t.not(next, hash, name);
    hash = next;
  }
});

t.test('a file that may not be read', { skip: unreachableForNobody(process.cwd()) }, async (t) => {
  const { dir } = loadListen(t, `{ on: "tls://127.0.0.1", ${SHOWS} }`);
  chmodSync(join(dir, 'tls/server.key'), 0);
  t.match(
    brief(
      dir,
      asNobody(() => loadFrom(dir)),
    ),
    [/file-unreadable/],
  );
});
