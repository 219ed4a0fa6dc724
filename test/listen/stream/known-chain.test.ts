import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { chainCheck } from '../../../src/socket/chain-check.ts';
import { Authority, type Issued } from '../../identity/authority.ts';
import { query, until } from '../echo.ts';
import { client, dialTls, ListJudge, material, rig } from './tls-rig.ts';

/** A chain that the listener knows spares work, and proves nothing by itself. */

const HANDSHAKE = 22;
const CERTIFICATE = 11;

/** Records of TLS, and what is no whole record yet. */
function records(octets: Buffer): { whole: Buffer[]; rest: Buffer } {
  const whole: Buffer[] = [];
  let at = 0;
  while (octets.length >= at + 5 && octets.length >= at + 5 + octets.readUInt16BE(at + 3)) {
    const end = at + 5 + octets.readUInt16BE(at + 3);
    whole.push(octets.subarray(at, end));
    at = end;
  }
  return { whole, rest: octets.subarray(at) };
}

/** The record of TLS 1.2 in which a client shows a certificate (RFC 5246 §7.4.6). */
function certificateRecord({ der }: Issued): Buffer {
  const length = (octets: number): number[] => [octets >> 16, (octets >> 8) & 255, octets & 255];
  const n = der.length;
  const message = [CERTIFICATE, ...length(n + 6), ...length(n + 3), ...length(n)];
  const size = message.length + n;
  return Buffer.concat([Buffer.of(HANDSHAKE, 3, 3, size >> 8, size & 255), Buffer.from(message), der]);
}

/** A way to the port on which the certificate that a client shows becomes another. Returns its port, and how often it did. */
async function swapper(t: Test, port: number, shown: Issued): Promise<{ port: number; swapped(): number }> {
  let count = 0;
  const open: Socket[] = [];
  const server = createServer((from) => {
    const to = connect(port, '127.0.0.1');
    open.push(from, to);
    let rest: Buffer = Buffer.alloc(0);
    from.on('data', (chunk: Buffer) => {
      const read = records(Buffer.concat([rest, chunk]));
      rest = read.rest;
      for (const record of read.whole) {
        const isCertificate = record[0] === HANDSHAKE && record[5] === CERTIFICATE;
        if (isCertificate) count++;
        to.write(isCertificate ? certificateRecord(shown) : record);
      }
    });
    to.on('data', (chunk) => from.write(chunk));
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, swapped: () => count };
}

t.test('who shows a chain that is known must hold its key', async (t) => {
  const judge = new ListJudge();
  const { port, counters, dial } = await rig(t, { material: material({ judge }) });
  const how = { maxVersion: 'TLSv1.2', session: undefined } as const;
  for (const id of [1, 2]) {
    const owner = await dial(how);
    owner.send(query(id));
    t.equal(await owner.nextId(), id);
  }
  if (chainCheck() !== null) t.equal(judge.seen.length, 1, 'the chain is known');
  const way = await swapper(t, port, client);
  const thief = new Authority({ name: 'clients' }).issue({ name: 'client', dns: ['client.example'] });
  const ended = await dialTls(way.port, { ...how, as: thief }).catch((error: NodeJS.ErrnoException) => error);
  t.equal(way.swapped(), 1);
  t.match((ended as NodeJS.ErrnoException).code, /DECRYPT_ERROR$/, 'its signature is not that key’s');
  await until(() => counters.failed === 1);
  t.equal(counters.handshakes, 2);
  t.equal(counters.received, 2, 'it asked nothing');
});

t.test('a known chain that is revoked is refused from then on', async (t) => {
  const { listener, counters, dial } = await rig(t);
  for (const id of [1, 2]) {
    const one = await dial();
    one.send(query(id));
    t.equal(await one.nextId(), id);
    one.close();
  }
  listener.update(material({ judge: new ListJudge([client]) }));
  for (let i = 0; i < 2; i++) {
    const one = await dial().catch((error: Error) => error);
    if (!(one instanceof Error)) {
      one.send(query(9));
      await one.over;
    }
  }
  t.equal(counters.received, 2);
  t.ok(counters.distrusted >= 2);
});

t.test('a known chain counts for nothing where another CA is trusted from then on', async (t) => {
  const judge = new ListJudge();
  const { listener, counters, dial } = await rig(t, { material: material({ judge }) });
  const one = await dial();
  one.send(query(1));
  t.equal(await one.nextId(), 1);
  one.close();
  // The judge would still take it: OpenSSL does not.
  listener.update(material({ judge, caPem: new Authority({ name: 'clients' }).pem }));
  const two = await dial().catch((error: Error) => error);
  if (!(two instanceof Error)) {
    two.send(query(2));
    await two.over;
  }
  await until(() => counters.failed + counters.distrusted > 0);
  t.equal(counters.received, 1);
});
