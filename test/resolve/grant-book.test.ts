import t from 'tap';
import { GrantBook } from '../../src/resolve/grants/grant-book.ts';
import { GrantedClient } from '../../src/resolve/grants/granted-client.ts';
import { ipAddress } from '../../src/wire/ip-address.ts';
import { Random } from '../server/random.ts';
import { wireName } from './records.ts';

/** The book against plain maps: names at addresses, few and many, that come and go. */

const REASON = { chain: [], rule: null, policy: '0' };

t.test('names at one address are found, however many there are', async (t) => {
  const random = new Random(14);
  const book = new GrantBook(0x7654_3210);
  const client = new GrantedClient({ family: 4, w0: 1, w1: 0, w2: 0, w3: 0 }, '', 'job', false);
  book.add(client);
  const names = Array.from({ length: 300 }, (_, i) => Uint8Array.from(wireName(`n${i}.example`)));
  const addresses = [0, 1, 2].map((w0) => ({ family: 4 as const, w0, w1: 0, w2: 0, w3: 0 }));
  const wanted = new Map<string, number>();
  let wrong = 0;
  for (let step = 0; step < 6_000; step++) {
    const address = random.below(3);
    const n = random.below(address === 0 ? 300 : address === 1 ? 12 : 2);
    const key = `${address} ${n}`;
    if (random.below(500) === 0) {
      const rest = random.below(4);
      for (const [each, until] of wanted) if (until % 4 === rest) wanted.delete(each);
      book.prune(client, ({ until }) => until % 4 !== rest);
      if (!book.has(client)) book.add(client);
    } else if (random.below(2) === 0) {
      book.put(client, addresses[address]!, names[n]!, [], step, REASON);
      wanted.set(key, step);
    }
    const found = book.named(client, ipAddress(4, address), names[n]!, names[n]!.length);
    if ((found?.until ?? null) !== (wanted.get(key) ?? null)) wrong++;
    if (client.size !== wanted.size || book.of(client).grants !== wanted.size) wrong++;
  }
  t.equal(wrong, 0);
  t.ok(wanted.size > 100);
  const grants = [...client.each()];
  t.equal(
    grants.reduce((sum, { count }) => sum + count, 0),
    wanted.size,
  );
});
