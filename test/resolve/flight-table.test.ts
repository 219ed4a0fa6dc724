import t from 'tap';
import { Entry } from '../../src/resolve/answer/entry.ts';
import { Key } from '../../src/resolve/answer/key.ts';
import { Flight, type Tower, type Waiter } from '../../src/resolve/flights/flight.ts';
import { FlightTable } from '../../src/resolve/flights/flight-table.ts';
import { wireName } from './records.ts';

const TOWER: Tower = {
  clean: () => null,
  ask: () => false,
  failedLately: () => false,
  late: () => {},
  land: () => {},
};
/** All keys lead to one place: the first with one hash, the others with another. */
const hashOf = (octets: Uint8Array): number => (octets[1] === 0x61 ? 7 : 7 + 4096);

function keyOf(name: string, type = 1, checkingDisabled = false): Key {
  const octets = wireName(name);
  return new Key(hashOf).set(octets, octets.length, type, 0, checkingDisabled, 0);
}

function tableOf(names: readonly string[]): { table: FlightTable; flights: Flight[] } {
  const table = new FlightTable(() => new Flight(TOWER, new Key(hashOf)));
  const flights = names.map((name) => {
    const flight = table.take();
    flight.begin(keyOf(name), 0, 'no', 0);
    table.add(flight);
    return flight;
  });
  return { table, flights };
}

t.test('flights whose keys lead to one place are told apart, in whichever order they end', async (t) => {
  const names = ['a.example', 'b.example', 'c.example'];
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]) {
    const { table, flights } = tableOf(names);
    const left = new Set(names);
    for (const gone of order) {
      table.remove(flights[gone]!);
      left.delete(names[gone]!);
      for (const [i, name] of names.entries())
        t.equal(table.find(keyOf(name)), left.has(name) ? flights[i] : null, `${order}: ${name}`);
    }
  }
});

t.test('a key of another type, or with CD, is another flight', async (t) => {
  const { table } = tableOf(['a.example']);
  t.equal(table.find(keyOf('a.example', 28)), null);
  t.equal(table.find(keyOf('a.example', 1, true)), null);
});

t.test('a record serves one question after another, and asks what the key names', async (t) => {
  const { table, flights } = tableOf(['a-long-name.example']);
  const [flight] = flights;
  table.remove(flight!);
  table.free(flight!);
  const next = table.take();
  t.equal(next, flight);
  next.begin(keyOf('b.example', 28, true), 3, 'paid', 5);
  t.match(next.question, { group: 3, type: 28, checkingDisabled: true });
  t.same([...next.question.name], [...wireName('b.example')]);
  t.match(next, { renewal: 'paid', startedAt: 5, leastLife: 0, isSlow: false, held: false, after: null });
});

t.test(
  'all who wait are told once, in the order in which they came; who comes meanwhile waits on',
  async (t) => {
    const { flights } = tableOf(['a.example']);
    const flight = flights[0]!;
    const told: string[] = [];
    const waiter = (name: string, then: () => void = () => {}): Waiter => ({
      next: null,
      settle: () => {
        told.push(name);
        then();
      },
    });
    flight.join(waiter('first', () => flight.join(waiter('late'))));
    flight.join(waiter('second'));
    flight.join(waiter('last'));
    const key = keyOf('a.example');
    flight.settle(key, new Entry(), false);
    t.same(told, ['first', 'second', 'last']);
    flight.settle(key, new Entry(), false);
    t.same(told, ['first', 'second', 'last', 'late']);
  },
);
