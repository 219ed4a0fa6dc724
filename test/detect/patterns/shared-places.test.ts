import t from 'tap';
import { SharedPlaces } from '../../../src/detect/patterns/shared-places.ts';
import { SharedTable } from '../../../src/detect/shared-table.ts';

/** The same moves on a table of texts, which is plain, and on places: they have to agree on who is there and who has to go. */
t.test('places are shared as a table is, whatever is taken, touched and made free', async (t) => {
  for (let round = 0; round < 40; round++) {
    let seed = round + 1;
    const below = (most: number): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * most);
    };
    const [mostOfOne, most] = [2 + below(6), 8 + below(8)];
    const places = new SharedPlaces(mostOfOne, most);
    const table = new SharedTable<number>(mostOfOne, most);
    const at = new Map<number, string>();
    for (let step = 0; step < 600; step++) {
      const owner = `o${below(5)}`;
      // Few values, so that keys share a chain.
      const [low, high] = [below(4), below(5)];
      const key = `${low} ${high}`;
      const place = places.find(owner, low, high);
      const known = table.get(owner, key);
      if ((place < 0 ? undefined : place) !== known) t.fail(`round ${round}, step ${step}: ${owner} ${key}`);
      if (known === undefined) {
        let gone = '';
        const taken = places.take(owner, low, high, (evicted) => {
          gone = `${places.ownerOf(evicted)} ${at.get(evicted)}`;
        });
        const evicted = table.add(owner, key, taken);
        if (gone !== (evicted === null ? '' : `${evicted.owner} ${evicted.key}`))
          t.fail(`round ${round}, step ${step}: ${gone} had to go`);
        at.set(taken, key);
      } else if (below(3) === 0) {
        places.free(place);
        table.delete(owner, key);
      } else {
        places.touch(place);
        // The only one is the newest, and an owner without any would come behind the others.
        if (table.sizeOf(owner) === 1) continue;
        table.delete(owner, key);
        table.add(owner, key, place);
      }
    }
    const all = [...places.all()].map((place) => `${places.ownerOf(place)} ${at.get(place)}`);
    t.strictSame(all.sort(), [...table.all()].map(({ owner, key }) => `${owner} ${key}`).sort());
    t.equal(places.size, table.size);
  }
});
