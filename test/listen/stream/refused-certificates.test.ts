import t from 'tap';
import type { ListenNotice } from '../../../src/listen/listener.ts';
import { chainCheck } from '../../../src/socket/chain-check.ts';
import { Authority, type Issued } from '../../identity/authority.ts';
import { trust } from '../../identity/listener.ts';
import { query, until } from '../echo.ts';
import { dialTls, material, rig } from './tls-rig.ts';

/** What the holder of a certificate that is refused is told by TLS, and what the operator reads. */

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
const DAY = 86_400_000;
const CA = new Authority({ name: 'clients' });
const RSA = new Authority({ name: 'rsa', keyType: 'rsa2048' });
const ago = (days: number): Date => new Date(Date.now() - days * DAY);
const revoked = CA.issue({ dns: ['revoked.example'] });
const weakMiddle = CA.intermediate({ name: 'weak', hash: 'sha1' });
const longMiddle = CA.intermediate({ name: 'unlisted' });

interface Row {
  readonly what: string;
  readonly as: Issued;
  /** Of RFC 8446 §6.2, in OpenSSL's spelling. */
  readonly alert: string;
  readonly rule: string;
  readonly message: RegExp;
}

const ROWS: readonly Row[] = [
  {
    what: 'ended',
    as: CA.issue({ notBefore: ago(9), notAfter: ago(1) }),
    alert: 'CERTIFICATE_EXPIRED',
    rule: 'dates',
    message: /expired|EXPIRED/,
  },
  {
    what: 'not begun',
    as: CA.issue({ notBefore: ago(-1), notAfter: ago(-2) }),
    alert: 'BAD_CERTIFICATE',
    rule: 'dates',
    message: /not yet valid|NOT_YET_VALID/,
  },
  {
    what: 'of another CA',
    as: new Authority({ name: 'clients' }).issue(),
    alert: '(UNKNOWN_CA|DECRYPT_ERROR|BAD_CERTIFICATE)',
    rule: '(chain|signature)',
    message: /^OpenSSL: /,
  },
  {
    what: 'of a CA of another name',
    as: new Authority({ name: 'stranger' }).issue(),
    alert: 'UNKNOWN_CA',
    rule: 'chain',
    message: /^OpenSSL: /,
  },
  {
    what: 'for a server',
    as: CA.issue({ eku: ['serverAuth'] }),
    alert: 'UNSUPPORTED_CERTIFICATE',
    rule: 'purpose',
    message: /^OpenSSL: /,
  },
  {
    what: 'MD5',
    as: RSA.issue({ hash: 'md5' }),
    alert: '(BAD_CERTIFICATE|UNKNOWN_CA|DECRYPT_ERROR|CERTIFICATE_UNKNOWN)',
    rule: '(signature|chain)',
    message: /the signature uses MD5/,
  },
  {
    what: 'SHA-1',
    as: CA.issue({ hash: 'sha1' }),
    alert: '(BAD_CERTIFICATE|UNKNOWN_CA|DECRYPT_ERROR|CERTIFICATE_UNKNOWN)',
    rule: '(signature|chain)',
    message: /the signature uses SHA-1/,
  },
  {
    what: 'SHA-1 in the CA between',
    as: weakMiddle.issue(),
    alert: '(BAD_CERTIFICATE|UNKNOWN_CA|DECRYPT_ERROR|CERTIFICATE_UNKNOWN)',
    rule: '(signature|chain)',
    message: /CN=weak: the signature uses SHA-1/,
  },
  {
    what: 'explicit curve',
    as: CA.issue({ keyType: 'explicit' }),
    alert: '(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN)',
    rule: 'chain',
    message: /explicit parameters/,
  },
  {
    what: 'RSA of 1024 bits',
    as: CA.issue({ keyType: 'rsa1024' }),
    alert: '(BAD_CERTIFICATE|UNKNOWN_CA)',
    rule: 'chain',
    message: /1024 bits/,
  },
  { what: 'revoked', as: revoked, alert: 'CERTIFICATE_REVOKED', rule: 'revoked', message: /^it is revoked$/ },
  {
    what: 'of a CA without a CRL',
    as: longMiddle.issue(),
    alert: 'UNKNOWN_CA',
    rule: 'crl',
    message: /no CRL of CN=unlisted/,
  },
];

type Told = Extract<ListenNotice, { kind: 'certificate' }>;

/** The code of the error that the client ends with, at the handshake or behind it. */
async function failure(port: number, as: Issued, maxVersion: (typeof VERSIONS)[number]): Promise<string> {
  const client = await dialTls(port, { as, maxVersion, ciphers: 'DEFAULT@SECLEVEL=0' }).catch(
    (error: NodeJS.ErrnoException) => error,
  );
  if (client instanceof Error) return (client as NodeJS.ErrnoException).code ?? client.message;
  // In TLS 1.3 the client is done before its certificate is looked at: its question is on the way by then.
  client.send(query(1));
  return String(await client.over);
}

for (const clients of ['required', 'optional'] as const) {
  for (const [alerts, check] of [
    [true, chainCheck()],
    [false, null],
  ] as const) {
    t.test(`${clients}, ${alerts ? 'with alerts' : 'without'}`, async (t) => {
      if (alerts && check === null) {
        t.pass('koffi does not load here');
        return;
      }
      const judge = trust({
        clientCa: CA.pem + RSA.pem,
        crl: CA.crl({ revoked: [revoked] }).pem + RSA.crl().pem,
      });
      let now = 0;
      const { port, notices, counters, dial } = await rig(t, {
        material: material({ caPem: CA.pem + RSA.pem, judge, clients }),
        check,
        now: () => now,
        limits: { handshakeMs: 1e9, idleMs: 1e9, stallMs: 1e9 },
      });
      for (const { what, as, alert, rule, message } of ROWS) {
        for (const version of VERSIONS) {
          now += 61_000;
          notices.length = 0;
          const ended = await failure(port, as, version);
          if (alerts) t.match(ended, new RegExp(`ALERT_${alert}$`), `${what}, ${version}`);
          await until(() => notices.length > 0);
          const [notice] = notices as Told[];
          t.match(notice, { kind: 'certificate', refused: true, client: '127.0.0.1', message }, what);
          t.match(notice!.rule, new RegExp(`^${rule}$`), what);
          t.match(notice!.certificate, {
            sha256: as.sha256,
            subject: 'CN=client',
            serial: Buffer.from([as.serial >> 8, as.serial & 255]).toString('hex'),
            issuer: /^CN=/,
            ends: /^\d{4}-/,
          });
        }
      }
      t.equal(counters.distrusted, ROWS.length * VERSIONS.length);
      const good = CA.issue();
      const one = await dial({ as: good });
      one.send(query(7));
      t.equal(await one.nextId(), 7, 'who is as it should be is served');
      t.equal(counters.received, 1, 'nobody else');
    });
  }
}
