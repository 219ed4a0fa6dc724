import { X509Certificate } from 'node:crypto';
import t, { type Test } from 'tap';
import { describeShown } from '../../src/identity/shown.ts';
import type { TlsMaterial } from '../../src/listen/stream/handshakes.ts';
import { tls } from '../../src/listen/stream/tls.ts';
import { Credential, type CredentialJudge } from '../../src/resolve/client/credential.ts';
import type { Answerer, Client } from '../../src/resolve/ports.ts';
import { RCODE } from '../../src/wire/iana.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { NO_EDE, ReplyWriter } from '../../src/wire/reply.ts';
import { clientFiles, clients, NAME, opt, query, rcode, SERVFAIL, servers, start, until } from './peers.ts';

/** The stub in front of namegate's own listener for DNS over TLS. */

/** Says no data, and notes who asked. */
class WhoAsked implements Answerer {
  readonly names: (readonly string[] | null)[] = [];
  readonly #writer = new ReplyWriter();
  readonly #query = new Query();

  answer(message: Buffer, length: number, client: Client, reply: Buffer): number {
    this.names.push(client.credential?.names ?? null);
    readQuery(message, length, this.#query);
    this.#writer.keepalive = 100;
    this.#writer.begin(this.#query, reply, 0, 0xffff);
    return this.#writer.finish(RCODE.NOERROR, NO_EDE, null, 0xffff);
  }
}

/** Takes every chain that TLS took, save these. */
function judgeBut(...revoked: readonly string[]): CredentialJudge {
  return {
    describe: describeShown,
    judge: ([leaf]) => {
      const { subjectAltName, serialNumber } = new X509Certificate(leaf!);
      return revoked.includes(serialNumber)
        ? { kind: 'refused', rule: 'revoked', message: 'it is revoked' }
        : { kind: 'accepted', credential: new Credential([subjectAltName ?? ''], null), until: 4e9 };
    },
  };
}

const shown = servers.issue({ dns: [NAME], eku: ['serverAuth'] });

function material(judge: CredentialJudge): TlsMaterial {
  return { certificate: shown.pem, key: shown.keyPem, clients: 'required', caPem: clients.pem, judge };
}

async function listener(t: Test) {
  const answerer = new WhoAsked();
  const server = tls({
    host: '127.0.0.1',
    port: 0,
    answerer,
    notice: () => {},
    material: material(judgeBut()),
  });
  await server.start();
  t.teardown(() => server.close(0));
  return { server, answerer, address: { ...server.address, name: NAME } };
}

t.test(
  'namegate knows the client by its certificate, and by the next one after it was renewed',
  async (t) => {
    const { answerer, address } = await listener(t);
    const files = clientFiles(t);
    const { ask, dial, lines } = await start(t, [address], { files, poll: 40 });
    for (let i = 0; i < 3; i++) t.equal(rcode(await ask(query(i, 'www.example', opt()))), 0);
    const client = await dial();
    client.send(query(4), query(5));
    t.ok((await client.next()) !== null && (await client.next()) !== null);
    t.same(answerer.names, Array(5).fill(['URI:spiffe://ci.example/job']));
    files.write({ uris: ['spiffe://ci.example/next'] });
    await until(() => lines.filter(({ event }) => event === 'certificate-loaded').length === 2);
    t.equal(rcode(await ask(query(6))), 0);
    t.same(answerer.names.at(-1), ['URI:spiffe://ci.example/next']);
  },
);

t.test('a revoked client gets no answer, on no connection, resumed or not', async (t) => {
  const { server, answerer, address } = await listener(t);
  const files = clientFiles(t);
  files.write({ serial: 0x2a });
  const { ask, lines } = await start(t, [address], { files, limits: { patience: 800 } });
  t.equal(rcode(await ask(query(1))), 0);
  server.update(material(judgeBut('2A')));
  for (let i = 0; i < 3; i++) t.equal(rcode(await ask(query(2, 'www.example', opt()))), SERVFAIL);
  t.equal(answerer.names.length, 1);
  t.ok(lines.some(({ event }) => event === 'upstream-down'));
  server.update(material(judgeBut()));
  let last = SERVFAIL;
  for (let left = 20; left > 0 && last !== 0; left--) last = rcode(await ask(query(3)));
  t.equal(last, 0, 'and answers again when it is not');
});
