import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Authority } from '../identity/authority.ts';
import {
  clientFiles,
  clients,
  dot,
  type Files,
  NAME,
  pause,
  query,
  rcode,
  replyTo,
  servers,
  start,
  until,
} from './peers.ts';

const poll = 40;

t.test('new connections show the new certificate, the old one ends with its questions', async (t) => {
  const held: (() => void)[] = [];
  const server = await dot(t, (seen, send) => {
    const release = (): void => send(replyTo(seen));
    if (seen.octets.includes('slow')) held.push(release);
    else release();
  });
  const files = clientFiles(t);
  const { ask, lines } = await start(t, [server.address], { files, poll });
  t.equal(rcode(await ask(query(1))), 0);
  const slow = ask(query(2, 'slow.example'));
  await until(() => held.length === 1);
  files.write({ serial: 0x77 });
  await until(() => server.connections() === 2);
  t.equal(server.serials[1], '77');
  t.equal(server.resumed[1], false, 'a session is bound to who began it');
  t.equal(rcode(await ask(query(3))), 0);
  t.equal(server.seen.at(-1)?.connection, 2);
  t.equal(server.sockets.size, 2, 'the old connection waits for its answer');
  held[0]?.();
  t.equal(rcode(await slow), 0);
  await until(() => server.sockets.size === 1);
  const told = lines.filter(({ event }) => event === 'certificate-loaded');
  t.equal(told.length, 2);
  t.not(told[0]?.fields['sha256'], told[1]?.fields['sha256']);
});

t.test('a pair that was half written changes nothing until it is whole', async (t) => {
  const server = await dot(t);
  const files = clientFiles(t);
  const { ask, lines } = await start(t, [server.address], { files, poll });
  t.equal(rcode(await ask(query(1))), 0);
  const next = clients.issue({ serial: 0x78 });
  writeFileSync(files.cert, next.chainPem);
  const failed = () => lines.filter(({ event }) => event === 'reload-failed');
  await until(() => failed().length === 1);
  t.match(failed()[0], { level: 'error', fields: { file: files.key, message: /is not the key/ } });
  t.equal(rcode(await ask(query(2))), 0);
  t.equal(server.connections(), 1, 'the old one stays in use');
  writeFileSync(files.key, next.keyPem.slice(0, 90));
  await until(() => failed().length === 2);
  writeFileSync(files.key, next.keyPem);
  await until(() => server.serials.includes('78'));
  t.equal(rcode(await ask(query(3))), 0);
  t.equal(failed().length, 2, 'each content is told once');
});

t.test('a mounted secret, which is swapped by a link', async (t) => {
  const folder = t.testdir({});
  const put = (version: string, serial: number): void => {
    const { chainPem, keyPem } = clients.issue({ serial });
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, 'tls.crt'), chainPem);
    writeFileSync(join(folder, version, 'tls.key'), keyPem);
    writeFileSync(join(folder, version, 'ca.crt'), servers.pem);
    symlinkSync(version, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  put('..v1', 0x11);
  const at = (name: string): string => join(folder, name);
  for (const name of ['tls.crt', 'tls.key', 'ca.crt']) symlinkSync(join('..data', name), at(name));
  const files: Files = { cert: at('tls.crt'), key: at('tls.key'), ca: at('ca.crt'), write: () => {} };
  const server = await dot(t);
  const { ask, lines } = await start(t, [server.address], { files, poll });
  t.equal(rcode(await ask(query(1))), 0);
  put('..v2', 0x12);
  await until(() => server.serials.includes('12'));
  t.same(server.serials, ['11', '12']);
  t.notOk(lines.some(({ event }) => event === 'reload-failed'));
});

t.test('other CAs: the server is checked against what is in the file now', async (t) => {
  const server = await dot(t);
  const files = clientFiles(t);
  const { ask } = await start(t, [server.address], { files, poll, limits: { patience: 400 } });
  t.equal(rcode(await ask(query(1))), 0);
  const stranger = new Authority({ name: 'stranger' });
  writeFileSync(files.ca, stranger.pem);
  let last = 0;
  for (let left = 40; left > 0 && last === 0; left--) {
    await pause(50);
    last = rcode(await ask(query(2)));
  }
  t.equal(last, 2, 'it is not trusted any more');
  writeFileSync(files.ca, stranger.pem + servers.pem);
  for (let left = 40; left > 0 && last !== 0; left--) {
    await pause(50);
    last = rcode(await ask(query(3)));
  }
  t.equal(last, 0, NAME);
});

t.test('a certificate that namegate refuses is replaced while it runs', async (t) => {
  const server = await dot(t);
  const files = clientFiles(t);
  files.write({ notBefore: new Date(0), notAfter: new Date(Date.now() - 1000) });
  const { ask, lines } = await start(t, [server.address], { files, poll, limits: { patience: 300 } });
  t.ok(lines.some(({ event }) => event === 'certificate-ended'));
  t.equal(rcode(await ask(query(1))), 2);
  files.write();
  await until(() => server.connections() > 0);
  t.equal(rcode(await ask(query(2))), 0);
});
