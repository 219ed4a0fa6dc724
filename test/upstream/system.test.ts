import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseResolvConf, SystemServers } from '../../src/upstream/system.ts';

const hosts = (text: string): string[] => parseResolvConf(text).map((server) => server.host);

t.test('resolv.conf as glibc reads it', async (t) => {
  t.same(
    hosts(
      [
        '# nameserver 192.0.2.9',
        '; nameserver 192.0.2.8',
        'search corp.example',
        'nameserver 192.0.2.1',
        'nameserver\t192.0.2.2\t# the second',
        'nameserver 192.0.2.3;backup',
        'nameserver 192.0.2.4#x',
        'nameserver 2001:db8::53',
        'nameserver fe80::1%eth0',
        'nameserver 192.0.2.1',
        'options edns0',
      ].join('\n'),
    ),
    ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '2001:db8::53', 'fe80::1%eth0'],
  );
});

t.test('what is no nameserver line is passed over', async (t) => {
  t.same(
    hosts(
      [
        ' nameserver 192.0.2.1',
        'nameserver192.0.2.1',
        'nameserver',
        'nameserver ',
        'NAMESERVER 192.0.2.1',
        'nameservers 192.0.2.1',
        'nameserver dns.example',
        'nameserver 192.0.2',
        'nameserver 192.0.2.256',
        'nameserver 192.0.2.1:53',
        'nameserver [2001:db8::1]',
        'nameserver 2001:db8::1/64',
        'nameserver \u0000192.0.2.1',
      ].join('\n'),
    ),
    [],
  );
  t.same(hosts(''), []);
});

t.test('line ends of Windows, a missing last one, and the unspecified address', async (t) => {
  t.same(hosts('nameserver 192.0.2.1\r\nnameserver 0.0.0.0\r\nnameserver ::'), [
    '192.0.2.1',
    '127.0.0.1',
    '::1',
  ]);
  t.same(parseResolvConf('nameserver 192.0.2.1')[0], {
    protocol: 'udp',
    host: '192.0.2.1',
    port: 53,
    name: null,
    ca: null,
  });
});

function follow(
  t: { testdir(content: Record<string, never>): string },
  text: string | null,
  isOurs: (host: string, port: number) => boolean = () => false,
) {
  const folder = t.testdir({});
  const file = join(folder, 'resolv.conf');
  if (text !== null) writeFileSync(file, text);
  let now = 0;
  const servers = new SystemServers(file, isOurs, 1000);
  const next = (): string[] | null => {
    now += 1000;
    return servers.poll(now)?.servers.map((server) => server.host) ?? null;
  };
  return { folder, file, servers, next };
}

t.test('follows edits in place, rename over, deletion and coming back', async (t) => {
  const { file, next } = follow(t, 'nameserver 192.0.2.1\n');
  t.same(next(), ['192.0.2.1']);
  t.equal(next(), null, 'no news');
  writeFileSync(file, 'nameserver 192.0.2.2\n');
  t.same(next(), ['192.0.2.2'], 'same size, same inode, perhaps the same tick of the file system clock');
  writeFileSync(`${file}.new`, 'nameserver 192.0.2.3\n');
  renameSync(`${file}.new`, file);
  t.same(next(), ['192.0.2.3']);
  rmSync(file);
  t.same(next(), []);
  t.equal(next(), null);
  writeFileSync(file, 'nameserver 192.0.2.4\n');
  t.same(next(), ['192.0.2.4']);
});

t.test('an old file is not read again until its stamp changes', async (t) => {
  const { file, next } = follow(t, 'nameserver 192.0.2.1\n');
  const old = new Date(Date.now() - 60_000);
  utimesSync(file, old, old);
  t.same(next(), ['192.0.2.1']);
  t.equal(next(), null);
  writeFileSync(file, 'nameserver 192.0.2.7\n');
  t.same(next(), ['192.0.2.7']);
});

t.test('follows a symbolic link that is turned', async (t) => {
  const { folder, file, next } = follow(t, null);
  t.same(next(), [], 'a missing file holds no servers');
  writeFileSync(join(folder, 'a'), 'nameserver 192.0.2.1\n');
  writeFileSync(join(folder, 'b'), 'nameserver 192.0.2.2\n');
  symlinkSync('a', file);
  t.same(next(), ['192.0.2.1']);
  symlinkSync('b', `${file}.new`);
  renameSync(`${file}.new`, file);
  t.same(next(), ['192.0.2.2']);
});

t.test('looks at most once in the time given', async (t) => {
  const { file, servers } = follow(t, 'nameserver 192.0.2.1\n');
  t.ok(servers.poll(10_000));
  writeFileSync(file, 'nameserver 192.0.2.2\nnameserver 192.0.2.3\n');
  t.equal(servers.poll(10_999), null);
  t.ok(servers.poll(11_000));
});

t.test('never our own listeners', async (t) => {
  const text = 'nameserver 127.0.0.1\nnameserver 0.0.0.0\nnameserver 192.0.2.1\n';
  const { servers } = follow(t, text, (host, port) => host === '127.0.0.1' && port === 53);
  const list = servers.poll(0)!;
  t.same(
    list.servers.map((server) => server.host),
    ['192.0.2.1'],
  );
  t.same(
    list.ours.map((server) => server.host),
    ['127.0.0.1'],
  );
});

t.test('many servers, a folder in its place, and a file too large', async (t) => {
  const many = Array.from({ length: 20 }, (_, i) => `nameserver 192.0.2.${i}`).join('\n');
  const { file, next } = follow(t, many);
  t.equal(next()?.length, 8);
  rmSync(file);
  mkdirSync(file);
  t.same(next(), []);
  rmSync(file, { recursive: true });
  writeFileSync(file, `nameserver 192.0.2.1\n${'#'.repeat(70_000)}\n`);
  t.equal(next(), null, 'still no servers');
  writeFileSync(file, 'nameserver 192.0.2.1\n');
  t.same(next(), ['192.0.2.1']);
});
