import t from 'tap';
import { isWithin, PrefixTable } from '../../../src/listen/prefixes.ts';
import { Forgery } from '../../../src/listen/udp/forgery.ts';
import { StrandedClients } from '../../../src/listen/udp/stranded.ts';
import { readAddress } from '../../../src/socket/address-words.ts';
import type { AddressWords } from '../../../src/wire/ip-address.ts';
import type { Prefix } from '../../../src/wire/prefix.ts';
import { Random } from '../../server/random.ts';

function words(text: string): AddressWords {
  const address: AddressWords = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };
  readAddress(text, address);
  return address;
}

function prefix(text: string): Prefix {
  const [host = '', length = ''] = text.split('/');
  const { family, w0, w1, w2, w3 } = words(host);
  return { family, words: family === 4 ? [w0] : [w0, w1, w2, w3], length: Number(length) };
}

t.test('a table of prefixes says what each of them says', async (t) => {
  const written = ['10.20.0.0/16', '10.21.0.0/16', '10.20.3.0/24', '192.0.2.7/32', '255.255.255.255/32'];
  const table = new PrefixTable([...written, '2001:db8::/32', '2001:db9:0:1::/64', 'ffff::/16'].map(prefix));
  const cases: Readonly<Record<string, boolean>> = {
    '10.19.255.255': false,
    '10.20.0.0': true,
    '10.21.255.255': true,
    '10.22.0.0': false,
    '192.0.2.6': false,
    '192.0.2.7': true,
    '192.0.2.8': false,
    '255.255.255.255': true,
    '0.0.0.0': false,
    '::ffff:10.20.1.1': true,
    '::ffff:10.22.1.1': false,
    '::10.20.1.1': false,
    '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff': false,
    '2001:db8::': true,
    '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff': true,
    '2001:db9::': false,
    '2001:db9:0:1:ffff::': true,
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff': true,
  };
  for (const [address, wanted] of Object.entries(cases))
    t.equal(table.holds(words(address)), wanted, address);
  const random = new Random(11);
  for (let round = 0; round < 50; round++) {
    const some = Array.from({ length: random.below(40) }, () => {
      const length = random.below(33);
      const host = (random.below(2 ** 16) * 2 ** 16 + random.below(2 ** 16)) >>> 0;
      const mask = length === 0 ? 0 : (0xffff_ffff << (32 - length)) >>> 0;
      return { family: 4 as const, words: [(host & mask) >>> 0], length };
    });
    const all = new PrefixTable(some);
    for (let i = 0; i < 200; i++) {
      const near =
        some.length > 0 && random.once(2) ? random.pick(some).words[0]! + random.below(3) - 1 : null;
      const w0 = near === null ? (random.below(2 ** 16) * 2 ** 16 + random.below(2 ** 16)) >>> 0 : near >>> 0;
      const address = { family: 4 as const, w0, w1: 0, w2: 0, w3: 0 };
      if (all.holds(address) !== some.some((one) => isWithin(address, one)))
        t.fail(`${w0} of ${JSON.stringify(some)}`);
    }
  }
});

t.test('sources that may be forged', async (t) => {
  const inside = words('10.20.1.1');
  const outside = words('10.30.1.1');
  const made = (spoofable: ConstructorParameters<typeof Forgery>[0]): boolean[] => {
    const forgery = new Forgery(spoofable);
    return [forgery.isPossible(inside), forgery.isPossible(outside)];
  };
  t.same(made(true), [true, true]);
  t.same(made(false), [false, false]);
  t.same(made({ except: [prefix('10.20.0.0/16')] }), [false, true]);
});

t.test('who is sent to TCP and does not come is told once', async (t) => {
  const clients = new StrandedClients([1, 2]);
  const [came, stays, six] = [words('192.0.2.1'), words('192.0.2.2'), words('2001:db8::2')];
  for (const client of [came, stays, six]) clients.sent(client, 1000);
  clients.sent(stays, 1500);
  clients.came(came);
  clients.came(words('192.0.2.3'));
  t.same(clients.look(5999), [], 'each has five seconds');
  const told = clients.look(6000).sort((a, b) => a.client.localeCompare(b.client));
  t.same(told, [
    { client: '192.0.2.2', replies: 2 },
    { client: '2001:db8::2', replies: 1 },
  ]);
  clients.sent(stays, 7000);
  t.same(clients.look(20_000), [], 'once');
  t.equal(clients.count, 2);
  clients.came(six);
  t.same(clients.list(9), [{ client: '192.0.2.2', replies: 3 }], 'who came at last is no longer shown');
  clients.look(7000 + 3_600_001);
  t.same(clients.list(9), [], 'and all is forgotten after an hour');
});

t.test('a flood of forged sources is told a few at a time, and nothing grows', async (t) => {
  const clients = new StrandedClients([3, 4]);
  const source = words('198.51.100.0');
  for (let i = 0; i < 100_000; i++) {
    source.w0 = (0xc633_0000 + i) >>> 0;
    clients.sent(source, 1000 + (i >> 6));
  }
  let told = 0;
  for (let look = 0; look < 1000; look++) {
    const some = clients.look(20_000).length;
    t.ok(some <= 5 || t.fail(`${some} at once`));
    told += some;
  }
  t.ok(told <= 1024 && told > 900, 'no more than there are places', { told });
  t.equal(clients.list(5000).length, told);
});

t.test('those among the addresses of a lease', async (t) => {
  const stranded = new StrandedClients([1, 2]);
  for (const client of ['192.0.2.7', '::ffff:192.0.2.8', '198.51.100.1', '2001:db8::1'])
    stranded.sent(words(client), 1_000);
  stranded.came(words('192.0.2.9'));
  const among = (now: number, ...prefixes: string[]) => stranded.among(prefixes.map(prefix), now).sort();
  t.same(among(5_999, '192.0.2.0/24'), [], 'they have five seconds');
  t.same(among(6_000, '192.0.2.0/24', '2001:db8::/64'), ['192.0.2.7', '2001:db8::1', '::ffff:192.0.2.8']);
  t.same(among(6_000, '192.0.2.7/32'), ['192.0.2.7']);
  t.same(among(6_000), []);
  stranded.look(7_000);
  t.same(among(7_000, '192.0.2.7/32'), ['192.0.2.7'], 'told or not');
  stranded.came(words('192.0.2.7'));
  t.same(among(7_000, '192.0.2.7/32'), []);
});
