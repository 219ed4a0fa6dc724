import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { policyOf } from '../server/changes.ts';
import { house, Namegate } from '../server/namegate.ts';
import { find, missing, missingForRoot, type Output, run } from './process.ts';

/** The first checks inside a job without Node, in a plain POSIX shell and with whatever tool asks. */

const SCRIPT = fileURLToPath(new URL('../../packaging/doctor/namegate-doctor.sh', import.meta.url));
const BASIC = ['sed', 'tr', 'grep', 'env', 'sh'];

t.test('beside a real server', { skip: missingForRoot('dash', 'dig') }, async (t) => {
  const folder = house(t, {
    policy: policyOf('local.example'),
    listen: ['udp://127.0.0.79:53', 'tcp://127.0.0.79:53'],
  });
  const server = new Namegate(t, folder);
  await server.logged('ready');
  const check = (tool: string | null, text: string): Promise<Output> => {
    const path = join(folder, `path-${tool}`);
    mkdirSync(path, { recursive: true });
    for (const program of tool === null ? BASIC : [...BASIC, tool]) {
      const target = find(program);
      if (target !== null) symlinkSync(target, join(path, program));
    }
    writeFileSync(join(folder, 'resolv.conf'), text);
    return run([find('dash') ?? 'dash', SCRIPT, join(folder, 'resolv.conf')], {
      environment: { PATH: path },
    });
  };
  for (const tool of ['dig', 'kdig', 'nslookup', 'host'].filter((name) => !missing(name))) {
    const { code, stdout } = await check(tool, 'search a.example\nnameserver 127.0.0.79 # namegate\n');
    t.equal(code, 0, `${tool}: ${stdout}`);
    t.match(stdout, 'ok    nameserver 127.0.0.79 is namegate: github.com A: deny for job');
  }
  const nothing = await check(null, 'nameserver 127.0.0.79\n');
  t.equal(nothing.code, 2);
  t.match(nothing.stdout, /nobody was asked.*\n127\.0\.0\.79\n/);
});

t.test('what it says of each answer', { skip: missing('dash') }, async (t) => {
  const folder = t.testdir();
  const dig = join(folder, 'dig');
  const ask = async (said: string, text = 'nameserver 192.0.2.1\n'): Promise<Output> => {
    writeFileSync(dig, `#!/bin/sh\ncat <<'E'\n${said}\nE\n`);
    chmodSync(dig, 0o755);
    writeFileSync(join(folder, 'resolv.conf'), text);
    const environment = { PATH: `${folder}:/usr/bin:/bin` };
    return run([find('dash') ?? 'dash', SCRIPT, join(folder, 'resolv.conf')], { environment });
  };
  const why = 'github.com._why.namegate.internal. 0 IN TXT';
  for (const [said, code, line] of [
    [`${why} "github.com A: allow for build; rule x"`, 0, /^ok .*allow for build$/m],
    [
      `${why} "github.com A: deny for unknown; x; namegate sees you as 192.0.2.7."`,
      1,
      /which it sees as 192\.0\.2\.7\n +do: add 192\.0\.2\.7 to/,
    ],
    [
      '; EDE: 23 (Network Error): (namegate stub: no server is reached: x)',
      1,
      /is namegate stub: no server.*\n +do: keep the line/,
    ],
    [
      ';; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN',
      1,
      /is not namegate, or does not answer\n +do: remove the line/,
    ],
  ] as const) {
    const ran = await ask(said);
    t.equal(ran.code, code, ran.stdout + ran.stderr);
    t.match(ran.stdout, line);
  }
  const odd = await ask('', 'nameserver $(touch /tmp/x)\nnameserver\t-f/etc/passwd\n#nameserver 192.0.2.2\n');
  t.match(odd.stdout, /lists no nameserver/);
});
