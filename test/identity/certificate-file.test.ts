import t from 'tap';
import { readChain, readFirst } from '../../src/identity/certificate-file.ts';
import { nameText } from '../../src/identity/name-text.ts';
import { Authority } from './authority.ts';
import * as der from './der.ts';

const ca = new Authority({ name: 'clients' });

t.test('the first certificate of a file', async (t) => {
  const client = ca.issue();
  for (const octets of [
    client.der,
    Buffer.from(client.pem),
    Buffer.from(`# mine\n${client.keyPem}${client.chainPem}`),
  ])
    t.equal(readFirst(octets)?.sha256, client.sha256);
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
  const text = nameText(readFirst(ca.issue({ subject }).der)!.subject);
  t.ok(text.startsWith('O=Example, Inc., 1.2.3=??, CN=xxx'));
  t.equal(text.length, 200);
  t.equal(nameText(readFirst(ca.issue({ subject: der.sequence() }).der)!.subject), '(no name)');
});
