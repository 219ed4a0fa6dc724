import type { AddressInfo } from 'node:net';
import { createServer as createTcp } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import t from 'tap';
import type { UpstreamServer } from '../../src/settings/settings.ts';
import { authority, type Identity } from './certificates.ts';
import {
  ask,
  type Ending,
  PATIENT,
  pause,
  reply,
  type TcpScript,
  type TcpUpstream,
  tcpUpstream,
  until,
  upstreams,
  won,
} from './scripted.ts';

const folder = t.testdir({});
const ours = authority(folder, 'ours');
const theirs = authority(folder, 'theirs');
const proper = ours.issue('DNS:dns.example,DNS:*.pool.example');

const good: TcpScript = (seen, send) => send(reply(seen, { address: 8 }));

async function dot(
  t: Ending,
  identity: Identity,
  options: { host?: string; script?: TcpScript; tls?: TlsOptions } = {},
): Promise<TcpUpstream & { readonly tls: UpstreamServer }> {
  const server = createServer({ ...identity, ALPNProtocols: ['dot'], ...options.tls });
  server.on('tlsClientError', () => {});
  const upstream = await tcpUpstream(t, options.script ?? good, {
    server,
    ...(options.host !== undefined && { host: options.host }),
  });
  return {
    ...upstream,
    tls: { protocol: 'tls', host: upstream.host, port: upstream.port, name: 'dns.example', ca: ours.pem },
  };
}

t.test('a verified answer, on one connection, with SNI and ALPN', async (t) => {
  const server = await dot(t, proper);
  const { forwarder } = upstreams(t, [server.tls]);
  for (let i = 0; i < 5; i++) {
    const { outcome } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 8);
    t.match(outcome, { verified: true });
  }
  t.equal(server.connections(), 1);
  const [socket] = server.sockets as Set<TLSSocket>;
  t.equal(socket?.alpnProtocol, 'dot');
  t.equal((socket as TLSSocket & { servername: string }).servername, 'dns.example');
});

t.test('a host that is an IPv6 address, with a name', async (t) => {
  const server = await dot(t, proper, { host: '::1' });
  const { forwarder } = upstreams(t, [server.tls]);
  t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 8);
  const wrong = upstreams(t, [{ ...server.tls, name: 'other.example' }]);
  t.equal(won((await ask(wrong.forwarder, 'www.example.com')).outcome), 'network');
});

t.test('names: case, a final dot, a wildcard of one label', async (t) => {
  const server = await dot(t, proper);
  for (const [name, fine] of [
    ['DNS.example', true],
    ['dns.example.', true],
    ['a.pool.example', true],
    ['a.b.pool.example', false],
    ['pool.example', false],
    ['xdns.example', false],
    ['dns.example.org', false],
  ] as const) {
    const { forwarder } = upstreams(t, [{ ...server.tls, name }]);
    t.equal((await ask(forwarder, 'www.example.com')).outcome.kind === 'reply', fine, name);
  }
});

t.test('without a name, the certificate holds the address', async (t) => {
  for (const [host, other] of [
    ['127.0.0.1', '127.0.0.2'],
    ['::1', '::2'],
  ] as const) {
    const server = await dot(t, ours.issue(`IP:${host}`), { host });
    const unnamed = upstreams(t, [{ ...server.tls, name: null }]);
    t.equal(won((await ask(unnamed.forwarder, 'www.example.com')).outcome), 8, host);
    const named = upstreams(t, [{ ...server.tls, name: host }]);
    t.equal(won((await ask(named.forwarder, 'www.example.com')).outcome), 8, `${host} as the name`);
    const wrong = await dot(t, ours.issue(`IP:${other},DNS:${host === '::1' ? 'dns.example' : host}`), {
      host,
    });
    const refused = upstreams(t, [{ ...wrong.tls, name: null }]);
    t.equal(won((await ask(refused.forwarder, 'www.example.com')).outcome), 'network', `not ${other}`);
  }
});

const untrusted: Record<
  string,
  () => { identity: Identity; detail: string; server?: Partial<UpstreamServer> }
> = {
  'the wrong name': () => ({
    identity: ours.issue('DNS:evil.example', { subject: '/CN=evil.example' }),
    detail: 'ERR_TLS_CERT_ALTNAME_INVALID',
  }),
  'the name in the subject alone': () => ({
    identity: ours.issue(null),
    detail: 'ERR_TLS_CERT_ALTNAME_INVALID',
  }),
  'the name in the subject, an address beside it': () => ({
    identity: ours.issue('IP:127.0.0.1'),
    detail: 'ERR_TLS_CERT_ALTNAME_INVALID',
  }),
  'another CA': () => ({
    identity: theirs.issue('DNS:dns.example'),
    detail: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  }),
  'an expired certificate': () => ({
    identity: ours.issue('DNS:dns.example', { days: -1 }),
    detail: 'CERT_HAS_EXPIRED',
  }),
  'a CA that the system does not know': () => ({
    identity: proper,
    detail: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    server: { ca: null },
  }),
};

for (const [what, make] of Object.entries(untrusted)) {
  t.test(`${what}: no question is sent, and the next server is asked at once`, async (t) => {
    const { identity, detail, server } = make();
    const bad = await dot(t, identity);
    const second = await dot(t, proper);
    const { forwarder, events } = upstreams(t, [{ ...bad.tls, ...server }, second.tls], {
      timing: { backoff: 0, maxBackoff: 0, report: 0 },
    });
    const { outcome, elapsed } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 8);
    t.ok(elapsed < 1500, `${elapsed} ms`);
    // A probe beside the second question fails as well; then the log is told why.
    await ask(forwarder, 'www.example.com');
    await pause(50);
    t.match(events, [{ kind: 'server-down', detail }]);
    t.equal(bad.seen.length, 0, 'nothing was asked of it');
    const alone = upstreams(t, [{ ...bad.tls, ...server }], { timing: PATIENT });
    t.equal(won((await ask(alone.forwarder, 'www.example.com')).outcome), 'network');
    t.equal(alone.forwarder.openSockets, 0);
    t.equal(bad.seen.length, 0);
  });
}

t.test('TLS 1.1 is refused, TLS 1.2 is enough', async (t) => {
  const old = await dot(t, proper, {
    tls: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
  });
  const first = upstreams(t, [old.tls]);
  t.equal(won((await ask(first.forwarder, 'www.example.com')).outcome), 'network');
  const enough = await dot(t, proper, { tls: { maxVersion: 'TLSv1.2' } });
  const second = upstreams(t, [enough.tls]);
  t.equal(won((await ask(second.forwarder, 'www.example.com')).outcome), 8);
});

t.test('a server without ALPN', async (t) => {
  const server = await dot(t, proper, { tls: { ALPNProtocols: undefined } as unknown as TlsOptions });
  const { forwarder } = upstreams(t, [server.tls]);
  t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 8);
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  t.test(`sessions are used again: ${version}`, async (t) => {
    const reused: boolean[] = [];
    const server = await dot(t, proper, {
      tls: { maxVersion: version },
      script: (seen, _send, socket) => {
        reused.push((socket as TLSSocket).isSessionReused());
        const octets = reply(seen, { address: 8 });
        socket.end(Buffer.concat([Buffer.from([octets.length >> 8, octets.length & 0xff]), octets]));
      },
    });
    const { forwarder } = upstreams(t, [server.tls]);
    for (let i = 0; i < 3; i++) {
      t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 8);
      await pause(20);
    }
    t.same(reused, [false, true, true]);
  });
}

t.test('a session is forgotten with a connection that answered nothing', async (t) => {
  const reused: boolean[] = [];
  const server = await dot(t, proper, {
    tls: { maxVersion: 'TLSv1.2' },
    script: (seen, _send, socket) => {
      reused.push((socket as TLSSocket).isSessionReused());
      if (reused.length === 2) {
        socket.destroy();
        return;
      }
      const octets = reply(seen, { address: 8 });
      socket.end(Buffer.concat([Buffer.from([octets.length >> 8, octets.length & 0xff]), octets]));
    },
  });
  const { forwarder } = upstreams(t, [server.tls]);
  t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 8);
  await until(() => forwarder.openSockets === 0);
  t.equal(won((await ask(forwarder, 'b.example.com')).outcome), 8, 'on another connection');
  await until(() => forwarder.openSockets === 0);
  t.equal(won((await ask(forwarder, 'c.example.com')).outcome), 8);
  t.same(reused, [false, true, false, true]);
});

t.test('a CA text that holds no certificate', async (t) => {
  const server = await dot(t, proper);
  for (const ca of ['', 'nonsense', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
    const { forwarder } = upstreams(t, [{ ...server.tls, ca }]);
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 'network');
    t.equal(forwarder.openSockets, 0);
  }
});

t.test('a handshake that never ends', async (t) => {
  const mute = createTcp((socket) => {
    socket.on('error', () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  t.teardown(() => mute.close());
  const port = (mute.address() as AddressInfo).port;
  const server: UpstreamServer = {
    protocol: 'tls',
    host: '127.0.0.1',
    port,
    name: 'dns.example',
    ca: ours.pem,
  };
  const second = await dot(t, proper);
  const { forwarder } = upstreams(t, [server, second.tls]);
  const { outcome, elapsed } = await ask(forwarder, 'www.example.com');
  t.equal(won(outcome), 8);
  t.ok(elapsed < 900, `${elapsed} ms`);
  const alone = upstreams(t, [server], { timing: { connect: 200 } });
  const failed = await ask(alone.forwarder, 'www.example.com');
  t.equal(won(failed.outcome), 'network');
  t.ok(failed.elapsed < 1500);
  t.equal(alone.forwarder.openSockets, 0);
});

t.test('a server that speaks plain TCP, and one that resets in the handshake', async (t) => {
  const plain = await tcpUpstream({ teardown: (end) => t.teardown(end) }, good);
  const server: UpstreamServer = { ...plain.server, protocol: 'tls', name: 'dns.example', ca: ours.pem };
  const talking = createTcp((socket) => {
    socket.on('error', () => {});
    socket.write('220 mail.example ESMTP\r\n');
  });
  const resetting = createTcp((socket) => socket.resetAndDestroy());
  for (const listener of [talking, resetting]) {
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    t.teardown(() => listener.close());
    const { forwarder } = upstreams(t, [{ ...server, port: (listener.address() as AddressInfo).port }], {
      timing: PATIENT,
    });
    const { outcome, elapsed } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 'network');
    t.ok(elapsed < 1500);
    t.equal(forwarder.openSockets, 0);
  }
});
