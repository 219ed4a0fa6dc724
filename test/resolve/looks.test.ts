import t from 'tap';
import { Looks } from '../../src/resolve/client/looks.ts';
import { Underway } from '../../src/resolve/client/standing.ts';

t.test('an identity has its looks of a second, and leaves others theirs', async (t) => {
  const looks = new Looks();
  const [one, other] = [new Underway(1), new Underway(1)];
  const taken = (who: Underway, now: number): number => {
    let count = 0;
    while (count < 10_000 && looks.take(who, now)) count++;
    return count;
  };
  t.equal(taken(one, 10), 400);
  t.equal(taken(one, 1009), 0);
  t.equal(taken(other, 1009), 400);
  t.equal(taken(one, 1010), 400, 'the next second');
  t.equal(taken(one, 5), 400, 'a clock that begins anew');
});

t.test('all identities together have a bound', async (t) => {
  const looks = new Looks();
  let count = 0;
  for (let i = 0; i < 20; i++) {
    const who = new Underway(1);
    while (looks.take(who, 0)) count++;
  }
  t.equal(count, 4_000);
});
