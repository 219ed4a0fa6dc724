import t from 'tap';
import { say } from '../command.ts';

function policyOf(addresses: string, name: string): string {
  return `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [${addresses}] }
    allow: [{ name: "${name}", reason: test }]
`;
}

t.test('check names ranges of loopback addresses that share no budget', async (t) => {
  for (const [addresses, name, ranges] of [
    ['127.0.0.0/8, "::1"', '*.t.example', [['127.0.0.0/8', 2 ** 24]]],
    [
      '127.0.0.4/30, 127.9.0.0/16',
      '**.t.example',
      [
        ['127.0.0.4/30', 4],
        ['127.9.0.0/16', 2 ** 16],
      ],
    ],
    ['126.0.0.0/7', '*.t.example', [['126.0.0.0/7', 2 ** 24]]],
    ['0.0.0.0/0', '*.t.example', [['0.0.0.0/0', 2 ** 24]]],
    ['127.0.0.1, 127.0.0.2', '*.t.example', []],
    ['128.0.0.0/8, 112.0.0.0/5', '*.t.example', []],
    ['127.0.0.0/8', 'n{0..9}.t.example', []],
    ['127.0.0.0/8', 'www.t.example', []],
  ] as const) {
    const path = `${t.testdir({ 'p.yaml': policyOf(addresses, name) })}/p.yaml`;
    const { stdout, code } = await say(['check', path]);
    t.equal(code, 0);
    const told = stdout.split('\n').filter((line) => line.includes('loopback addresses of'));
    t.equal(told.length, ranges.length, addresses);
    for (const [i, [prefix]] of ranges.entries())
      t.match(told[i], `of ${prefix}, and each has budgets of its own`);
    const { loopback_ranges: listed } = JSON.parse((await say(['check', '--json', path])).stdout);
    t.strictSame(
      listed ?? [],
      ranges.map(([prefix, addresses]) => ({ identity: 'job', prefix, addresses })),
    );
  }
});
