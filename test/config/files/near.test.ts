import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';
import { missingAt } from '../../../src/config/files/near.ts';
import { asNobody, unreachableForNobody } from '../../nobody.ts';
import { loadFrom, write } from '../harness.ts';

/** A path that leads nowhere: what stands there with nearly the same name. */

const POLICY = `destinations:
  one: { owner: o, reason: r, names: [a.example]LISTS }
identities:
  - { name: i, owner: o, review_by: 2099-01-01, from: { addresses: [192.0.2.0/24] }, allow: [one] }
`;

interface Slip {
  readonly policy?: string;
  readonly list?: string;
  readonly certificate?: string;
  readonly key?: string;
}

t.test('the fix names the nearest file of the folder, or the folder that is missing', async (t) => {
  const rows: [Slip, string][] = [
    [{ policy: 'polcy/' }, 'correct the path: DIR has policy, not polcy'],
    [{ policy: 'policies/' }, 'create it, or correct the path'],
    [{ policy: 'policy/bulid.yaml' }, 'correct the path: DIR/policy has build.yaml, not bulid.yaml'],
    [{ policy: 'policy/build.yml' }, 'correct the path: DIR/policy has build.yaml, not build.yml'],
    [{ list: 'lists/mirror.txt' }, 'correct the path: DIR/policy/lists has mirrors.txt, not mirror.txt'],
    [{ list: 'lists/MIRRORS.txt' }, 'correct the path: DIR/policy/lists has mirrors.txt, not MIRRORS.txt'],
    [{ list: 'list/mirrors.txt' }, 'correct the path: DIR/policy has lists, not list'],
    [{ list: 'lists/other.txt' }, 'create it, or correct the path'],
    [{ list: 'gone/deep/a.txt' }, 'create the folder DIR/policy/gone, or correct the path'],
    [{ certificate: 'tls/server.crt' }, 'correct the path: DIR/tls has server.pem, not server.crt'],
    [{ certificate: 'tls/sever.pem' }, 'correct the path: DIR/tls has server.pem, not sever.pem'],
    [{ certificate: 'ttls/server.pem' }, 'correct the path: DIR has tls, not ttls'],
    [{ key: 'tls/server.key' }, 'create it, or correct the path'],
    [{ key: 'tls/job.pem' }, 'create it, or correct the path'],
    [{ certificate: 'tls/job.pem' }, 'create it, or correct the path'],
    [{ key: 'tls/jobb.key' }, 'correct the path: DIR/tls has job.key, not jobb.key'],
    [{ certificate: 'tls/x' }, 'create it, or correct the path'],
  ];
  for (const [{ policy = 'policy/', list, certificate, key }, fix] of rows) {
    const listen =
      certificate === undefined && key === undefined
        ? '[udp://127.0.0.1:5300]'
        : `[{ on: "tls://127.0.0.1:5301", certificate: ${certificate ?? 'tls/server.pem'}, key: ${key ?? 'tls/server.pem'} }]`;
    const dir = write(t, {
      'namegate.yaml': `listen: ${listen}\nupstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: ${policy}\n`,
      'policy/build.yaml': POLICY.replace('LISTS', list === undefined ? '' : `, names_from: [${list}]`),
      'policy/lists/mirrors.txt': 'b.example\n',
      'tls/server.pem': 'no certificate\n',
      'tls/job.key': 'no key\n',
    });
    mkdirSync(join(dir, 'policy', 'empty'), { recursive: true });
    const missing = loadFrom(dir).problems.filter(({ code }) => code === 'file-missing');
    t.same(
      missing.map((problem) => problem.fix.replaceAll(dir, 'DIR').replaceAll(relative('.', dir), 'DIR')),
      [fix],
      JSON.stringify({ policy, list, certificate, key }),
    );
  }
});

t.test('no name of a folder that policy authors may not read is told', async (t) => {
  const dir = write(t, {
    'namegate.yaml': `listen: [udp://127.0.0.1:5300]\nupstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy/\n`,
    'policy/build.yaml': POLICY.replace('LISTS', ', names_from: [../tls/server.kye, inner/server.kye]'),
    'tls/server.key': 'x\n',
  });
  symlinkSync('../tls', join(dir, 'policy', 'inner'));
  for (const { message, fix } of loadFrom(dir).problems)
    t.notMatch(`${message} ${fix}`, /server\.key/, message);
});

t.test('what is there and closed is not said to be missing', async (t) => {
  const dir = write(t, { 'shut/namegate.yaml': 'x\n', 'open/namegate.yaml': 'x\n' });
  const [shut, open] = [join(dir, 'shut'), join(dir, 'open')];
  t.equal(missingAt(join(open, 'namegate.yaml')), null);
  t.equal(
    missingAt(join(open, 'namegate.yml')),
    `there is no ${open}/namegate.yml: correct the path: ${open} has namegate.yaml, not namegate.yml`,
  );
  if (unreachableForNobody(dir) !== false) return;
  chmodSync(shut, 0);
  const said = asNobody(() => missingAt(join(shut, 'namegate.yaml')));
  chmodSync(shut, 0o700);
  t.equal(said, `${shut}/namegate.yaml cannot be reached (EACCES): check the permissions of its folders`);
});
