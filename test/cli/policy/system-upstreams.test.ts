import t from 'tap';
import { withoutServers } from '../../../src/cli/policy/system-upstreams.ts';
import { load } from '../../../src/config/load.ts';

/** `servers: system` that leaves nobody to ask is told by `check`, group by group, with its place. */

const POLICY = 'identities: []\n';
const CASES = [
  { what: 'no file', resolv: null, says: 'no nameserver' },
  { what: 'no nameserver in it', resolv: 'search example\nnameserver host.example\n', says: 'no nameserver' },
  { what: 'namegate alone', resolv: 'nameserver 127.0.0.1\n', says: 'namegate alone' },
  { what: 'namegate alone, as this host', resolv: 'nameserver 0.0.0.0\n', says: 'namegate alone' },
  { what: 'another beside namegate', resolv: 'nameserver 127.0.0.1\nnameserver 192.0.2.53\n', says: null },
  { what: 'another address of loopback', resolv: 'nameserver 127.0.0.2\n', says: null },
];
const SERVERS = [
  { upstreams: '', lines: [1] },
  { upstreams: 'upstreams:\n  default: { servers: system }\n', lines: [4] },
  {
    upstreams:
      'upstreams:\n  default: { servers: [udp://192.0.2.1] }\n  corp:\n    zones: [corp.example]\n    servers: system\n',
    lines: [7],
  },
  { upstreams: 'upstreams:\n  default: { servers: [udp://192.0.2.1] }\n', lines: [] },
];

for (const { what, resolv, says } of CASES) {
  t.test(what, async (t) => {
    for (const { upstreams, lines } of SERVERS) {
      const dir = t.testdir({
        'server.yaml': `listen: [udp://127.0.0.1:53]\npolicy: policy.yaml\n${upstreams}`,
        'policy.yaml': POLICY,
        ...(resolv === null ? {} : { 'resolv.conf': resolv }),
      });
      const file = `${dir}/server.yaml`;
      const loaded = load(file, { env: {}, now: Date.UTC(2026, 10, 20) / 1000, salt: 0 });
      t.not(loaded.settings, null, JSON.stringify(loaded.problems));
      const problems = withoutServers(loaded, file, `${dir}/resolv.conf`);
      t.same(
        problems.map(({ code, severity, at }) => [code, severity, at.line]),
        says === null ? [] : lines.map((line) => ['upstream-nobody', 'warning', line]),
      );
      for (const { message } of problems) t.match(message, says);
    }
  });
}

t.test('NAMEGATE_UPSTREAM replaces the servers, and a policy alone has none', async (t) => {
  const dir = t.testdir({
    'server.yaml': 'listen: [udp://127.0.0.1:53]\npolicy: policy.yaml\n',
    'policy.yaml': POLICY,
  });
  const file = `${dir}/server.yaml`;
  const env = { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:5353' };
  t.same(withoutServers(load(file, { env, now: 0, salt: 0 }), file, `${dir}/none`), []);
});
