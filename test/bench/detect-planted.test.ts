import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

/** The bench of the ledger on traces that this test writes: it must find what is planted, and nothing else. */

const BENCH = fileURLToPath(new URL('../../bench/detect.ts', import.meta.url));
const HEADER = 'seconds\tclient\tname\ttype\n';

t.test('a planted tunnel alerts and is contained, and an ordinary client is not', async (t) => {
  const folder = t.testdir({});
  for (const name of ['tunnel', 'benign']) mkdirSync(join(folder, name));
  const tunnel = Array.from({ length: 200 }, (_, i) => {
    const label = ((i * 2654435761) >>> 0).toString(36).padStart(40, 'q');
    return `${i}\tc1\t${label}.tunnel.example.com\tA\n`;
  });
  writeFileSync(join(folder, 'tunnel/planted.tsv'), HEADER + tunnel.join(''));
  const benign = Array.from(
    { length: 400 },
    (_, i) => `${i * 10}\tc${i % 4}\thost${i % 5}.cdn.example.net\tA\n`,
  );
  writeFileSync(join(folder, 'benign/office.tsv'), HEADER + benign.join(''));
  const out = join(folder, 'out.json');
  const { status, stdout, stderr } = spawnSync(process.execPath, [BENCH, folder, '--json', out], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  t.equal(status, 0, stderr);
  t.notMatch(stdout, 'DOES NOT HOLD', 'each baseline reproduces its figure');
  const { tunnels, benign: ordinary } = JSON.parse(readFileSync(out, 'utf8'));
  const [planted] = tunnels;
  t.match(planted, { file: 'planted.tsv', asked: 200 });
  t.ok(planted.alertAt > 5 && planted.alertAt < planted.containAt && planted.containAt < 60);
  t.ok(planted.containOctets <= 1024 && planted.alertOctets >= 512);
  t.equal(planted.charged, planted.containAt - 1);
  t.equal(ordinary[0].zones.length, 4);
  for (const { most } of ordinary[0].zones) t.ok(most > 0 && most < 512, `${most} octets`);
});
