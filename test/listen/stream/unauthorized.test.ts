import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { Proofs } from '../../../src/listen/stream/proofs.ts';
import { Authority, type Issued } from '../../identity/authority.ts';
import * as der from '../../identity/der.ts';
import { NOW, trust } from '../../identity/listener.ts';

/** What finished handshakes prove, where nothing judged within them: on systems without the native part that is all there is. */

const CA = new Authority({ name: 'clients' });
const SERVER = new Authority({ name: 'servers' }).issue({ dns: ['dns.example'], eku: ['serverAuth'] });
/** Netscape's certificate type, which OpenSSL heeds and namegate does not know: for a server alone. */
const FOR_SERVERS = { oid: '2.16.840.1.113730.1.1', critical: false, value: der.namedBits([1]) };

/** The server's end of a connection on which OpenSSL let every client pass. */
async function shownBy(t: Test, { pem, keyPem }: Issued): Promise<TLSSocket> {
  const options = {
    cert: SERVER.pem,
    key: SERVER.keyPem,
    ca: CA.pem,
    requestCert: true,
    rejectUnauthorized: false,
  };
  const server = tls.createServer(options);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = tls.connect({ port, host: '127.0.0.1', cert: pem, key: keyPem, rejectUnauthorized: false });
  client.on('error', () => {});
  const [socket] = (await once(server, 'secureConnection')) as [TLSSocket];
  t.teardown(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return socket;
}

t.test('what OpenSSL does not take is refused, though namegate itself finds nothing wrong', async (t) => {
  const judge = trust({ clientCa: CA.pem });
  const proofs = new Proofs({ clients: 'required', judge }, () => NOW);
  t.ok('chain' in proofs.take(await shownBy(t, CA.issue({ dns: ['a.example'] }))));
  const odd = CA.issue({ dns: ['a.example'], extensions: [FOR_SERVERS] });
  t.equal(judge.judge([odd.der], NOW).kind, 'accepted', 'namegate alone would take it');
  const socket = await shownBy(t, odd);
  t.equal(socket.authorized, false);
  t.match(proofs.take(socket), { kind: 'refused', message: /^OpenSSL: / });
});
