import { join } from 'node:path';
import t from 'tap';
import { remedyOf } from '../../../src/cli/history/report-words.ts';
import type { Report, ReportRow, Section } from '../../../src/history/report.ts';
import { put } from '../../config/harness.ts';
import { say } from '../command.ts';

/** What a report says to write is right when it is written: `check` takes it, and it approves what was asked. */

const ROWS: readonly (readonly [section: Section, name: string, types: readonly string[], stage: string])[] =
  [
    ['unapproved', 'plain.example', ['A', 'AAAA'], ''],
    ['unapproved', '_ldap._tcp.corp.example', ['SRV'], ''],
    ['unapproved', 'both.example', ['A', 'TXT'], ''],
    ['unapproved', 'web.example', ['HTTPS'], ''],
    ['unapproved', 'xn--bcher-kva.example', ['A'], ''],
    ['unapproved', 'acme.github.io', ['A'], ''],
    ['unapproved', 'com', ['NS'], ''],
    ['unapproved', 'a.b.c.d.e.f.g.example', ['A'], ''],
    ['would_deny', '-leading.example', ['A'], ''],
    ['unproven', 'n.example', ['A'], 'fetch'],
    ['empty', 'good.example', ['TXT'], ''],
    ['empty', 'good.example', ['MX', 'SRV'], 'fetch'],
  ];

const policyWith = (allow: readonly string[], fetch: readonly string[]): string => `identities:
  - name: build
    owner: team-build
    review_by: 2099-01-01
    from: { addresses: [10.1.0.0/16] }
    allow:
      - { name: good.example, reason: r }
${allow.map((line) => `      ${line}\n`).join('')}    stages:
      fetch:
        allow:
          - { name: fetch.example, reason: r }
${fetch.map((line) => `          ${line}\n`).join('')}`;

const SERVER = `listen: [udp://127.0.0.1:5300]
upstreams: { default: { servers: [udp://192.0.2.53] } }
policy: policy.yaml
`;

t.test('the line of the policy can be pasted', async (t) => {
  const folder = t.testdir({});
  const report = { identities: ['build'], ask: 'team-build' } as unknown as Report;
  const lines = ROWS.map(([section, name, types, stage]) => {
    const row = { name, types, stage, folded: false, ground: 'nothing' } as unknown as ReportRow;
    const found = remedyOf(row, section, report).filter((line) => line.startsWith('- '));
    t.equal(found.length, 1, name);
    return { stage, line: found[0] ?? '' };
  });
  const at = (wanted: string): string[] =>
    lines.flatMap(({ stage, line }) => (stage === wanted ? [line] : []));
  put(folder, { 'namegate.yaml': SERVER, 'policy.yaml': policyWith(at(''), at('fetch')) });
  const config = ['--config', join(folder, 'namegate.yaml')];
  const checked = await say(['check', ...config]);
  t.equal(checked.code, 0, checked.stdout + checked.stderr);
  for (const [, name, types, stage] of ROWS)
    for (const type of types) {
      const where = stage === '' ? [] : ['--stage', stage];
      const { code, stdout } = await say([
        'explain',
        '--identity',
        'build',
        ...where,
        ...config,
        '--',
        name,
        type,
      ]);
      t.equal(code, 0, `${name} ${type}: ${stdout}`);
    }
});

t.test('the command says the types that an exception would not have', async (t) => {
  const report = { identities: ['build'], ask: '' } as unknown as Report;
  const commandOf = (types: readonly string[]): string | undefined =>
    remedyOf(
      { name: 'a.example', types, stage: '', folded: false, ground: 'nothing' } as unknown as ReportRow,
      'unapproved',
      report,
    ).find((line) => line.startsWith('namegate '));
  const plain = 'namegate exception add a.example --identity build --ttl 4h --reason TEXT';
  t.equal(commandOf(['A', 'HTTPS']), plain);
  t.equal(commandOf(['TXT']), `${plain} --type TXT`);
  t.equal(commandOf(['A', 'SRV']), `${plain} --type A AAAA CNAME HTTPS SRV`);
});
