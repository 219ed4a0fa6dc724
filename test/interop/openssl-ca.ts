import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A CA that openssl keeps, with its database and CRLs. */
export interface OpensslCa {
  readonly certificate: string;
  /** The file of the certificate. `extensions`: lines of an openssl configuration; dates as YYYYMMDDHHMMSSZ. */
  issue(name: string, extensions: string, options?: Issue): string;
  intermediate(name: string): OpensslCa;
  revoke(file: string, reason: string): void;
  /** The PEM text of its present CRL. */
  crl(...options: string[]): string;
}

export interface Issue {
  readonly from?: string;
  readonly to?: string;
  /** Options of genpkey. */
  readonly key?: readonly string[];
  /** Options of `openssl ca`, such as `-sigopt`. */
  readonly sign?: readonly string[];
}

const P256 = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];

const CA = `
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`;

export function opensslCa(folder: string, name: string, key: readonly string[] = P256): OpensslCa {
  const base = prepare(folder, name, key);
  const args = [
    'req',
    '-x509',
    '-new',
    '-key',
    `${base}.key`,
    '-subj',
    `/O=Example/CN=${name}`,
    '-days',
    '30',
  ];
  openssl(folder, ...args, '-config', `${base}.cnf`, '-extensions', 'ca', '-out', `${base}.pem`);
  return keep(folder, name, base);
}

/** Whether openssl verifies it as the certificate of a TLS client. */
export function opensslVerifies(options: readonly string[], file: string): boolean {
  return spawnSync('openssl', ['verify', '-purpose', 'sslclient', ...options, file]).status === 0;
}

function openssl(folder: string, ...args: string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
}

function prepare(folder: string, name: string, key: readonly string[]): string {
  const base = join(folder, name);
  mkdirSync(`${base}.new`);
  writeFileSync(`${base}.index`, '');
  writeFileSync(`${base}.index.attr`, 'unique_subject = no\n');
  writeFileSync(`${base}.serial`, '1000\n');
  writeFileSync(`${base}.crlnumber`, '01\n');
  openssl(folder, 'genpkey', ...key, '-out', `${base}.key`);
  writeFileSync(
    `${base}.cnf`,
    `[req]\ndistinguished_name = dn\n[dn]\n[ca]\n${CA}
[authority]
new_certs_dir = ${base}.new\ndatabase = ${base}.index\nserial = ${base}.serial\ncrlnumber = ${base}.crlnumber
private_key = ${base}.key\ncertificate = ${base}.pem\ndefault_md = sha256\ndefault_days = 2\ndefault_crl_days = 7
policy = policy\ncrl_extensions = crl\n[policy]\ncommonName = supplied\n[crl]\nauthorityKeyIdentifier = keyid:always\n`,
  );
  return base;
}

function keep(folder: string, name: string, base: string): OpensslCa {
  const authority = ['ca', '-batch', '-config', `${base}.cnf`, '-name', 'authority'];
  const sign = (request: string, extensions: string, out: string, options: Issue): void => {
    writeFileSync(`${out}.ext`, extensions);
    const dates = [
      ...(options.from === undefined ? [] : ['-startdate', options.from]),
      ...(options.to === undefined ? [] : ['-enddate', options.to]),
    ];
    const args = [
      '-in',
      request,
      '-extfile',
      `${out}.ext`,
      '-out',
      out,
      '-notext',
      ...dates,
      ...(options.sign ?? []),
    ];
    openssl(folder, ...authority, ...args);
  };
  return {
    certificate: `${base}.pem`,
    issue(leaf, extensions, options = {}) {
      const file = join(folder, `${name}-${leaf}`);
      openssl(folder, 'genpkey', ...(options.key ?? P256), '-out', `${file}.key`);
      openssl(folder, 'req', '-new', '-key', `${file}.key`, '-subj', `/CN=${leaf}`, '-out', `${file}.csr`);
      sign(`${file}.csr`, extensions, `${file}.pem`, options);
      return `${file}.pem`;
    },
    intermediate(middle) {
      const below = prepare(folder, middle, P256);
      openssl(
        folder,
        'req',
        '-new',
        '-key',
        `${below}.key`,
        '-subj',
        `/CN=${middle}`,
        '-out',
        `${below}.csr`,
      );
      sign(`${below}.csr`, `${CA}authorityKeyIdentifier = keyid\n`, `${below}.pem`, {});
      return keep(folder, middle, below);
    },
    revoke(file, reason) {
      openssl(folder, ...authority, '-revoke', file, '-crl_reason', reason);
    },
    crl(...options) {
      openssl(folder, ...authority, '-gencrl', '-out', `${base}.crl`, ...options);
      return readFileSync(`${base}.crl`, 'utf8');
    },
  };
}
