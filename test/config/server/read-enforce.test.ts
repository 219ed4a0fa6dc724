import t from 'tap';
import { Authority } from '../../identity/authority.ts';
import { brief, loadFrom, POLICY, put, write } from '../harness.ts';

/** `enforce`, and `ports` and `keep` of the policy: what is wrong is told where it stands. */

const LISTEN = 'listen: [udp://127.0.0.1]\npolicy: policy.yaml\n';
const GOOD = 'socket: e.sock, interfaces: [docker0]';

t.test('what is wrong with enforce', async (t) => {
  const ca = new Authority({ name: 'ca' });
  const server = ca.issue({ ips: ['127.0.0.1'], eku: ['serverAuth'] });
  const files = { 'policy.yaml': POLICY, 's.pem': server.pem, 's.key': server.keyPem, 'ca.pem': ca.pem };
  const dir = write(t, files);
  const tls = 'on: "tls://127.0.0.1:8555", certificate: s.pem, key: s.key, client_ca: ca.pem';
  const rows: readonly [enforce: string, ...problems: string[]][] = [
    [`{ ${GOOD} }`],
    ['{ socket: e.sock, local: [10.0.0.0/8] }'],
    ['{ feeds: [{ name: a, on: "unix:a.sock" }] }'],
    [`{ ${GOOD}, feeds: [{ name: a, ${tls}, clients: ["dns:edge.example"], class: wait }] }`],

    [`{ ${GOOD}, user: "65532" }`],
    ['{}', '3:1 key-missing'],
    ['{ interfaces: [docker0] }', '3:1 key-missing', '3:12 enforce-form'],
    ['{ socket: e.sock }', '3:20 value-empty'],
    ['{ socket: "", interfaces: [docker0] }', '3:20 value-empty'],
    [`{ socket: ${'x'.repeat(120)}, interfaces: [docker0] }`, '3:20 value-range'],
    ['{ socket: e.sock, interfaces: [lo] }', '3:41 interface-form'],
    ['{ socket: e.sock, interfaces: [docker0, "a;b"] }', '3:50 interface-form'],
    ['{ socket: e.sock, interfaces: ["veth*x"] }', '3:41 interface-form'],
    ['{ socket: e.sock, interfaces: [sixteencharacter] }', '3:41 interface-form'],
    ['{ socket: e.sock, interfaces: docker0 }', '3:40 value-kind'],
    [`{ ${GOOD}, wait: 0ms }`, '3:57 value-range'],
    [`{ ${GOOD}, wait: 3s }`, '3:57 value-range'],
    [`{ ${GOOD}, wait: soon }`, '3:57 duration-form'],
    [`{ ${GOOD}, fail: maybe }`, '3:57 value-choice'],
    [`{ ${GOOD}, ports: [] }`, '3:58 value-empty'],
    [`{ ${GOOD}, ports: [443] }`, '3:59 yaml-quote'],
    [`{ ${GOOD}, ports: ["443"] }`, '3:59 port-form'],
    [`{ ${GOOD}, ports: [sctp/443] }`, '3:59 port-form'],
    [`{ ${GOOD}, ports: [tcp/0] }`, '3:59 port-form'],
    [`{ ${GOOD}, ports: [tcp/443, tcp/70000] }`, '3:68 port-form'],
    [`{ ${GOOD}, ports: [tcp/443-80] }`, '3:59 port-form'],
    [`{ ${GOOD}, ports: [tcp/https] }`, '3:59 port-form'],
    [`{ ${GOOD}, ports: [tcp/8000-8100] }`, '3:51 port-many'],
    [`{ ${GOOD}, user: "root; id" }`, '3:57 value-text'],
    [`{ ${GOOD}, sockets: x }`, '3:51 key-unknown'],

    ['{ feeds: [{ name: a, on: "unix:a.sock" }], user: namegate }', '3:53 enforce-form'],
    ['{ feeds: [] }', '3:19 value-empty'],
    ['{ feeds: [{ on: "unix:a.sock" }] }', '3:20 key-missing'],
    ['{ feeds: [{ name: a, on: "tcp://127.0.0.1:1" }] }', '3:35 feed-form'],
    ['{ feeds: [{ name: a, on: "tls://127.0.0.1" }] }', '3:35 feed-form'],
    ['{ feeds: [{ name: a, on: "unix:a.sock", class: both }] }', '3:57 value-choice'],
    ['{ feeds: [{ name: a, on: "unix:a.sock", key: s.key }] }', '3:50 feed-form'],
    ['{ feeds: [{ name: a, on: "unix:a" }, { name: a, on: "unix:b" }] }', '3:55 feed-duplicate'],
    ['{ feeds: [{ name: a, on: "unix:a" }, { name: b, on: "unix:a" }] }', '3:62 feed-duplicate'],
    [`{ feeds: [{ name: a, ${tls} }] }`, '3:35 feed-form'],
    [`{ feeds: [{ name: a, ${tls}, clients: [edge.example] }] }`, '3:120 certificate-form'],
    [`{ feeds: [{ name: a, ${tls}, clients: ["spiffe://x/*"] }] }`, '3:120 feed-form'],
    [
      `{ feeds: [{ name: a, ${tls.replace('ca.pem', 'no.pem')}, clients: ["dns:a.example"] }] }`,
      '3:102 file-missing',
    ],
  ];
  for (const [enforce, ...problems] of rows) {
    put(dir, { 'namegate.yaml': `${LISTEN}enforce: ${enforce}\n` });
    t.same(
      brief(dir, loadFrom(dir)),
      problems.map((problem) => `namegate.yaml:${problem}`),
      enforce.slice(0, 150),
    );
  }
});

t.test('what is wrong with ports and keep of a rule', async (t) => {
  const rows: readonly [keys: string, ...problems: string[]][] = [
    ['ports: [tcp/22, udp/1-64]', '7:42 port-many'],
    ['ports: [tcp/22, udp/1-63]'],
    ['ports: []', '7:49 value-empty'],
    ['ports: tcp/22', '7:49 value-kind'],
    ['ports: [tcp/22, "tcp/22;"]', '7:58 port-form'],
    ['keep: job', '7:48 value-choice'],
    ['keep: lease'],
    ['port: [tcp/22]', '7:42 key-unknown'],
  ];
  for (const [keys, ...problems] of rows) {
    const policy = `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [10.0.0.0/8] }
    allow:
      - { name: a.example, reason: test, ${keys} }
`;
    const dir = write(t, {
      'namegate.yaml': `${LISTEN}enforce: { socket: /run/e.sock, interfaces: [docker0] }\n`,
      'policy.yaml': policy,
    });
    t.same(
      brief(dir, loadFrom(dir)),
      problems.map((problem) => `policy.yaml:${problem}`),
      keys,
    );
  }
});
