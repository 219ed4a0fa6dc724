import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HOLDER } from '../../../src/detect/holder.ts';
import { type House, house } from '../../admin/house.ts';
import { put } from '../../config/harness.ts';
import { billOf } from '../../detect/build.ts';
import { say } from '../command.ts';

async function running(t: Test): Promise<{ made: House; config: string[] }> {
  const made = await house(t);
  put(made.folder, {
    'cli.yaml':
      'listen: [udp://127.0.0.1:5300]\nupstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy.yaml\nadmin: unix:state/admin.sock\n',
  });
  return { made, config: ['--config', join(made.folder, 'cli.yaml')] };
}

t.test('the ledger by the command line', async (t) => {
  const { made, config } = await running(t);
  t.same(await say(['ledger', ...config]), {
    code: 0,
    stdout: 'nothing was charged in the last day\n',
    stderr: '',
  });
  const { ledger } = made.desk;
  for (let i = 0, fits = true; fits; i++) {
    const accounts = [
      [HOLDER.LEASE, 'le-1', 512, 1024],
      [HOLDER.CLAIM, '10.1.0.8', 2048, 4096],
      [HOLDER.WILDCARD, 'build', 4096, 0],
    ] as const;
    fits = ledger.charge(billOf({ name: `${'x'.repeat(30)}${i}.t.example`, accounts }), ++made.desk.tick);
  }
  const shown = await say(['ledger', ...config]);
  t.equal(shown.code, 0);
  const [heading, ...lines] = shown.stdout.split('\n');
  t.match(heading, /^KEY +OF +WILDCARD +SPENT +ALERT +CONTAIN +LEFT +STATE$/);
  t.match(
    lines[0],
    /^lease +le-1 \(build\) +t\.example +\d+ B +512 B +1 KiB +\d+ B, about \d names? +contained since 2026-11-20T00:00:00Z$/,
  );
  t.match(lines[1], /^claim +10\.1\.0\.8 +t\.example +\d+ B +2 KiB +4 KiB +3 KiB, about \d+ names +-$/);
  t.match(lines[2], /^wildcard +build +t\.example +\d+ B +4 KiB +off +no bound +-$/);
  t.match(shown.stdout, /\n\ntop wildcards: t\.example of build \d+ B\n1 contained\n$/);
  const json = await say(['ledger', '--identity', 'build', '--json', ...config]);
  t.match(JSON.parse(json.stdout), { count: 2, contained: 1 });
  t.match(await say(['ledger', 'show', '--limit', '1', ...config]), {
    stdout: /2 balances more: see --limit/,
  });

  t.match(await say(['ledger', 'reset', '--reason', 'x', ...config]), {
    code: 2,
    stderr: /name one of --lease, --identity and --claim/,
  });
  t.match(await say(['ledger', 'reset', '--lease', 'le-1', ...config]), { code: 2, stderr: /--reason/ });
  t.match(await say(['ledger', 'reset', '--lease', 'le-2', '--reason', 'x', ...config]), {
    code: 1,
    stderr: 'namegate ledger reset: nothing was charged to le-2\n',
  });
  t.match(
    await say([
      'ledger',
      'reset',
      '--lease',
      'le-1',
      '--wildcard',
      '*.t.example',
      '--reason',
      'x',
      ...config,
    ]),
    {
      code: 0,
      stdout: /^1 balance of le-1 reset; the largest was \d+ B\n$/,
    },
  );
  t.match(await say(['ledger', ...config]), { stdout: /nobody is contained/ });
});
