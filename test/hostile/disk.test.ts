import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freePort, missingForRoot } from '../interop/process.ts';
import { ask, type Place } from '../server/client.ts';
import { fetchText, house, type LogLine, Namegate, pause, until } from '../server/namegate.ts';
import { plain, upstream } from '../server/upstream.ts';
import { JOB, policyOf } from './policy.ts';

/**
 * A full disk: the standard output and error and one file of the policy stand on a file system of 64 KiB without room. The
 * rest of the policy can be changed.
 */

/** `more`: another pattern that is approved. */
const policy = (...more: readonly string[]): string => policyOf({ ...JOB, allow: [...JOB.allow, ...more] });

/** The file of the policy that is on the disk: one more destination, and the identity that may use it. */
const onDisk = (reason: string): string =>
  policyOf({
    name: 'second',
    from: ['127.0.0.2'],
    allow: [`{ name: "*.disk.example", reason: "${reason}" }`],
  });

/** A file system in a mount namespace of the server's own, then the server in place of the shell. */
const MOUNT =
  'mount -t tmpfs -o size=64k tmpfs "$0" && cp "$0.yaml" "$0/disk.yaml" && exec "$@" >>"$0/out" 2>>"$0/log"';

t.test(
  'a full disk: it serves and reloads, half a policy changes nothing, and the log goes on when there is room',
  { skip: missingForRoot('unshare', 'mount') },
  async (t) => {
    const good = await upstream(t, plain);
    const port = await freePort();
    const listen = [`udp://127.0.0.1:${port}`, `tcp://127.0.0.1:${port}`];
    const status = `http://127.0.0.1:${await freePort()}`;
    const settings = `metrics: ${status}`;
    const folder = house(t, { policy: policy(), servers: `[${good.url}]`, listen, settings });
    const disk = join(folder, 'disk');
    // The policy leads out of its folder.
    const serverFile = join(folder, 'namegate.yaml');
    const text = readFileSync(serverFile, 'utf8');
    writeFileSync(
      serverFile,
      text.replace('policy: policy/', 'policy: { path: policy/, may_read: [disk/] }'),
    );
    mkdirSync(disk);
    writeFileSync(`${disk}.yaml`, onDisk('what it needs'));
    symlinkSync('../disk/disk.yaml', join(folder, 'policy', 'disk.yaml'));
    const server = new Namegate(t, folder, { under: ['unshare', '--mount', 'sh', '-c', MOUNT, disk] });
    const place: Place = { host: '127.0.0.1', udp: port, tcp: port };
    const inside = `/proc/${server.child.pid}/root${disk}`;
    const outcome = (name: string, from = '127.0.0.1'): Promise<string> =>
      ask(place, name, { patience: 300, from }).then(
        ({ rcode }) => rcode,
        () => 'nothing',
      );
    const log = join(inside, 'log');
    const lines = (text: string): LogLine[] =>
      text
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as LogLine);
    const logged = (event: string): boolean =>
      lines(readFileSync(log, 'utf8')).some((line) => line.event === event);
    await until(
      async () => (await outcome('first.good.example')) === 'NOERROR',
      () => `it does not serve: ${server.stderr}`,
    );
    await until(() => logged('ready'));

    const fill = (name: string, octets: Buffer): void => {
      const write = (): never => {
        for (;;) appendFileSync(join(inside, name), octets);
      };
      t.throws(write, { code: 'ENOSPC' }, `${name} is as large as it can be`);
    };
    fill('fill', Buffer.alloc(4096));
    // Its last block may have room.
    fill('log', Buffer.from('\n'));
    const second = (name: string): Promise<string> => outcome(`${name}.disk.example`, '127.0.0.2');
    // An editor that writes in place, and gets no further than one block.
    const half = onDisk('x'.repeat(6000));
    t.throws(() => writeFileSync(join(inside, 'disk.yaml'), half), { code: 'ENOSPC' });
    t.ok(statSync(join(inside, 'disk.yaml')).size < half.length, 'half a file of the policy');
    server.kill('SIGHUP');
    await until(
      async () => /disk\.yaml/.test((await fetchText(`${status}/ready`)).body),
      () => '/ready does not tell of it',
    );
    t.equal(await second('half'), 'NOERROR', 'the last good policy stays');
    rmSync(join(inside, 'fill'));
    writeFileSync(join(inside, 'disk.yaml'), onDisk('what it needs'));
    fill('fill', Buffer.alloc(4096));
    fill('log', Buffer.from('\n'));
    const size = statSync(log).size;
    const wrong: string[] = [];
    for (let i = 0; i < 10; i++) {
      server.replace('policy/test.yaml', policy(`a${i}.good.example.com`));
      await until(
        async () => (await outcome(`a${i}.good.example.com`)) === 'NOERROR',
        () => `change ${i} did not come into force`,
      );
      // A reload that fails tells its problems at length.
      server.replace('policy/test.yaml', `${policy()}\nwrong: [${'x, '.repeat(500)}]\n`);
      server.kill('SIGHUP');
      for (let j = 0; j < 10; j++) {
        const code = await outcome(`b${10 * i + j}.good.example`);
        if (code !== 'NOERROR') wrong.push(code);
        await pause(10);
      }
    }
    t.same(wrong, [], 'every question is answered');
    t.equal(await second('late'), 'NOERROR', 'those of the file on the disk too');
    t.equal(statSync(log).size, size, 'nothing more was written');

    rmSync(join(inside, 'fill'));
    server.replace('policy/test.yaml', policy('last.good.example.com'));
    await until(async () => (await outcome('last.good.example.com')) === 'NOERROR');
    await until(
      () => logged('policy-loaded'),
      () => 'the log does not go on',
    );
    // An open file keeps the file system, which otherwise goes with its last process.
    const kept = openSync(log, 'r');
    server.kill('SIGTERM');
    t.match(await server.ended, { code: 0, signal: null });
    const last = lines(readFileSync(kept, 'utf8')).at(-1);
    closeSync(kept);
    t.match(last, { event: 'stopped', queries: { bugs: 0 } });
    t.ok(Number(last?.['lost_log_lines']) > 0, `${last?.['lost_log_lines']} lines were lost, and counted`);
  },
);
