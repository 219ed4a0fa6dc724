import t from 'tap';
import { factsOf, readChain, readFirst } from '../../src/identity/facts.ts';
import { Authority } from './authority.ts';
import * as der from './der.ts';

const ca = new Authority({ name: 'clients' });

t.test('what a certificate says, for people', async (t) => {
  const client = ca.issue({
    name: 'build\n7',
    uris: ['spiffe://ci.example/a\x1b[31m'],
    dns: ['A.example', '*.example'],
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2051-01-01T00:00:00Z'),
    serial: 0xabcd,
  });
  const wanted = {
    sha256: client.sha256,
    subject: 'CN=build?7',
    issuer: 'CN=clients',
    serial: '00abcd',
    notBefore: Date.UTC(2026, 0, 1) / 1000,
    notAfter: Date.UTC(2051, 0, 1) / 1000,
    uris: ['spiffe://ci.example/a?[31m'],
    dnsNames: ['a.example'],
    fault: 'its spiffe:// name is no SPIFFE ID of a workload',
  };
  for (const octets of [
    client.der,
    Buffer.from(client.pem),
    Buffer.from(`# mine\n${client.keyPem}${client.chainPem}`),
  ])
    t.same(factsOf(readFirst(octets)!), wanted);
  t.equal(
    factsOf(readFirst(ca.issue({ eku: ['serverAuth'] }).der)!).fault,
    'its extended key usage lacks clientAuth',
  );
  t.equal(factsOf(readFirst(ca.issue().der)!).fault, null);
  for (const text of ['', 'hello', ca.keyPem]) t.equal(readFirst(Buffer.from(text)), null);
});

t.test('chains of files', async (t) => {
  const client = ca.intermediate().issue();
  t.same(
    readChain(Buffer.from(client.chainPem)),
    client.chain.map((one) => Buffer.from(one)),
  );
  t.same(readChain(client.der), [client.der]);
  t.same(readChain(Buffer.from('x')), []);
});

t.test('names are cut, and have no control characters', async (t) => {
  const attribute = (oid: string, value: string) =>
    der.tlv(der.TAG.SET, der.sequence(der.oid(oid), der.tlv(der.TAG.UTF8, Buffer.from(value))));
  const subject = der.sequence(
    attribute('2.5.4.10', 'Example, Inc.'),
    attribute('1.2.3', 'é\u202e'),
    attribute('2.5.4.3', 'x'.repeat(400)),
  );
  const text = factsOf(readFirst(ca.issue({ subject }).der)!).subject;
  t.ok(text.startsWith('O=Example, Inc., 1.2.3=??, CN=xxx'));
  t.equal(text.length, 200);
  t.equal(factsOf(readFirst(ca.issue({ subject: der.sequence() }).der)!).subject, '(no name)');
});
