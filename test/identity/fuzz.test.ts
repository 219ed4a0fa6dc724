import { X509Certificate } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import {
  BasicConstraints,
  ExtendedKeyUsage,
  KeyUsage,
  Certificate as Peer,
  SubjectAlternativeName,
} from '@peculiar/asn1-x509';
import t from 'tap';
import { type Certificate, readCertificate } from '../../src/identity/certificate.ts';
import { readChain, readFirst } from '../../src/identity/certificate-file.ts';
import { purposeFault, ruleBroken } from '../../src/identity/client-certificate.ts';
import { buildTrust } from '../../src/identity/client-trust.ts';
import { readCrl } from '../../src/identity/crl.ts';
import { latin, NAME } from '../../src/identity/extensions.ts';
import { describeShown } from '../../src/identity/shown.ts';
import { readSigned } from '../../src/identity/signature.ts';
import { amount } from '../amount.ts';
import { Random } from '../server/random.ts';
import { Authority, signWith } from './authority.ts';
import * as der from './der.ts';
import { bundle, NOW, setting, trust } from './listener.ts';

const ca = new Authority({ name: 'clients' });
const middle = ca.intermediate({ permitted: [{ dns: 'example' }, { uri: 'ci.example' }] });
const client = middle.issue({
  uris: ['spiffe://ci.example/build'],
  dns: ['a.example', 'b.example'],
  ips: ['192.0.2.1'],
  extensions: [
    { oid: '2.5.29.32', critical: true, value: der.sequence(der.sequence(der.oid('2.5.29.32.0'))) },
  ],
});

/** One to four octets changed, put in, taken out, or the end cut off. */
function mutate(random: Random, octets: Uint8Array): Uint8Array {
  const out = [...octets];
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(out.length);
    switch (random.below(8)) {
      case 0:
        out.splice(at, 0, random.below(256));
        break;
      case 1:
        out.splice(at, 1 + random.below(3));
        break;
      case 2:
        if (random.once(4)) out.length = Math.max(1, at);
        break;
      case 3:
        out[at] = random.pick([0, 1, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff]);
        break;
      default:
        out[at]! ^= 1 << random.below(8);
    }
  }
  return Uint8Array.from(out);
}

t.test('a mutated chain never throws, and gives no name that the chain did not give', async (t) => {
  const random = new Random(4);
  const judge = trust({ clientCa: ca.pem, domains: { 'other.example': ca.pem } });
  const good = judge.judge(client.chain, NOW);
  const names = good.kind === 'accepted' ? good.credential.names : [];
  t.equal(names.length, 4);
  let accepted = 0;
  for (let i = 0; i < amount(3_000, 6_000); i++) {
    const chain = [...client.chain];
    const which = random.below(chain.length);
    chain[which] = Buffer.from(mutate(random, chain[which]!));
    if (random.once(8)) chain.reverse();
    const judgement = judge.judge(chain, NOW);
    if (judgement.kind !== 'accepted') continue;
    if (chain.some((octets, i) => Buffer.compare(octets, client.chain[i]!) !== 0))
      t.fail(`${Buffer.from(chain[which]!).toString('hex')} was accepted`);
    accepted++;
    const strange = judgement.credential.names.filter((name) => !names.includes(name));
    if (strange.length > 0) t.fail(`${strange} of ${Buffer.from(chain[which]!).toString('hex')}`);
  }
  t.ok(accepted < 600, `${accepted} of 6000: changes that were none`);
});

/** What @peculiar/asn1-x509, which shares no code with us, reads of the same octets. */
function peerFacts(octets: Uint8Array): unknown {
  const { tbsCertificate } = AsnConvert.parse(octets, Peer);
  const value = <T>(oid: string, kind: new () => T): T | null => {
    const found = (tbsCertificate.extensions ?? []).find(({ extnID }) => extnID === oid);
    return found === undefined ? null : AsnConvert.parse(found.extnValue, kind);
  };
  const basic = value('2.5.29.19', BasicConstraints);
  const usage = value('2.5.29.15', KeyUsage);
  return {
    ca: basic?.cA ?? false,
    pathLength: basic?.pathLenConstraint ?? null,
    keyUsage: usage === null ? null : usage.toNumber(),
    purposes: value('2.5.29.37', ExtendedKeyUsage)?.map(String) ?? null,
    uris: (value('2.5.29.17', SubjectAlternativeName) ?? []).flatMap(
      (name) => name.uniformResourceIdentifier ?? [],
    ),
    dns: (value('2.5.29.17', SubjectAlternativeName) ?? []).flatMap((name) => name.dNSName ?? []),
    notAfter: tbsCertificate.validity.notAfter.getTime().getTime() / 1000,
  };
}

function ourFacts({ extensions, notAfter }: Certificate): unknown {
  const { ca, pathLength, keyUsage, purposes, names } = extensions;
  const texts = (tag: number) => names.filter((name) => name.tag === tag).map(({ octets }) => latin(octets));
  return { ca, pathLength, keyUsage, purposes, uris: texts(NAME.URI), dns: texts(NAME.DNS), notAfter };
}

/** What OpenSSL reads, or null where it refuses the octets. */
function opensslFacts(octets: Uint8Array): { ca: boolean; plain: string } | null {
  return attempt(() => {
    const { ca, keyUsage, validToDate } = new X509Certificate(octets);
    return { ca, plain: JSON.stringify([keyUsage ?? null, validToDate.getTime() / 1000]) };
  });
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** The peer leaves out extensions where something stands in front of them that it does not expect. */
function isLax(octets: Uint8Array): boolean {
  return AsnConvert.parse(octets, Peer).tbsCertificate.extensions === undefined;
}

t.test(
  'a key with octets behind it: the peer loses the extensions, OpenSSL refuses it, and we trust it not',
  async (t) => {
    const { tbs } = readSigned(ca.issue({ dns: ['a.example'] }).der)!;
    const at = Buffer.from(tbs).indexOf('03420004', 0, 'hex');
    const changed = Uint8Array.from(tbs);
    changed[at + 1] = 0x40;
    changed.set([0x05, 0x00], at + 2 + 0x40);
    const octets = signWith(ca.key, changed);
    t.equal(opensslFacts(octets), null);
    const read = readCertificate(octets);
    if (read !== null) t.match(read.key.fault, /key/);
    t.match(trust({ clientCa: ca.pem }).judge([octets], NOW), { kind: 'refused' });
  },
);

t.test('what is read of a mutated certificate that is signed again is what others read', async (t) => {
  const seed = Number(process.env['NAMEGATE_FUZZ_SEED'] ?? 44);
  const random = new Random(seed);
  const kinds = [
    client.der,
    middle.der,
    ca.issue({ keyUsage: ['keyCertSign', 'decipherOnly'], ca: true, pathLength: 3 }).der,
  ];
  for (const octets of kinds) t.same(ourFacts(readCertificate(octets)!), peerFacts(octets));
  let read = 0;
  for (let i = 0; i < amount(2_000, 4_000); i++) {
    const changed = mutate(random, readSigned(random.pick(kinds))!.tbs);
    const octets = signWith(middle.key, changed);
    const certificate = readCertificate(octets);
    if (certificate === null) continue;
    read++;
    purposeFault(certificate);
    ruleBroken(certificate);
    describeShown(octets);
    // OpenSSL may refuse what we read (a key that is none, say), but not read it otherwise.
    const openssl = opensslFacts(octets);
    if (openssl === null) continue;
    const { ca, purposes } = certificate.extensions;
    t.ok(ca || !openssl.ca, 'we take no CA for none');
    if (JSON.stringify([purposes, certificate.notAfter]) !== openssl.plain)
      t.fail(`OpenSSL: ${openssl.plain} of ${Buffer.from(octets).toString('hex')}`);
    const ours = ourFacts(certificate);
    const plain = JSON.stringify(ours);
    const facts = attempt(() => peerFacts(octets));
    if (facts === null || !/^[\x20-\x7e]*$/.test(plain) || plain === JSON.stringify(facts)) continue;
    if (!isLax(octets)) t.same(ours, facts, Buffer.from(octets).toString('hex'));
  }
  t.ok(read > 150, `${read} were read`);
});

t.test('mutated CRLs, bundles and PEM never throw', async (t) => {
  const random = new Random(444);
  const crl = ca.crl({ revoked: [client, { serial: 9, reason: 1 }, 70_000] });
  let signed = 0;
  for (let i = 0; i < amount(1_500, 3_000); i++) {
    readCrl(mutate(random, crl.der));
    const again = readCrl(signWith(ca.key, mutate(random, readSigned(crl.der)!.tbs)));
    if (typeof again !== 'string') signed++;
  }
  t.ok(signed > 40);
  const texts = { clientCa: ca.pem + middle.pem, crl: crl.pem, certificate: client.pem, key: client.keyPem };
  const kinds = ['clientCa', 'crl', 'certificate', 'key'] as const;
  for (let i = 0; i < 400; i++) {
    const kind = random.pick(kinds);
    const changed = Buffer.from(mutate(random, Buffer.from(texts[kind]))).toString('latin1');
    const json = Buffer.from(mutate(random, Buffer.from(bundle(ca)))).toString('latin1');
    buildTrust(setting({ ...texts, domains: { 'ci.example': json }, [kind]: changed }), NOW);
    readFirst(Buffer.from(changed, 'latin1'));
    readChain(Buffer.from(changed, 'latin1'));
  }
});

t.test('X.690 §10: BER that is not DER is no certificate', async (t) => {
  const { tbs, algorithm, signature } = readSigned(client.der)!;
  const again = (octets: Uint8Array) => readCertificate(octets) !== null;
  t.ok(again(der.sequence(tbs, algorithm, der.bits(signature))));
  t.notOk(again(der.join([client.der, new Uint8Array(1)])), 'an octet behind it');
  t.notOk(again(client.der.subarray(0, -1)));
  t.notOk(
    again(der.join([Uint8Array.of(0x30, 0x80), client.der.subarray(4), Uint8Array.of(0, 0)])),
    'an indefinite length',
  );
  const long = der.join([
    Uint8Array.of(0x30, 0x83, 0, client.der[2]!, client.der[3]!),
    client.der.subarray(4),
  ]);
  t.notOk(again(long), 'a length with a leading zero');
  const extensions = (list: { oid: string; critical: boolean; value: Uint8Array }[]) =>
    again(ca.issue({ keyUsage: null, eku: null, extensions: list }).der);
  const basic = (value: Uint8Array) => extensions([{ oid: '2.5.29.19', critical: true, value }]);
  t.ok(basic(der.sequence()));
  t.notOk(basic(der.sequence(der.boolean(false))), 'DEFAULT FALSE is not written (X.690 §11.5)');
  t.notOk(basic(der.sequence(der.tlv(1, Uint8Array.of(1)))), 'TRUE is 0xff');
  t.notOk(basic(der.sequence(der.boolean(true), der.tlv(2, Uint8Array.of(0xff)))), 'a negative length');
  const usage = (...content: number[]) =>
    extensions([{ oid: '2.5.29.15', critical: true, value: der.tlv(3, Uint8Array.from(content)) }]);
  t.ok(usage(5, 0x60));
  t.notOk(usage(6, 0x60), 'a bit behind the last');
  t.notOk(usage(8, 0x60));
  t.notOk(usage(1), 'unused bits of no octet');
  t.notOk(basic(der.join([der.sequence(), new Uint8Array(1)])), 'octets behind the value');
  const twice = { oid: '2.5.29.17', critical: false, value: der.sequence(der.context(2, 'a.example')) };
  t.ok(extensions([twice]));
  t.notOk(extensions([twice, twice]), 'RFC 5280 §4.2: an extension twice');
  t.notOk(extensions([{ ...twice, value: der.sequence() }]), 'a SAN without names');
});
