import t from 'tap';
import { House } from './house.ts';
import { policy } from './policy.ts';

t.test(
  'a reply that meets a bug while it is cleaned is unusable, and counted: the next server is wanted',
  async (t) => {
    const house = new House(t.testdir.bind(t), policy({ alice: { allow: ['www.example'] } }));
    void house.query('www.example');
    const { listener } = house.asked[0]!;
    // What no socket gives stands for octets that nobody thought of: a socket's callback must not throw.
    t.equal(listener.accept(null as unknown as Buffer, false), 'bad');
    t.match(house.bugs, [{ name: 'TypeError' }]);
    listener.done({ kind: 'failure', reason: 'refused' });
  },
);
