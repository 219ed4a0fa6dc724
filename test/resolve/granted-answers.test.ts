import t from 'tap';
import { GrantReview } from '../../src/resolve/grants/review.ts';
import { RCODE } from '../../src/wire/iana.ts';
import { prefix } from '../policy/build.ts';
import { PlayedEnforcer } from './enforcement.ts';
import { House } from './house.ts';
import { policy } from './policy.ts';

/** What was answered before is answered without a look into the book, for as long as the book would say the same. */

const POLICY = policy({
  job: {
    from: ['192.0.2.0/24', '2001:db8::/32'],
    allow: ['plain.example', 'other.example'],
  },
});

t.test('an answer that was given before', async (t) => {
  const enforcer = new PlayedEnforcer();
  const firewall = { ports: ['tcp/443'], open: false };
  const house = new House((content) => t.testdir(content), POLICY, { firewall, gate: enforcer.gate });
  const clock = { monotonic: () => house.now, epoch: () => house.epoch };
  const { book } = enforcer.gate;
  const rooms = { book, enforcement: enforcer, leases: house.leases, clock };
  const review = new GrantReview(rooms, house.inForce);
  let looks = 0;
  const { find } = book;
  book.find = (...where) => {
    looks++;
    return find.apply(book, where);
  };
  /** The grants that the answer waited for, and how often the book was looked into. */
  const ask = async (name = 'plain.example', address = '203.0.113.1', from = '192.0.2.7') => {
    const answer = [`${name} 60 ${address.includes(':') ? 'AAAA' : 'A'} ${address}`];
    looks = 0;
    const asked = house.ask(name, address.includes(':') ? 'AAAA' : 'A', { from }, { answer });
    const granted = enforcer.granted().length;
    enforcer.settle();
    t.equal((await asked).rcode, RCODE.NOERROR);
    return { granted, looked: looks > 0 };
  };
  const anew = async (what: string): Promise<void> => {
    t.same(await ask(), { granted: 1, looked: true }, what);
    await ask();
    t.same(await ask(), { granted: 0, looked: false }, 'and then no more');
  };
  const load = (text: string): void => {
    house.reload(text);
    review.swap(house.inForce);
    for (let i = 0; i < 3; i++) review.look();
    enforcer.granted();
  };

  await anew('the first time');
  t.same(await ask('other.example'), { granted: 1, looked: true }, 'another name');
  t.same(
    await ask('plain.example', '203.0.113.1', '192.0.2.8'),
    { granted: 1, looked: true },
    'another client',
  );
  t.same(await ask('plain.example', '2001:db8:9::1', '2001:db8::7'), { granted: 1, looked: true }, 'IPv6');
  t.same(await ask('plain.example', '2001:db8:9::1', '2001:db8::8'), { granted: 1, looked: true });
  house.pass(61_000);
  t.same(await ask('plain.example', '203.0.113.2'), { granted: 1, looked: true }, 'another address');
  house.pass(61_000);
  await anew('the end of its time is near');

  load(POLICY.replace('plain.example', 'else.example'));
  load(POLICY);
  await anew('the name was gone for a while');
  load(POLICY.replace('192.0.2.0/24', '198.51.100.0/24'));
  load(POLICY);
  await anew('the client was nobody for a while');

  const lease = {
    identity: 'job',
    addresses: [prefix('192.0.2.7/32')],
    certificate: null,
    job: null,
    quarantine: 0,
    sourceEnforced: false,
    known: true,
  };
  for (const id of ['l1', 'l2']) {
    house.leases.open({ ...lease, id, stage: null, endsAt: house.now + 600_000 }, house.now);
    enforcer.granted();
    await anew(`the lease ${id} begins with nothing`);
    house.leases.end(id, house.now);
    enforcer.granted();
  }
  await anew('what the lease was granted is gone with it');
});
