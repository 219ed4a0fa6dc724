import { buildTrust, type ClientTrust } from '../../src/identity/client-trust.ts';
import type { Problem } from '../../src/policy/problem.ts';
import type { Judgement } from '../../src/resolve/client/credential.ts';
import type { TlsSetting } from '../../src/settings/settings.ts';
import { Authority } from './authority.ts';

/** Files of a TLS listener as a test wants them, and what comes of them. */
export interface Written {
  readonly clients?: TlsSetting['clients'];
  /** PEM text. */
  readonly clientCa?: string;
  readonly crl?: string;
  readonly crlEnded?: TlsSetting['crlEnded'];
  /** Texts of bundles by trust domain. */
  readonly domains?: Readonly<Record<string, string>>;
  readonly certificate?: string;
  readonly key?: string;
}

const server = new Authority({ name: 'servers' }).issue({ dns: ['dns.example'], eku: ['serverAuth'] });

export const NOW = Math.floor(Date.now() / 1000);

export function setting(written: Written): TlsSetting {
  const file = (path: string, text: string) => ({ path, text });
  return {
    certificate: file('server.pem', written.certificate ?? server.pem),
    key: file('server.key', written.key ?? server.keyPem),
    clients: written.clients ?? 'required',
    clientCa: written.clientCa === undefined ? null : file('clients.pem', written.clientCa),
    crl: written.crl === undefined ? null : file('clients.crl', written.crl),
    crlEnded: written.crlEnded ?? 'refuse',
    trustDomains: Object.entries(written.domains ?? {}).map(([name, text]) => ({
      name,
      bundle: file(`${name}.pem`, text),
    })),
  };
}

/** The judge of files that are good. */
export function trust(written: Written, epoch = NOW): ClientTrust {
  const { trust: judge, problems } = buildTrust(setting(written), epoch);
  if (judge === null) throw new Error(problems.map(({ message }) => message).join('; '));
  return judge;
}

/** `code severity file:line`. */
export function told(problems: readonly Problem[]): string[] {
  return problems.map(({ code, severity, at }) => `${code} ${severity} ${at.file}:${at.line}`);
}

/** Names without the fingerprint; `unknown: RULE`; `refused: RULE`. */
export function outcome(judgement: Judgement): string {
  if (judgement.kind === 'refused') return `refused: ${judgement.rule}`;
  const { names, fault } = judgement.credential;
  return fault === null ? names.slice(1).join(' ') : `unknown: ${fault.rule}`;
}

/** A SPIFFE bundle (JWKS) of these CAs. */
export function bundle(...authorities: readonly Authority[]): string {
  const keys = authorities.map((authority) => ({
    use: 'x509-svid',
    ...authority.key.publicKey.export({ format: 'jwk' }),
    x5c: [Buffer.from(authority.der).toString('base64')],
  }));
  return JSON.stringify({ spiffe_sequence: 1, keys });
}
