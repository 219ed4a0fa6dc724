import t from 'tap';
import { warnUnreached } from '../../../src/assembly/trust/unreached.ts';
import { loadPolicyOnly } from '../../../src/config/load.ts';
import type { Settings } from '../../../src/settings/settings.ts';

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { certificates: ["dns:job.example"] }
    allow:
      - { name: a.example, reason: test, ports: [tcp/22] }
      - { name: b.example, reason: test, ports: [tcp/22], keep: lease }
      - { name: c.example, reason: test }
    stages:
      build: { only: [] }
`;

t.test('what the server file opens no way to is told, and nothing else', async (t) => {
  const { snapshot } = loadPolicyOnly(`${t.testdir({ 'p.yaml': POLICY })}/p.yaml`, {
    env: {},
    now: 0,
    salt: 1,
  });
  const told = (listen: object[], admin: object | null, enforce: object | null = {}): string[] =>
    warnUnreached({ listen, admin, enforce } as unknown as Settings, snapshot!).map(
      ({ code, severity, at: { line } }) => `${line} ${code} ${severity}`,
    );
  const dot = (clients: string): object => ({ protocol: 'tls', tls: { clients } });
  t.same(told([{ protocol: 'udp' }], null), ['3 certificate-unused warning', '3 stage-unreachable warning']);
  t.same(told([dot('none')], null), ['3 certificate-unused warning', '3 stage-unreachable warning']);
  t.same(told([dot('optional')], null), ['3 stage-unreachable warning']);
  t.same(told([dot('required')], {}), []);
  t.same(
    told([dot('required')], {}, null),
    ['8 term-unused warning', '9 term-unused warning'],
    'ports and keep without a firewall',
  );
});
