import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findingsOf, listedFindings } from './findings.ts';
import { namegate } from './peers.ts';
import { missing, run } from './process.ts';

/** What dig asks in loops, and which findings come of it. */

const POLICY = `
identities:
  - name: job
    owner: team-payments
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
      - { name: github.com, owner: team, reason: test }
      - { name: files.pythonhosted.org, owner: team, reason: test }
`;

const LOOPS: readonly (readonly [what: string, names: readonly string[], finding: string])[] = [
  ['one name again and again', Array.from({ length: 60 }, () => 'beacon.vendor.example'), 'attempt low'],
  [
    'data in names',
    Array.from({ length: 20 }, (_, i) => `${'0123456789abcdef'.repeat(2)}${i}.t.tunnel.example`),
    'attempt medium',
  ],
  ['many domains', Array.from({ length: 60 }, (_, i) => `www.d${i}.example`), 'sweep medium'],
  ['a call home', ['c0ffee.oast.site'], 'out-of-band high'],
  ['a slip', ['githbu.com'], 'near-miss medium'],
];

t.test('dig loops', { skip: missing('dig') }, async (t) => {
  const server = await namegate(t, {
    policy: POLICY,
    upstream: '[udp://127.0.0.1:9]',
    server: 'alerts: {}\nadmin: unix:admin.sock',
  });
  const place = ['-p', String(server.port), `@${server.host}`];
  for (const [what, names, finding] of LOOPS) {
    const batch = join(server.folder, 'batch');
    writeFileSync(batch, names.join('\n'));
    const { stdout } = await run(['dig', ...place, '+tries=1', '+time=2', '-f', batch]);
    t.notMatch(stdout, /status: NOERROR/, `${what} is denied`);
    let found = findingsOf(server.folder);
    for (let i = 0; i < 100 && !found.has(finding); i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      found = findingsOf(server.folder);
    }
    t.ok(found.has(finding), `${what}: ${finding} of ${[...found].join(', ')}`);
  }
  // An attempt that rose is one finding.
  const listed = [...(await listedFindings(server.folder))].sort();
  t.strictSame(listed, [
    'attempt low',
    'attempt medium',
    'near-miss medium',
    'out-of-band high',
    'sweep medium',
  ]);
  const { stdout } = await run(['dig', ...place, 'files.pythonhosetd.org']);
  t.match(stdout, /EDE: 15 \(Blocked\).*did you mean pythonhosted\.org\?/);
});
