import type { BrokenRule } from '../resolve/client/credential.ts';
import type { Certificate } from './certificate.ts';
import { CLIENT_AUTH, latin, NAME, USAGE } from './extensions.ts';

/** The rules of a client certificate that verifies. Who breaks one is `unknown`; the log says which. */
const RULES = {
  'ca-certificate': 'it is the certificate of a CA',
  'signs-certificates': 'its key usage has keyCertSign or cRLSign',
  'two-uris': 'it has two URI names',
  'spiffe-form': 'its spiffe:// name is no SPIFFE ID of a workload',
  'spiffe-key-usage': 'it has a spiffe:// name, and no key usage with digitalSignature',
  'names-many': 'it has more than 100 names',
} as const;

type Rule = keyof typeof RULES;

/** Names that a certificate may hold. */
const MOST_NAMES = 100;

/** The rule that it breaks, or null. */
export function ruleBroken(certificate: Certificate): BrokenRule | null {
  const rule = brokenBy(certificate);
  return rule === null ? null : { rule, text: RULES[rule] };
}

function brokenBy(certificate: Certificate): Rule | null {
  const { ca, names } = certificate.extensions;
  if (ca) return 'ca-certificate';
  if (certificate.may(USAGE.KEY_CERT_SIGN | USAGE.CRL_SIGN)) return 'signs-certificates';
  if (names.length > MOST_NAMES) return 'names-many';
  const uris = names.filter(({ tag }) => tag === NAME.URI).map(({ octets }) => latin(octets));
  if (uris.length > 1) return 'two-uris';
  const [uri] = uris;
  if (uri === undefined || !/^spiffe:/i.test(uri)) return null;
  if (readSpiffeId(uri) === null) return 'spiffe-form';
  return certificate.may(USAGE.DIGITAL_SIGNATURE) ? null : 'spiffe-key-usage';
}

/** Why it is no certificate for a TLS client at all, so that the handshake fails; else null. */
export function purposeFault({ extensions }: Certificate): string | null {
  const { purposes, keyUsage } = extensions;
  // RFC 5280 §4.2.1.12 leaves it to us whether anyExtendedKeyUsage stands for clientAuth: it does not, as in OpenSSL.
  if (purposes !== null && !purposes.includes(CLIENT_AUTH)) return 'its extended key usage lacks clientAuth';
  const proves = keyUsage === null || (keyUsage & (USAGE.DIGITAL_SIGNATURE | USAGE.KEY_AGREEMENT)) !== 0;
  return proves ? null : 'its key usage has neither digitalSignature nor keyAgreement';
}

export interface SpiffeId {
  /** As it stands in the certificate. */
  readonly text: string;
  readonly trustDomain: string;
}

/** A workload's SPIFFE ID (SPIFFE-ID §2), or null. */
function readSpiffeId(text: string): SpiffeId | null {
  if (text.length > 2048) return null;
  const match = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)+)$/.exec(text);
  if (match === null) return null;
  const [, trustDomain = '', path = ''] = match;
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) return null;
  return { text, trustDomain };
}

/** The SPIFFE ID of a certificate that breaks no rule, or null where it has none. */
export function spiffeIdOf({ extensions }: Certificate): SpiffeId | null {
  const uri = extensions.names.find(({ tag }) => tag === NAME.URI);
  return uri === undefined ? null : readSpiffeId(latin(uri.octets));
}

/** Its host names in lower case, each once; wildcards and what is no host name are left out. */
export function dnsNamesOf({ extensions }: Certificate): string[] {
  const names = extensions.names
    .filter(({ tag, octets }) => tag === NAME.DNS && octets.length <= 253)
    .map(({ octets }) => latin(octets).toLowerCase())
    .filter((name) => HOST_NAME.test(name) && !/(?:^|\.)\d+$/.test(name));
  return [...new Set(names)];
}

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const HOST_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
