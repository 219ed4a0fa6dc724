import t from 'tap';
import { Authority, type CertificateOptions, type Issued } from '../identity/authority.ts';
import { DotClient, told } from './dot.ts';
import { rig, SECRET, STEADY, VICTIM } from './mutual.ts';
import { until } from './namegate.ts';

/** What a whole server makes of certificates, by what their holders are told. */

const D = 'steady.example';
const oid = (hex: string): Uint8Array => Buffer.from(hex, 'hex');

const ROWS: readonly (readonly [what: string, options: CertificateOptions, wanted: string])[] = [
  ['a host name', { dns: [D] }, STEADY],
  ['a SPIFFE ID', { uris: [VICTIM] }, SECRET],
  ['upper case in a host name', { dns: ['STEADY.Example'] }, STEADY],
  ['no key usage beside a host name', { dns: [D], keyUsage: null }, STEADY],
  ['no extended key usage', { dns: [D], eku: null }, STEADY],
  ['any purpose and clientAuth', { dns: [D], eku: ['any', 'clientAuth'] }, STEADY],
  ['Ed25519', { dns: [D], keyType: 'ed25519' }, STEADY],
  ['a hundred names', { dns: [D, ...many(99)] }, STEADY],
  ['names of two identities', { uris: [VICTIM], dns: [D] }, 'unknown'],
  ['a name of nobody', { dns: ['nobody.example'] }, 'unknown'],
  ['a common name alone', { name: D }, 'unknown'],
  ['the same URI twice', { uris: [VICTIM, VICTIM] }, 'unknown'],
  ['another URI beside it', { uris: [VICTIM, 'https://ci.example/'] }, 'unknown'],
  ['a URI whose text holds a name', { uris: [`spiffe://ci.example/a, DNS:${D}`] }, 'unknown'],
  ['upper case in a trust domain', { uris: ['spiffe://CI.example/victim'] }, 'unknown'],
  ['upper case in the scheme', { uris: ['SPIFFE://ci.example/victim'] }, 'unknown'],
  ['an escape', { uris: ['spiffe://ci.example/%76ictim'] }, 'unknown'],
  ['no path', { uris: ['spiffe://ci.example'] }, 'unknown'],
  ['a slash at the end', { uris: [`${VICTIM}/`] }, 'unknown'],
  ['an empty segment', { uris: ['spiffe://ci.example//victim'] }, 'unknown'],
  ['a dot segment', { uris: ['spiffe://ci.example/./victim'] }, 'unknown'],
  ['a query', { uris: [`${VICTIM}?x`] }, 'unknown'],
  ['a port', { uris: ['spiffe://ci.example:80/victim'] }, 'unknown'],
  ['a user', { uris: ['spiffe://u@ci.example/victim'] }, 'unknown'],
  ['NUL behind a URI', { uris: [`${VICTIM}\0`] }, 'unknown'],
  ['a line end behind a URI', { uris: [`${VICTIM}\n`] }, 'unknown'],
  ['NUL in a host name', { dns: [`${D}\0.evil.example`] }, 'unknown'],
  ['a name in the text of another', { dns: [`x, DNS:${D}`] }, 'unknown'],
  ['a wildcard', { dns: ['*.example'] }, 'unknown'],
  ['a final dot', { dns: [`${D}.`] }, 'unknown'],
  ['an address', { ips: ['127.0.0.1'] }, 'unknown'],
  ['an e-mail address', { emails: [`a@${D}`] }, 'unknown'],
  ['another kind of name', { names: [oid('a00f06032a0304a0080c06737465616479')] }, 'unknown'],
  ['version 1', { version: 1 }, 'unknown'],
  ['a CA', { dns: [D], ca: true }, 'unknown'],
  ['keyCertSign', { dns: [D], keyUsage: ['digitalSignature', 'keyCertSign'] }, 'unknown'],
  ['cRLSign', { dns: [D], keyUsage: ['digitalSignature', 'cRLSign'] }, 'unknown'],
  ['a SPIFFE ID without a key usage', { uris: [VICTIM], keyUsage: null }, 'unknown'],
  ['a SPIFFE ID without digitalSignature', { uris: [VICTIM], keyUsage: ['keyAgreement'] }, 'unknown'],
  ['a thousand names', { dns: [D, ...many(999)] }, 'unknown'],
  ['any purpose alone', { dns: [D], eku: ['any'] }, 'closed'],
  ['a server', { dns: [D], eku: ['serverAuth'] }, 'closed'],
  ['SHA-1', { dns: [D], hash: 'sha1' }, 'closed'],
  ['ended', { dns: [D], notAfter: new Date(Date.now() - 1000) }, 'closed'],
  ['not begun', { dns: [D], notBefore: new Date(Date.now() + 600_000) }, 'closed'],
  [
    'an unknown critical extension',
    { dns: [D], extensions: [{ oid: '1.2.3.4', critical: true, value: oid('0500') }] },
    'closed',
  ],
  [
    'an extension that stands twice',
    {
      dns: [D],
      extensions: [{ oid: '2.5.29.17', critical: false, value: oid('3010820e7374656164792e6578616d706c65') }],
    },
    'closed',
  ],
];

function many(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `n${i}.example`);
}

async function seen(port: number, as: Issued, chainPem = as.chainPem): Promise<string[]> {
  const versions = ['TLSv1.2', 'TLSv1.3'] as const;
  return Promise.all(
    versions.map(async (version) => {
      const client = new DotClient({ port, as, version, chainPem });
      const words = [told(await client.ask(D)), told(await client.ask('victim.example'))];
      client.close();
      const known = words.filter((word) => word !== 'NXDOMAIN');
      return known.length === 0 ? 'unknown' : [...new Set(known)].join(' and ');
    }),
  );
}

t.test('who is whom', async (t) => {
  const { server, port, clients, steady } = await rig(t);
  for (const [what, options, wanted] of ROWS) {
    const known = wanted === STEADY || wanted === SECRET || wanted === 'closed' ? wanted : 'unknown';
    t.same(await seen(port, clients.issue(options)), [known, known], what);
  }
  const stranger = new Authority({ name: 'clients' });
  t.same(await seen(port, stranger.issue({ dns: [D] })), ['closed', 'closed'], 'another CA of the same name');
  const middle = clients.intermediate();
  t.same(await seen(port, middle.issue({ dns: [D] })), ['closed', 'closed'], 'a CA without a CRL');
  const strangers = Array.from({ length: 40 }, (_, i) => new Authority({ name: `ca-${i}` }).pem).join('');
  const flood = await seen(port, steady, steady.pem + strangers);
  t.same(flood, ['closed', 'closed'], 'a chain of forty');
  t.same(await seen(port, steady), [STEADY, STEADY], 'who is as it should be is served');
  const rules = (): Set<unknown> => new Set(server.events('client-certificate').map(({ rule }) => rule));
  const wanted = ['two-uris', 'spiffe-form', 'spiffe-key-usage', 'ca-certificate', 'signs-certificates'];
  for (const rule of [...wanted, 'names-many', 'certificate-of-nobody', 'certificate-of-two', 'crl'])
    await until(
      () => rules().has(rule),
      () => `the log has no ${rule}`,
    );
  await server.stop(t);
});
