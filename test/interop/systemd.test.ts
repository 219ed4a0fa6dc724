import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { data, dig } from './dig.ts';
import { namegate, nsd, zones } from './peers.ts';
import { missing, must, run } from './process.ts';

const unit = fileURLToPath(new URL('../../packaging/systemd/namegate.service', import.meta.url));
const text = readFileSync(unit, 'utf8');

t.test('the systemd unit', { skip: missing('systemd-analyze') }, async (t) => {
  await t.test('is sound', async (t) => {
    // It is verified that the programs exist, so they stand in for those of an installation.
    const home = t.testdir({});
    const programs = [...text.matchAll(/^Exec(?:Start|Reload)=(\/opt\/\S+)/gm)].map(
      ([, program]) => program as string,
    );
    t.ok(programs.length > 0);
    for (const program of programs) {
      const path = join(home, program);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, '#!/bin/sh\n');
      chmodSync(path, 0o755);
    }
    const copy = join(home, 'namegate.service');
    writeFileSync(copy, text.replaceAll('/opt/', `${home}/opt/`));
    const { code, stdout, stderr } = await run(['systemd-analyze', 'verify', '--man=no', copy]);
    t.equal(code, 0);
    t.equal(stdout + stderr, '', 'without a word');
    writeFileSync(copy, `${text}\n[Service]\nExecStart=/nonexistent/program\nProtectSistem=strict\n`);
    const broken = await run(['systemd-analyze', 'verify', '--man=no', copy]);
    t.match(broken.stdout + broken.stderr, /ProtectSistem/, 'and an unsound one would be told');
  });

  await t.test('leaves an exposure below 2.0, and so does that of the firewall', async (t) => {
    for (const file of [unit, unit.replace('namegate.service', 'namegate-enforce.service')]) {
      const { stdout } = await run(['systemd-analyze', 'security', '--offline=true', '--no-pager', file]);
      const [, level] = /Overall exposure level for namegate\S*\.service: ([\d.]+)/.exec(stdout) ?? [];
      t.ok(Number(level) < 2, `${level}`);
    }
  });

  await t.test(
    'allows the system calls of the server',
    { skip: missing('strace', 'nsd', 'dig', 'ldns-keygen') },
    async (t) => {
      const { example } = await zones(t);
      const upstream = await nsd(t, [example]);
      const trace = join(t.testdir({}), 'trace');
      const server = await namegate(t, {
        policy: `identities: [{ name: here, owner: o, review_by: 2099-01-01, from: { addresses: [127.0.0.1] },
        allow: [{ name: www.example, owner: o, reason: test }] }]\n`,
        upstream: `[udp://127.0.0.1:${upstream.port}]`,
        under: ['strace', '-D', '-f', '-qq', '-o', trace],
      });
      t.strictSame(data(await dig(server, 'www.example A'), 'A'), ['192.0.2.10', '192.0.2.11']);
      t.strictSame(data(await dig(server, 'www.example A +tcp'), 'A'), ['192.0.2.10', '192.0.2.11']);
      server.kill('SIGHUP');
      t.equal(await server.stop(), 0);

      const allowed = await allowedCalls();
      const used = new Set(
        readFileSync(trace, 'utf8')
          .split('\n')
          .map((line) => /^\d+ +(\w+)\(/.exec(line)?.[1])
          .filter((name) => name !== undefined),
      );
      t.ok(used.has('recvmsg') || used.has('recvmmsg'), `${used.size} calls were seen`);
      t.strictSame([...used].filter((name) => !allowed.has(name) && !BENIGN.has(name)).sort(), []);
    },
  );
});

/** Refused with EPERM by the unit, and the runtime goes on without them. */
const BENIGN = new Set([
  // Memory protection keys for V8's code pages: it asks once, and does without.
  'pkey_alloc',
  // SQLite as root gives its files to the owner of the database. As the unit's user it does not ask.
  'fchown',
]);

/** What the unit's SystemCallFilter= lines leave, with systemd's own groups. */
async function allowedCalls(): Promise<Set<string>> {
  const allowed = new Set<string>();
  for (const [, line = ''] of text.matchAll(/^SystemCallFilter=(.*)$/gm)) {
    const forbids = line.startsWith('~');
    for (const group of line.replace('~', '').split(' ')) {
      for (const name of await members(group)) {
        if (forbids) allowed.delete(name);
        else allowed.add(name);
      }
    }
  }
  // systemd.exec(5): @default is always part of an allow list.
  for (const name of await members('@default')) allowed.add(name);
  return allowed;
}

async function members(group: string): Promise<string[]> {
  if (!group.startsWith('@')) return [group];
  const listed = (await must(['systemd-analyze', 'syscall-filter', '--no-pager', group]))
    .split('\n')
    .slice(1);
  const names = listed.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  return (await Promise.all(names.map(members))).flat();
}
