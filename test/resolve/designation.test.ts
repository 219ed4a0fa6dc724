import t from 'tap';
import type { Designation } from '../../src/resolve/local/designation.ts';
import { House } from './house.ts';
import { policy } from './policy.ts';

/** Discovery of designated resolvers (RFC 9462). */

const POLICY = policy({ alice: { allow: [] } });
const HERE = { family: 4 as const, w0: 0xc000_0201, w1: 0, w2: 0, w3: 0 };
const SIX = { family: 6 as const, w0: 0x2001_0db8, w1: 0, w2: 0, w3: 1 };
const DOT: Designation = { addresses: [HERE, SIX], target: 'dns.example', port: 853, host: null };

function rdata(reply: { readonly answer: readonly string[] }): string[] {
  return reply.answer.map((record) => record.split(' ').slice(3).join(' '));
}

t.test('the SVCB record is given where the certificate speaks for the address that was asked', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY, { designations: [DOT] });
  const ask = (asked: string, name = '_dns.resolver.arpa', type = 'SVCB') =>
    house.query(name, type, { asked });
  const four = await ask('192.0.2.1');
  t.equal(four.flags & 0x0400, 0x0400, 'with authority');
  t.same(
    rdata(four).map((text) => Buffer.from(text, 'hex').toString('latin1')),
    [`\0\x01\x03dns\x07example\0\0\x01\0\x04\x03dot\0\x03\0\x02\x03\x55\0\x04\0\x04\xc0\0\x02\x01`],
  );
  const six = await ask('2001:db8::1');
  t.match(rdata(six)[0], /000600102001 ?0db8/, 'its hint is of the family that was asked');
  t.same(rdata(await ask('192.0.2.2')), [], 'of another address nothing is said');
  t.same(rdata(await ask('192.0.2.1', 'resolver.arpa')), []);
  t.same(rdata(await ask('192.0.2.1', 'a._dns.resolver.arpa')), []);
  t.same(rdata(await ask('192.0.2.1', '_dns.resolver.arpa', 'HTTPS')), []);
  t.equal((await ask('192.0.2.2')).rcode, 0, 'no data, and never elsewhere');
  t.same(house.asked, []);
});

t.test('nothing is told without a listener, or where the socket does not know', async (t) => {
  const none = new House(t.testdir.bind(t), POLICY);
  t.same((await none.query('_dns.resolver.arpa', 'SVCB', { asked: '192.0.2.1' })).answer, []);
  const house = new House(t.testdir.bind(t), POLICY, { designations: [DOT] });
  t.same((await house.query('_dns.resolver.arpa', 'SVCB')).answer, []);
});
