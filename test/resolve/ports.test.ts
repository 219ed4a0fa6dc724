import t from 'tap';
import { House } from './house.ts';
import { policy } from './policy.ts';

/** An exception means a bug: it "is caught once per query, becomes SERVFAIL and is counted". */

const POLICY = policy({ alice: { allow: ['www.example', 'b.example'] } });
const A = { answer: ['www.example 60 A 192.0.2.1'] };
const BUG = new Error('a bug in a port');

function broken(): never {
  throw BUG;
}

t.test('a forwarder that throws: one SERVFAIL, counted, and nothing is left behind', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.onAsk = broken;
  for (let i = 0; i < 3; i++) {
    const reply = await house.query('www.example', 'A', { id: 0xabcd });
    t.same([reply.rcode, reply.octets.length, reply.octets.readUInt16BE(0)], [2, 12, 0xabcd]);
  }
  t.same(house.bugs, [BUG, BUG, BUG]);
  t.same(house.exits, ['servfail', 'servfail', 'servfail']);
  t.equal(house.resolver.waiting, 0);
  house.onAsk = () => {};
  t.same(
    (await house.ask('www.example', 'A', {}, A)).answer,
    A.answer,
    'the question is asked once it can be',
  );
});

t.test('…and no identity’s share is used up by it', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY, {
    limits: { inFlight: 8, tcpClients: 1, unknownQps: 1 },
  });
  house.onAsk = broken;
  for (let i = 0; i < 20; i++) await house.query('www.example');
  house.onAsk = () => {};
  const pending = house.query('www.example');
  t.equal(house.open.length, 1);
  house.settleAll(A);
  t.equal((await pending).rcode, 0);
});

t.test('an observer that throws: one SERVFAIL, and the server goes on', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.onExit = broken;
  for (const name of ['evil.example', 'localhost']) {
    t.equal((await house.query(name)).rcode, 2);
  }
  t.equal(house.bugs.length, 2);
  house.onBug = broken;
  t.equal((await house.query('evil.example')).rcode, 2, 'even where bugs cannot be told');
  const later = house.query('www.example');
  house.settleAll(A);
  t.equal((await later).rcode, 2);
  house.onExit = () => {};
  t.equal((await house.query('evil.example')).rcode, 3);
  t.same((await house.query('www.example')).answer, A.answer);
});

t.test('a drop stays a drop, although the observer throws: a response is never answered', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.onExit = broken;
  const response = Buffer.alloc(12);
  response[2] = 0x80;
  t.equal((await house.send(response)).rcode, -1);
  t.equal((await house.send(Buffer.alloc(3))).rcode, -1);
  t.same(house.bugs, [BUG, BUG]);
});

t.test('a way back that throws does not take the answer from the others', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  let sends = 0;
  house.onSend = () => {
    if (++sends === 1) broken();
  };
  const replies = [1, 2, 3].map(() => house.query('www.example'));
  house.settleAll(A);
  for (const reply of await Promise.all(replies)) t.same(reply.answer, A.answer);
  t.same(house.bugs, [BUG]);
  t.equal(house.exits.length, 3, 'each query is counted once');
  t.equal(house.resolver.waiting, 0);
});

t.test('SERVFAIL of a bug: the opcode and RD come back, nothing else', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.onExit = broken;
  const reply = await house.query('evil.example', 'A', { do: true, cd: true, id: 1 });
  t.equal(reply.octets.toString('hex'), '0001' + '8182' + '0000000000000000');
});

t.test('every query is counted once, whatever its way out', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example', 'A', {}, A);
  await house.query('www.example');
  await house.query('evil.example');
  await house.query('example');
  await house.query('localhost');
  await house.ask('b.example', 'A', {}, { failure: 'network' });
  await house.query('b.example');
  await house.query('www.example', 'A', { opcode: 2 });
  await house.query('www.example', 'A', { version: 1 });
  await house.query('www.example', 'AXFR');
  await house.send(Buffer.alloc(12));
  t.same(house.exits, [
    'forwarded',
    'hit',
    'deny',
    'empty',
    'local',
    'servfail',
    'servfail',
    'notimp',
    'badvers',
    'refused',
    'formerr',
  ]);
});
