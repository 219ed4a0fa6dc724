/** Keys and certificates, made by openssl when a test runs. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Identity {
  readonly key: string;
  readonly cert: string;
}

export interface Authority {
  /** The PEM text of its certificate. */
  readonly pem: string;
  /** `san` as openssl writes it (`DNS:dns.example,IP:::1`), or null for none. `days` may be negative: ended. */
  issue(san: string | null, options?: { days?: number; subject?: string }): Identity;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export function authority(folder: string, name: string): Authority {
  const run = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const ca = `${name}-ca`;
  run(
    'req',
    '-x509',
    ...KEY,
    '-keyout',
    `${ca}.key`,
    '-out',
    `${ca}.pem`,
    '-subj',
    `/CN=${ca}`,
    '-days',
    '2',
  );
  let serial = 0;
  return {
    pem: readFileSync(join(folder, `${ca}.pem`), 'utf8'),
    issue(san, { days = 2, subject = '/CN=dns.example' } = {}) {
      const leaf = `${name}-${++serial}`;
      run('req', ...KEY, '-keyout', `${leaf}.key`, '-out', `${leaf}.csr`, '-subj', subject);
      writeFileSync(
        join(folder, `${leaf}.ext`),
        `${san === null ? '' : `subjectAltName=${san}\n`}extendedKeyUsage=serverAuth\n`,
      );
      run(
        ...['x509', '-req', '-in', `${leaf}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`],
        ...['-set_serial', `${serial}`, '-days', `${days}`, '-extfile', `${leaf}.ext`, '-out', `${leaf}.pem`],
      );
      return {
        key: readFileSync(join(folder, `${leaf}.key`), 'utf8'),
        cert: readFileSync(join(folder, `${leaf}.pem`), 'utf8'),
      };
    },
  };
}
