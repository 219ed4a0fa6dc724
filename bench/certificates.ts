import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './processes.ts';

/** A certificate and its key, as paths of PEM files. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** What a TLS listener and its clients need, made for one run. */
export interface ListenerCertificates {
  readonly server: Certificate;
  readonly client: Certificate;
  /** Path of the CA that vouches for `client`. */
  readonly clientCa: string;
}

/** What the certificates of servers are for. */
export const TLS_NAME = 'upstream.bench.example';
export const CLIENT_NAME = 'spiffe://bench.example/client';
const PATIENCE = 10_000;

/** A server's certificate that vouches for itself, good for two days: ECDSA over P-256. */
export function serverCertificate(folder: string): Promise<Certificate> {
  return make(folder, 'server', ['-addext', `subjectAltName=DNS:${TLS_NAME}`]);
}

export async function listenerCertificates(parent: string): Promise<ListenerCertificates> {
  const folder = join(parent, 'certificates');
  mkdirSync(folder);
  const server = await serverCertificate(folder);
  const ca = await make(folder, 'ca', ['-addext', 'keyUsage=critical,keyCertSign']);
  const client = await make(folder, 'client', [
    ...['-CA', ca.certificate, '-CAkey', ca.key],
    ...['-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-addext', 'keyUsage=critical,digitalSignature'],
    ...['-addext', 'extendedKeyUsage=clientAuth'],
    ...['-addext', `subjectAltName=URI:${CLIENT_NAME}`],
  ]);
  return { server, client, clientCa: ca.certificate };
}

async function make(folder: string, name: string, more: readonly string[]): Promise<Certificate> {
  const key = join(folder, `${name}.key`);
  const certificate = join(folder, `${name}.pem`);
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const files = ['-subj', `/CN=${name}.bench.example`, '-keyout', key, '-out', certificate];
  await run(['openssl', 'req', '-x509', ...kind, ...files, ...more], { patience: PATIENCE });
  return { certificate, key };
}
