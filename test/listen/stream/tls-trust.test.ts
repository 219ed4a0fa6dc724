import t from 'tap';
import { describeShown } from '../../../src/identity/shown.ts';
import { Credential } from '../../../src/resolve/client/credential.ts';
import { ORDER, query, until } from '../echo.ts';
import {
  below,
  client,
  dialTls,
  ListJudge,
  material,
  other,
  rig,
  serverCa,
  sessions,
  type TlsClient,
} from './tls-rig.ts';

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

async function asks(one: TlsClient, id: number): Promise<number> {
  one.send(query(id));
  return one.nextId();
}

/** A connection that may be refused at any point; its first answer, or null for none. */
async function tries(dialled: Promise<TlsClient>): Promise<number | null> {
  const one = await dialled.catch(() => null);
  one?.send(query(1));
  const reply = (await one?.next()) ?? null;
  return reply === null ? null : reply.readUInt16BE(0);
}

for (const version of VERSIONS) {
  t.test(`${version}: a revoked client that is connected gets no further answer`, async (t) => {
    const { listener, dial, echo, counters, notices } = await rig(t);
    const [bad, good] = [await dial({ maxVersion: version }), await dial({ maxVersion: version, as: other })];
    t.equal(await asks(bad, 1), 1);
    t.equal(await asks(good, 1), 1);
    bad.send(query(2, ORDER.HOLD));
    good.send(query(2, ORDER.HOLD));
    await until(() => echo.held.length === 2);
    bad.send(query(3));
    listener.update(material({ judge: new ListJudge([client]) }));
    echo.release(0);
    echo.release(1);
    t.equal(await bad.next(), null);
    t.equal(await bad.over, 'ECONNRESET');
    t.equal(await good.nextId(), 2, 'an answer that was on its way');
    t.equal(await asks(good, 4), 4);
    t.equal(counters.distrusted, 1);
    t.match(notices, [{ kind: 'certificate', refused: true, client: '127.0.0.1', rule: 'revoked' }]);
    t.equal(await tries(dial({ maxVersion: version })), null, 'nor a new connection');
  });

  t.test(`${version}: resumption works before and after a reload; a revoked client has none`, async (t) => {
    const { listener, dial, echo, counters } = await rig(t);
    const first = await dial({ maxVersion: version, as: below });
    t.equal(await asks(first, 1), 1);
    const session = await sessions.get(first.socket)!;
    const second = await dial({ maxVersion: version, as: below, session });
    t.ok(second.socket.isSessionReused());
    t.equal(await asks(second, 2), 2);
    // Everything is new, but the CA.
    const fresh = serverCa.issue({ dns: ['dns.example'], ips: ['127.0.0.1'], eku: ['serverAuth'] });
    const judge = new ListJudge();
    listener.update(material({ certificate: fresh.pem, key: fresh.keyPem, judge }));
    t.equal(await asks(second, 3), 3, 'who is not touched stays');
    const third = await dial({ maxVersion: version, as: below, session });
    t.ok(third.socket.isSessionReused());
    t.equal(await asks(third, 4), 4);
    t.equal(judge.seen.at(-1), 2, 'the intermediate is remembered');
    const full = await dial({ maxVersion: version, as: below });
    t.equal(
      full.socket.getPeerX509Certificate()?.serialNumber,
      Number(fresh.serial).toString(16).toUpperCase().padStart(4, '0'),
    );
    t.equal(await asks(full, 5), 5);
    t.same(new Set(echo.names), new Set(['DNS:below.example']));
    t.match(counters, { handshakes: 4, resumed: 2, distrusted: 0 });

    listener.update(material({ judge: new ListJudge([below]) }));
    const received = counters.received;
    t.equal(await tries(dial({ maxVersion: version, as: below, session })), null);
    t.equal(await tries(dial({ maxVersion: version, as: null, session })), null, 'who has the ticket alone');
    t.equal(await tries(dial({ maxVersion: version, as: below })), null);
    t.equal(counters.received, received, 'nothing was asked under the old identity');
  });

  t.test(`${version}: a session from before certificates were asked for proves nothing`, async (t) => {
    const none = material({ clients: 'none', judge: null, caPem: '' });
    const { listener, dial, echo, counters } = await rig(t, { material: none });
    const first = await dial({ maxVersion: version, as: null });
    t.equal(await asks(first, 1), 1);
    const session = await sessions.get(first.socket)!;
    listener.update(material());
    await first.over;
    t.equal(counters.distrusted, 1, 'an open connection without a certificate ends');
    t.equal(await tries(dial({ maxVersion: version, as: null, session })), null);
    const again = await dial({ maxVersion: version, session });
    t.notOk(again.socket.isSessionReused(), 'a full handshake, in which the certificate is asked for');
    t.equal(await asks(again, 2), 2);
    t.same(echo.names, [null, 'DNS:client.example']);
  });

  t.test(`${version}: a session without a certificate is nobody's, on an optional listener`, async (t) => {
    const { dial, echo } = await rig(t, { material: material({ clients: 'optional' }) });
    const first = await dial({ maxVersion: version, as: null });
    t.equal(await asks(first, 1), 1);
    const session = await sessions.get(first.socket)!;
    const again = await dial({ maxVersion: version, session });
    t.ok(again.socket.isSessionReused());
    t.equal(await asks(again, 2), 2);
    const known = await dial({ maxVersion: version });
    t.equal(await asks(known, 3), 3);
    t.same(echo.names, [null, null, 'DNS:client.example']);
  });
}

t.test('what a certificate is called follows change, on the same connection', async (t) => {
  const { listener, dial, echo } = await rig(t);
  const one = await dial();
  t.equal(await asks(one, 1), 1);
  listener.update(material({ judge: new ListJudge([], { 'DNS:client.example': 'renamed' }) }));
  t.equal(await asks(one, 2), 2);
  t.same(echo.names, ['DNS:client.example', 'renamed']);
});

const TWO_URIS = { rule: 'two-uris', text: 'it has two URI names' };

t.test('a certificate that breaks a rule is served as unknown, and told', async (t) => {
  const judge = {
    describe: describeShown,
    judge: () =>
      ({ kind: 'accepted', credential: new Credential(['sha256:0'], TWO_URIS), until: 4e9 }) as const,
  };
  const { dial, notices } = await rig(t, { material: material({ judge }) });
  t.equal(await asks(await dial(), 1), 1);
  const certificate = { sha256: client.sha256, subject: 'CN=client', issuer: 'CN=clients' };
  t.match(notices, [
    {
      kind: 'certificate',
      refused: false,
      rule: 'two-uris',
      message: 'its holder is unknown: it has two URI names',
      client: '127.0.0.1',
      certificate,
    },
  ]);
});

t.test('when a judgement ends, it is made again', async (t) => {
  let now = 1000;
  const judge = new ListJudge([], {}, 2000);
  const { dial, counters } = await rig(t, {
    epoch: () => now,
    material: material({ judge }),
    limits: { idleMs: 40_000 },
  });
  const [asking, silent] = [await dial(), await dial({ as: other })];
  t.equal(await asks(asking, 1), 1);
  const judged = judge.seen.length;
  now = 1999;
  t.equal(await asks(asking, 2), 2);
  t.equal(judge.seen.length, judged, 'not for every question');
  now = 2000;
  asking.send(query(3));
  t.equal(await asking.next(), null);
  await silent.over;
  t.equal(counters.distrusted, 2, 'who is silent too');
});

t.test('a thousand connections are judged again without keeping others waiting', async (t) => {
  const { listener, dial, counters } = await rig(t, {
    clients: 400,
    perClient: 400,
    // A busy machine needs its time for so many handshakes: none may end by itself.
    limits: { idleMs: 60_000 },
  });
  const session = await sessions.get((await dial({ maxVersion: 'TLSv1.2' })).socket)!;
  const many: TlsClient[] = [];
  for (let i = 0; i < 6; i++) {
    many.push(
      ...(await Promise.all(Array.from({ length: 49 }, () => dial({ maxVersion: 'TLSv1.2', session })))),
    );
  }
  const good = await dial({ as: other });
  await until(() => counters.handshakes === 296);
  listener.update(material({ judge: new ListJudge([client]) }));
  t.equal(await asks(good, 1), 1);
  await Promise.all(many.map(({ over }) => over));
  t.equal(counters.distrusted, 295);
});

t.test('certificates turn under load, and nobody is dropped', async (t) => {
  const { listener, port, counters } = await rig(t);
  const steady = await dialTls(port);
  t.teardown(() => steady.close());
  let done = false;
  const failures: unknown[] = [];
  let answers = 0;
  const dialling = (async () => {
    while (!done) {
      const one = await dialTls(port).catch((error: unknown) => void failures.push(error));
      if (one == null) continue;
      answers += Number((await asks(one, 7)) === 7);
      one.close();
    }
  })();
  for (let round = 0; round < 15; round++) {
    const fresh = serverCa.issue({ dns: ['dns.example'], eku: ['serverAuth'] });
    listener.update(material({ certificate: fresh.pem, key: fresh.keyPem }));
    t.equal(await asks(steady, round), round);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  done = true;
  await dialling;
  t.same(failures, []);
  t.ok(answers > 5, `${answers} connections`);
  t.match(counters, { failed: 0, distrusted: 0, faults: 0 });
});
