import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { SyslogSinkSetting } from '../../src/settings/alert-settings.ts';
import { nameToText } from '../../src/wire/name.ts';
import { fastClock, NO_TLS, once, Rig, TERMS, upTo } from '../outbox/sinks/rig.ts';
import { opensslCa } from './openssl-ca.ts';
import { freePort, missing, type Peer, start, until } from './process.ts';

const skip = missing('rsyslogd', 'openssl');
const SERVER = 'subjectAltName = DNS:siem.example\nextendedKeyUsage = serverAuth';
const CLIENT = 'subjectAltName = DNS:ns1.example\nextendedKeyUsage = clientAuth';

/** rsyslogd with imtcp alone; `more` stands in global(). */
interface Rsyslog {
  readonly port: number;
  readonly folder: string;
  /** What it has written: MSGID and MSG of each message. */
  messages(): { readonly id: string; readonly host: string; readonly event: Record<string, unknown> }[];
  start(): Promise<Peer>;
}

async function rsyslog(t: Test, global: string, module: string): Promise<Rsyslog> {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-rsyslog-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const [out, configuration] = [join(folder, 'out'), join(folder, 'rsyslog.conf')];
  writeFileSync(
    configuration,
    `global(workDirectory="${folder}" ${global})
module(load="imtcp" ${module})
template(name="line" type="string" string="%hostname% %app-name% %msgid% %msg%\\n")
ruleset(name="all") { action(type="omfile" file="${out}" template="line" asyncWriting="off" flushOnTXEnd="on") }
input(type="imtcp" address="127.0.0.1" port="${port}" ruleset="all")
`,
  );
  return {
    port,
    folder,
    messages: () => {
      if (!existsSync(out)) return [];
      const lines = readFileSync(out, 'utf8').split('\n').slice(0, -1);
      return lines.map((line) => {
        const [host = '', app, id = ''] = line.split(' ');
        if (app !== 'namegate') throw new Error(line);
        return { host, id, event: JSON.parse(line.slice(line.indexOf('{'))) as Record<string, unknown> };
      });
    },
    start: async () => {
      const peer = start(t, ['rsyslogd', '-n', '-f', configuration, '-i', join(folder, 'pid')]);
      // The address is taken once it runs; a sink that is early tries again.
      await until(() => existsSync(join(folder, 'pid')) || peer.ended(), peer.log);
      if (peer.ended()) throw new Error(peer.log());
      return peer;
    },
  };
}

function setting(port: number, more: Partial<SyslogSinkSetting> = {}): SyslogSinkSetting {
  return { ...TERMS, type: 'syslog', protocol: 'tcp', host: '127.0.0.1', port, tls: NO_TLS, ...more };
}

const seqs = (server: Rsyslog): number[] =>
  once(server.messages().map(({ event }) => event['seq'] as number));

t.test('imtcp takes each message whole, and all again over its outage', { skip }, async (t) => {
  const server = await rsyslog(t, 'maxMessageSize="64k"', '');
  const first = await server.start();
  const rig = new Rig(t);
  await rig.use(setting(server.port, { format: 'ocsf' }), setting(server.port, { name: 'plain' }));
  const hostile = nameToText(Uint8Array.of(6, 0x0a, 0x7b, 0x1b, 0x22, 0x5c, 0xff, 1, 0x2e, 0));
  rig.deny(300, (n) => (n === 7 ? { name: hostile, job: { title: '\u202e\n{"id":1}\u2028é' } } : {}));
  await until(() => rig.acknowledged() && rig.acknowledged('plain'), first.log, 30_000);
  const all = server.messages();
  t.ok(all.every(({ id, host }) => id === 'deny' && host === 'ns1'));
  const odd = all.find(({ event }) => event['seq'] === 7)?.event;
  t.match(odd, { name: hostile, job: { title: '\u202e\n{"id":1}\u2028é' } });
  const ocsf = all.filter(({ event }) => event['class_uid'] === 4003);
  t.equal(new Set(ocsf.map(({ event }) => (event['metadata'] as { sequence: number }).sequence)).size, 300);

  await first.stop();
  rig.deny(50);
  await until(() => rig.sinks.states.every(({ status }) => status === 'waiting'), first.log, 30_000);
  const second = await server.start();
  await until(() => rig.acknowledged() && rig.acknowledged('plain'), second.log, 30_000);
  t.same(
    seqs(server).filter((seq) => seq !== undefined),
    upTo(350),
  );
});

/** Octets of the first `count` records of a stream (RFC 6587 §3.4.1), and of half of the next; null while it has fewer. */
function halfWay(stream: Buffer, count: number): number | null {
  let at = 0;
  for (let n = 0; ; n++) {
    const blank = stream.indexOf(0x20, at);
    const end = blank + 1 + Number(stream.toString('latin1', at, blank));
    if (blank < 0 || end > stream.length) return null;
    if (n === count) return Math.floor((blank + end) / 2);
    at = end;
  }
}

/** Passes streams on to a port, but of the first one only `count` records and half of the next. */
async function cutter(t: Test, to: number, count: number): Promise<{ port: number; cut: () => boolean }> {
  let isCut = false;
  const sockets = new Set<Socket>();
  const relay = createServer((from) => {
    const onward = connect(to, '127.0.0.1');
    let held: Buffer | null = isCut ? null : Buffer.alloc(0);
    for (const [one, other] of [
      [from, onward],
      [onward, from],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
    from.on('data', (octets: Buffer) => {
      if (held === null) {
        if (!isCut || onward.writable) onward.write(octets);
        return;
      }
      held = Buffer.concat([held, octets]);
      const end = halfWay(held, count);
      if (end === null || isCut) return;
      isCut = true;
      onward.write(held.subarray(0, end));
    });
  });
  await new Promise<void>((done) => relay.listen(0, '127.0.0.1', done));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  return { port: (relay.address() as { port: number }).port, cut: () => isCut };
}

t.test('kill -9 of the receiver in the middle of a record loses nothing', { skip }, async (t) => {
  const server = await rsyslog(t, 'maxMessageSize="64k"', '');
  const first = await server.start();
  const relay = await cutter(t, server.port, 20);
  // Nothing counts as delivered before the test is over, however slow the machine is.
  const rig = new Rig(t, fastClock(1));
  await rig.use(setting(relay.port));
  rig.deny(40, () => ({ text: 'x'.repeat(2_000) }));
  await until(() => relay.cut() && server.messages().length === 20, first.log, 30_000);
  first.kill('SIGKILL');
  await first.stop();
  t.same(seqs(server), upTo(20), 'half a record is none');
  rig.deny(10);
  rmSync(join(server.folder, 'pid'));
  const second = await server.start();
  await until(() => seqs(server).length === 50, second.log, 30_000);
  t.same(seqs(server), upTo(50));
  const told = new Map<unknown, object>();
  for (const { event } of server.messages()) {
    const { id, sent, ...rest } = event;
    if (told.has(id)) t.same(rest, told.get(id), 'told twice, it is the same');
    told.set(id, rest);
  }
  t.equal(told.size, 50, 'what came twice is known by its id');
  t.ok(server.messages().length > 50, 'what was not acknowledged came again');
});

t.test(
  'maxMessageSize: an event of 20 KiB arrives whole where the receiver allows it',
  { skip },
  async (t) => {
    const server = await rsyslog(t, 'maxMessageSize="64k"', '');
    const peer = await server.start();
    const rig = new Rig(t);
    await rig.use(setting(server.port));
    rig.deny(3, (n) => (n === 2 ? { text: 'x'.repeat(20_000) } : {}));
    await until(() => rig.acknowledged(), peer.log, 30_000);
    t.same(
      server.messages().map(({ event }) => (event['text'] as string | undefined)?.length),
      [undefined, 20_000, undefined],
    );
  },
);

t.test(
  'TLS with a client certificate; one that has ended, or is unknown, is refused',
  { skip },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'namegate-syslog-tls-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const [ca, other] = [opensslCa(folder, 'ca'), opensslCa(folder, 'other')];
    const leaf = ca.issue('siem', SERVER);
    const server = await rsyslog(
      t,
      `DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="${ca.certificate}" DefaultNetstreamDriverCertFile="${leaf}" DefaultNetstreamDriverKeyFile="${keyOf(leaf)}"`,
      'StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid"',
    );
    const peer = await server.start();
    const rig = new Rig(t);
    const own = (name: string, certificate: string, trusted = ca.certificate): SyslogSinkSetting =>
      setting(server.port, {
        name,
        protocol: 'tls',
        tls: { ca: trusted, certificate, key: keyOf(certificate), serverName: 'siem.example' },
      });
    const ended = { from: '20200101000000Z', to: '20200201000000Z' };
    await rig.use(
      own('siem', ca.issue('ns1', CLIENT)),
      own('ended', ca.issue('ended', CLIENT, ended)),
      own('stranger', other.issue('stranger', CLIENT)),
      own('doubter', ca.issue('doubter', CLIENT), other.certificate),
    );
    rig.deny(20);
    await until(() => rig.acknowledged(), peer.log, 30_000);
    t.same(seqs(server), upTo(20));
    const state = (name: string) => rig.sinks.states.find((each) => each.name === name);
    await until(() => state('stranger')?.status !== 'ok', peer.log, 30_000);
    t.match(state('ended'), { status: 'refused', reason: /has ended/ });
    t.match(state('stranger'), { status: /refused|waiting/ });
    await until(() => state('doubter')?.status === 'waiting', peer.log, 30_000);
    t.match(state('doubter')?.reason, /certificate|self.signed|issuer/i);
    for (const name of ['ended', 'stranger', 'doubter']) t.equal(rig.store.cursor(name), 0, name);
  },
);

function keyOf(certificate: string): string {
  return certificate.replace(/\.pem$/, '.key');
}
