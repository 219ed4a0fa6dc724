import t from 'tap';
import { House, queryOctets } from './house.ts';
import { policy } from './policy.ts';

t.test('only a reply that ends in a text can be filled up, to three times its question', async (t) => {
  const house = new House(t.testdir.bind(t), policy({ alice: { allow: ['www.example'] } }));
  await house.ask('www.example', 'A', {}, { answer: ['www.example 300 A 192.0.2.1'] });
  const most = (): number => house.resolver.filling.most;
  const deny = async (): Promise<number> => {
    await house.query('evil.example');
    return most();
  };
  t.equal(await deny(), 3 * queryOctets('evil.example', 'A').length);

  const others: Record<string, () => Promise<unknown>> = {
    'an answer': () => house.query('www.example'),
    'a denial without OPT': () => house.query('evil.example', 'A', { edns: false }),
    'a header that is refused': () => house.send(queryOctets('evil.example', 'A').subarray(0, 12)),
    'a response, which gets no reply': () => house.send(Buffer.alloc(12, 0xff)),
    'a query that waits': async () => void house.query('www.example', 'AAAA'),
  };
  for (const [what, ask] of Object.entries(others)) {
    t.not(await deny(), 0);
    await ask();
    t.equal(most(), 0, what);
  }

  house.onExit = () => {
    throw new Error('a bug');
  };
  const reply = await house.query('evil.example');
  t.equal(reply.rcode, 2);
  t.equal(most(), 0, 'a header alone, where a denial had been written');
});
