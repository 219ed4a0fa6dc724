import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import * as der from './der.ts';

/**
 * A certification authority of a test's own: certificates as they should be, and as no tool would make them. No system
 * tool is needed.
 *
 * ```ts
 * const ca = new Authority({ name: 'clients' });
 * const client = ca.issue({ uris: ['spiffe://ci.example/build'] });
 * const server = ca.issue({ dns: ['dns.example'], ips: ['127.0.0.1'], eku: ['serverAuth'] });
 * const crl = ca.crl({ revoked: [client] });
 * ```
 */
export class Authority {
  readonly name: string;
  readonly key: KeyPair;
  readonly der: der.Octets;
  readonly pem: string;
  readonly keyPem: string;
  /** Of what it issues: its own certificate first, up to and without the root. */
  readonly above: readonly Authority[];
  #serial = 1000;

  constructor(options: AuthorityOptions = {}, parent: Authority | null = null) {
    this.name = options.name ?? 'test-ca';
    this.key = options.key ?? keyPair(options.keyType);
    const signer = parent ?? this;
    this.above = parent === null ? [] : [this, ...parent.above];
    const serial = parent === null ? 1 : signer.nextSerial();
    this.der = makeCertificate(serial, signer, this.key, {
      ca: true,
      keyUsage: ['keyCertSign', 'cRLSign'],
      eku: null,
      ...options,
      name: this.name,
    });
    this.pem = der.pem('CERTIFICATE', this.der);
    this.keyPem = this.key.pem;
  }

  nextSerial(): number {
    return this.#serial++;
  }

  /** A certificate of an end entity: by default one for a TLS client, good for a day. */
  issue(options: CertificateOptions = {}): Issued {
    const key = options.key ?? keyPair(options.keyType);
    const serial = options.serial ?? this.nextSerial();
    const written = makeCertificate(serial, this, key, options);
    const pem = der.pem('CERTIFICATE', written);
    return {
      serial,
      der: written,
      pem,
      key,
      keyPem: key.pem,
      chain: [written, ...this.above.map((one) => one.der)],
      chainPem: [pem, ...this.above.map((one) => one.pem)].join(''),
      sha256: createHash('sha256').update(written).digest('hex'),
    };
  }

  /** An authority below this one. */
  intermediate(options: AuthorityOptions = {}): Authority {
    return new Authority({ name: 'test-intermediate', ...options }, this);
  }

  /** RFC 5280 §5. */
  crl(options: CrlOptions = {}): { readonly der: der.Octets; readonly pem: string } {
    const now = Date.now();
    const revoked = (options.revoked ?? []).map((entry) => {
      const one = typeof entry === 'object' ? entry : { serial: entry };
      const reason = 'reason' in one && one.reason !== undefined ? one.reason : null;
      const date = 'date' in one && one.date !== undefined ? one.date : new Date(now - 60_000);
      const extensions = [
        ...(reason === null
          ? []
          : [extension('2.5.29.21', false, der.tlv(der.TAG.ENUMERATED, Uint8Array.of(reason)))]),
        ...('extensions' in one ? (one.extensions ?? []) : []).map((e) =>
          extension(e.oid, e.critical, e.value),
        ),
      ];
      return der.sequence(
        der.integer(one.serial),
        der.time(date),
        ...(extensions.length === 0 ? [] : [der.sequence(...extensions)]),
      );
    });
    const extensions = [
      extension('2.5.29.20', false, der.integer(options.number ?? 1)),
      ...(options.extensions ?? []).map(({ oid, critical, value }) => extension(oid, critical, value)),
    ];
    const nextUpdate = options.nextUpdate === undefined ? new Date(now + 86_400_000) : options.nextUpdate;
    const tbs = der.sequence(
      der.integer(1),
      algorithm(this.key, options.hash),
      options.issuer ?? distinguishedName(this.name),
      der.time(options.thisUpdate ?? new Date(now - 3_600_000)),
      ...(nextUpdate === null ? [] : [der.time(nextUpdate)]),
      ...(revoked.length === 0 ? [] : [der.sequence(der.join(revoked))]),
      der.explicit(0, der.sequence(...extensions)),
    );
    const signed = signWith(options.key ?? this.key, tbs, options.hash);
    return { der: signed, pem: der.pem('X509 CRL', signed) };
  }
}

export interface AuthorityOptions extends CertificateOptions {
  /** The common name of its subject; two authorities may share one. */
  readonly name?: string;
}

export interface CertificateOptions {
  /** The subject's common name. */
  readonly name?: string;
  /** The whole subject instead, as DER. */
  readonly subject?: Uint8Array;
  /** The issuer's name, as DER, where it is not that of the signer. */
  readonly issuer?: Uint8Array;
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  readonly emails?: readonly string[];
  /** Further general names, as DER. */
  readonly names?: readonly Uint8Array[];
  /** An hour ago unless written. */
  readonly notBefore?: Date;
  /** In a day unless written; for a server in 60, so that nothing warns of its end. */
  readonly notAfter?: Date;
  readonly ca?: boolean;
  readonly pathLength?: number;
  /** `digitalSignature` unless written; null for none. */
  readonly keyUsage?: readonly KeyUsage[] | null;
  /** `clientAuth` unless written; null for none. A dotted OID stands for itself. */
  readonly eku?: readonly string[] | null;
  /** Bases of DNS and URI subtrees, with the tags of RFC 5280 §4.2.1.6. */
  readonly permitted?: readonly { readonly dns?: string; readonly uri?: string }[];
  readonly excluded?: readonly { readonly dns?: string; readonly uri?: string }[];
  readonly extensions?: readonly WrittenExtension[];
  readonly key?: KeyPair;
  readonly keyType?: KeyType;
  readonly hash?: Hash;
  readonly serial?: number;
  /** 3 unless written. */
  readonly version?: number;
}

export interface CrlOptions {
  /** Serials, certificates, or entries. */
  readonly revoked?: readonly (
    | number
    | Issued
    | {
        readonly serial: number;
        readonly date?: Date;
        /** RFC 5280 §5.3.1: 1 keyCompromise, 6 certificateHold, 8 removeFromCRL. */
        readonly reason?: number;
        readonly extensions?: readonly WrittenExtension[];
      }
  )[];
  readonly thisUpdate?: Date;
  /** In a day unless written; null for none. */
  readonly nextUpdate?: Date | null;
  readonly number?: number;
  readonly extensions?: readonly WrittenExtension[];
  /** As DER, where it is not this authority. */
  readonly issuer?: Uint8Array;
  /** Another's key: the signature will not verify. */
  readonly key?: KeyPair;
  readonly hash?: Hash;
}

export interface Issued {
  readonly serial: number;
  readonly der: der.Octets;
  readonly pem: string;
  readonly key: KeyPair;
  readonly keyPem: string;
  /** The leaf, then the intermediates, without the root. */
  readonly chain: readonly der.Octets[];
  readonly chainPem: string;
  /** 64 lower case digits. */
  readonly sha256: string;
}

export interface WrittenExtension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

export type KeyType = 'p256' | 'p384' | 'explicit' | 'rsa2048' | 'rsa1024' | 'ed25519';
export type Hash = 'sha256' | 'sha384' | 'sha1' | 'md5';

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** PKCS #8. */
  readonly pem: string;
}

const USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;

export type KeyUsage = (typeof USAGES)[number];

const PURPOSES: Readonly<Record<string, string>> = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  any: '2.5.29.37.0',
};

export function keyPair(type: KeyType = 'p256'): KeyPair {
  const { privateKey, publicKey } = generate(type);
  return { privateKey, publicKey, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

function generate(type: KeyType): { privateKey: KeyObject; publicKey: KeyObject } {
  if (type === 'ed25519') return generateKeyPairSync('ed25519');
  // Its parameters are written out, which are those of P-256.
  if (type === 'explicit')
    return generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
  if (type === 'rsa2048' || type === 'rsa1024')
    return generateKeyPairSync('rsa', { modulusLength: Number(type.slice(3)) });
  return generateKeyPairSync('ec', { namedCurve: type === 'p256' ? 'P-256' : 'P-384' });
}

/** `CN=name`. */
export function distinguishedName(name: string): der.Octets {
  const attribute = der.sequence(der.oid('2.5.4.3'), der.tlv(der.TAG.UTF8, Buffer.from(name)));
  return der.sequence(der.tlv(der.TAG.SET, attribute));
}

function makeCertificate(
  serial: number,
  signer: Authority,
  key: KeyPair,
  options: CertificateOptions,
): der.Octets {
  const now = Date.now();
  const version = options.version ?? 3;
  const extensions = version === 3 ? extensionsOf(options) : [];
  const tbs = der.sequence(
    ...(version === 1 ? [] : [der.explicit(0, der.integer(version - 1))]),
    der.integer(serial),
    algorithm(signer.key, options.hash),
    options.issuer ?? distinguishedName(signer.name),
    der.sequence(
      der.time(options.notBefore ?? new Date(now - 3_600_000)),
      der.time(
        options.notAfter ?? new Date(now + (options.eku?.includes('serverAuth') ? 60 : 1) * 86_400_000),
      ),
    ),
    options.subject ?? distinguishedName(options.name ?? 'client'),
    key.publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der.explicit(3, der.sequence(...extensions))]),
  );
  return signWith(signer.key, tbs, options.hash);
}

function extensionsOf(options: CertificateOptions): der.Octets[] {
  const out: der.Octets[] = [];
  const names = generalNames(options);
  if (names.length > 0) out.push(extension('2.5.29.17', false, der.sequence(...names)));
  if (options.ca !== undefined) {
    const depth = options.pathLength === undefined ? [] : [der.integer(options.pathLength)];
    out.push(
      extension('2.5.29.19', true, der.sequence(...(options.ca ? [der.boolean(true)] : []), ...depth)),
    );
  }
  const usage = options.keyUsage === undefined ? (['digitalSignature'] as const) : options.keyUsage;
  if (usage !== null) {
    out.push(extension('2.5.29.15', true, der.namedBits(usage.map((name) => USAGES.indexOf(name)))));
  }
  const purposes = options.eku === undefined ? ['clientAuth'] : options.eku;
  if (purposes !== null) {
    const list = purposes.map((name) => der.oid(PURPOSES[name] ?? name));
    out.push(extension('2.5.29.37', false, der.sequence(...list)));
  }
  if (options.permitted !== undefined || options.excluded !== undefined) {
    const parts = [subtrees(0, options.permitted), subtrees(1, options.excluded)].flat();
    out.push(extension('2.5.29.30', true, der.sequence(...parts)));
  }
  for (const { oid, critical, value } of options.extensions ?? []) out.push(extension(oid, critical, value));
  return out;
}

function generalNames(options: CertificateOptions): der.Octets[] {
  return [
    ...(options.uris ?? []).map((uri) => der.context(6, uri)),
    ...(options.dns ?? []).map((name) => der.context(2, name)),
    ...(options.ips ?? []).map((ip) => der.context(7, addressOctets(ip))),
    ...(options.emails ?? []).map((mail) => der.context(1, mail)),
    ...(options.names ?? []).map((name) => new Uint8Array(name)),
  ];
}

function addressOctets(ip: string): Uint8Array {
  if (isIP(ip) === 0) throw new Error(`${ip} is no address`);
  return Uint8Array.from(ipaddr.parse(ip).toByteArray());
}

function subtrees(tag: number, list: CertificateOptions['permitted']): der.Octets[] {
  if (list === undefined) return [];
  return [
    der.explicit(
      tag,
      ...list.map(({ dns, uri }) =>
        der.sequence(uri === undefined ? der.context(2, dns ?? '') : der.context(6, uri)),
      ),
    ),
  ];
}

function extension(oid: string, critical: boolean, value: Uint8Array): der.Octets {
  return der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octets(value));
}

const SIGNATURES: Readonly<Record<string, string>> = {
  'ec sha1': '1.2.840.10045.4.1',
  'ec sha256': '1.2.840.10045.4.3.2',
  'ec sha384': '1.2.840.10045.4.3.3',
  'rsa md5': '1.2.840.113549.1.1.4',
  'rsa sha1': '1.2.840.113549.1.1.5',
  'rsa sha256': '1.2.840.113549.1.1.11',
  'rsa sha384': '1.2.840.113549.1.1.12',
  ed25519: '1.3.101.112',
};

function algorithm({ privateKey }: KeyPair, hash: Hash = 'sha256'): der.Octets {
  const type = privateKey.asymmetricKeyType;
  if (type === 'ed25519') return der.sequence(der.oid(SIGNATURES.ed25519!));
  const name = der.oid(SIGNATURES[`${type} ${hash}`]!);
  return type === 'rsa' ? der.sequence(name, der.tlv(der.TAG.NULL)) : der.sequence(name);
}

/** SIGNED (RFC 5280 §4.1): what is signed, the algorithm, the signature. */
export function signWith(key: KeyPair, tbs: Uint8Array, hash: Hash = 'sha256'): der.Octets {
  const digest = key.privateKey.asymmetricKeyType === 'ed25519' ? null : hash;
  return der.sequence(new Uint8Array(tbs), algorithm(key, hash), der.bits(sign(digest, tbs, key.privateKey)));
}
