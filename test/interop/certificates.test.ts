import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { readChain } from '../../src/identity/certificate-file.ts';
import { NOW, outcome, trust, type Written } from '../identity/listener.ts';
import { type Issue, opensslCa, opensslVerifies } from './openssl-ca.ts';
import { missing } from './process.ts';

const CLIENT = 'keyUsage = critical, digitalSignature\nextendedKeyUsage = clientAuth\n';
const SPIFFE = 'spiffe://ci.example/payments/build';
const NAMED = `${CLIENT}subjectAltName = URI:${SPIFFE}, DNS:build.ci.example\n`;
const BOTH = `${SPIFFE} dns:build.ci.example`;

const skip = missing('openssl');

const read = (file: string): string => readFileSync(file, 'utf8');

/** `YYYYMMDDHHMMSSZ`, so many days from now. */
function day(days: number): string {
  return new Date((NOW + 86_400 * days) * 1000).toISOString().replace(/[-:T]|\.\d+/g, '');
}

/** What is judged of the file, with further certificates behind it. */
function judged(written: Written, file: string, ...more: string[]): string {
  const chain = [file, ...more].flatMap((path) => readChain(readFileSync(path)));
  // Now: what openssl has just made begins in this second.
  const epoch = Math.floor(Date.now() / 1000);
  return outcome(trust(written, epoch).judge(chain, epoch));
}

t.test("certificates of openssl's, and what openssl says of them", { skip }, async (t) => {
  const folder = t.testdir({});
  const ca = opensslCa(folder, 'clients');
  const written = { clientCa: read(ca.certificate) };
  const rows: [name: string, extensions: string, wanted: string, options?: Issue][] = [
    ['plain', NAMED, BOTH],
    ['rsa', NAMED, BOTH, { key: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'] }],
    ['ed25519', NAMED, BOTH, { key: ['-algorithm', 'ED25519'] }],
    [
      'p384',
      NAMED,
      BOTH,
      { key: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'], sign: ['-md', 'sha384'] },
    ],
    [
      'identifiers',
      `${NAMED}subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid:always, issuer:always\n`,
      BOTH,
    ],
    ['expired', NAMED, 'refused: dates', { from: day(-3), to: day(-1) }],
    ['early', NAMED, 'refused: dates', { from: day(1), to: day(2) }],
    ['server', 'extendedKeyUsage = serverAuth\n', 'refused: purpose'],
    ['any', 'extendedKeyUsage = anyExtendedKeyUsage\n', 'refused: purpose'],
    ['encipher', 'keyUsage = keyEncipherment\n', 'refused: purpose'],
    ['critical', `${CLIENT}1.2.3.4 = critical, ASN1:NULL\n`, 'refused: chain'],
    ['two-uris', `${CLIENT}subjectAltName = URI:${SPIFFE}, URI:spiffe://ci.example/b\n`, 'unknown: two-uris'],
    [
      'signer',
      `keyUsage = digitalSignature, keyCertSign\nsubjectAltName = URI:${SPIFFE}\n`,
      'unknown: signs-certificates',
    ],
    ['ca', `${NAMED}basicConstraints = CA:TRUE\n`, 'unknown: ca-certificate'],
    ['no-usage', `subjectAltName = URI:${SPIFFE}\n`, 'unknown: spiffe-key-usage'],
    ['text', `${CLIENT}subjectAltName = @names\n[names]\nURI = "urn:a, DNS:build.ci.example"\n`, ''],
    ['cn', CLIENT, ''],
  ];
  for (const [name, extensions, wanted, options] of rows) {
    const file = ca.issue(name, extensions, options);
    t.equal(judged(written, file), wanted, name);
    t.equal(
      opensslVerifies(['-CAfile', ca.certificate], file),
      !wanted.startsWith('refused'),
      `${name}, by openssl`,
    );
  }
  const stranger = opensslCa(folder, 'stranger');
  t.equal(judged(written, stranger.issue('plain', NAMED)), 'refused: chain');
  t.equal(judged(written, stranger.certificate), 'refused: purpose', 'self-signed');
});

t.test('RSA and RSASSA-PSS authorities', { skip }, async (t) => {
  const folder = t.testdir({});
  const ca = opensslCa(folder, 'rsa', ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']);
  const clientCa = read(ca.certificate);
  const pss = ['-sigopt', 'rsa_padding_mode:pss'];
  for (const salt of ['digest', 'max', '20']) {
    const file = ca.issue(`pss-${salt}`, NAMED, { sign: [...pss, '-sigopt', `rsa_pss_saltlen:${salt}`] });
    t.equal(judged({ clientCa }, file), BOTH, salt);
  }
  const mixed = ca.issue('mgf1', NAMED, { sign: [...pss, '-sigopt', 'rsa_mgf1_md:sha384'] });
  t.equal(judged({ clientCa }, mixed), 'refused: signature', 'another hash in MGF1 is not taken');
  const plain = ca.issue('plain', NAMED, { sign: ['-md', 'sha512'] });
  t.equal(judged({ clientCa }, plain), BOTH);
  t.equal(judged({ clientCa }, ca.issue('sha1', NAMED, { sign: ['-md', 'sha1'] })), 'refused: signature');
  const crl = ca.crl('-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest');
  t.equal(judged({ clientCa, crl }, plain), BOTH, 'a CRL signed so');
});

t.test('an intermediate, CRLs of both, and reasons', { skip }, async (t) => {
  const folder = t.testdir({});
  const root = opensslCa(folder, 'root');
  const middle = root.intermediate('middle');
  const leaf = middle.issue('leaf', NAMED);
  const clientCa = read(root.certificate) + read(middle.certificate);
  t.equal(judged({ clientCa: read(root.certificate) }, leaf, middle.certificate), BOTH);
  t.equal(judged({ clientCa: read(root.certificate) }, leaf), 'refused: chain');
  t.equal(judged({ clientCa }, leaf), BOTH);
  const listed = (): string => {
    const crl = root.crl() + middle.crl();
    writeFileSync(`${folder}/all.crl`, crl);
    writeFileSync(`${folder}/all.pem`, clientCa);
    const ours = judged({ clientCa, crl }, leaf);
    const theirs = opensslVerifies(
      ['-crl_check_all', '-CAfile', `${folder}/all.pem`, '-CRLfile', `${folder}/all.crl`],
      leaf,
    );
    t.equal(theirs, !ours.startsWith('refused'), `${ours}, by openssl`);
    return ours;
  };
  t.equal(listed(), BOTH);
  const reasons = ['unspecified', 'keyCompromise', 'superseded', 'certificateHold'];
  const others = reasons.map((reason) => {
    const file = middle.issue(reason, NAMED);
    middle.revoke(file, reason);
    return file;
  });
  t.equal(listed(), BOTH, "others' ends are not its own");
  for (const file of others)
    t.equal(judged({ clientCa, crl: root.crl() + middle.crl() }, file), 'refused: revoked', file);
  t.equal(judged({ clientCa, crl: root.crl() }, leaf), 'refused: crl', 'one of the two is missing');
  root.revoke(middle.certificate, 'cACompromise');
  t.equal(listed(), 'refused: revoked', 'the intermediate is revoked');
});
