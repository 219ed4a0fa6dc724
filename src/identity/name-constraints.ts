import type { Certificate } from './certificate.ts';
import { type GeneralName, latin, NAME, type NameConstraints } from './extensions.ts';

/**
 * Why a certificate below a CA with these constraints does not count, or null. DNS names and the hosts of URIs are judged.
 * Constraints on other names hold of a certificate without such names; where it has one they cannot be judged, and it does
 * not count.
 */
export function constraintFault(constraints: NameConstraints, certificate: Certificate): string | null {
  const { permitted, excluded } = constraints;
  const constrained = new Set([...permitted, ...excluded].map(({ tag }) => tag));
  for (const tag of constrained) {
    if (tag !== NAME.DNS && tag !== NAME.URI && mayHave(certificate, tag))
      return 'a name constraint that is not judged';
  }
  for (const { tag, octets } of certificate.extensions.names) {
    if (!constrained.has(tag)) continue;
    const text = latin(octets).toLowerCase();
    const host = tag === NAME.DNS ? text : hostOf(text);
    if (host === null) return 'a URI without a host below a name constraint';
    const within = tag === NAME.DNS ? isWithinDns : isWithinHost;
    const inside = (base: GeneralName, closed: boolean): boolean =>
      base.tag === tag && within(host, latin(base.octets).toLowerCase(), closed);
    if (excluded.some((base) => inside(base, true))) return `${text} is excluded by a name constraint`;
    const allowed = permitted.filter((base) => base.tag === tag);
    if (allowed.length > 0 && !allowed.some((base) => inside(base, false)))
      return `${text} is not permitted by a name constraint`;
  }
  return null;
}

const EMPTY_NAME = '\x30\x00';
/** pkcs-9-at-emailAddress, as it stands in a subject. */
const EMAIL_ATTRIBUTE = '\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01';

/** Whether constraints on names of this kind may concern the certificate: its subject holds some of them. */
function mayHave({ subject, extensions }: Certificate, tag: number): boolean {
  if (tag === NAME.DIRECTORY && subject !== EMPTY_NAME) return true;
  if (tag === NAME.EMAIL && subject.includes(EMAIL_ATTRIBUTE)) return true;
  return extensions.names.some((name) => name.tag === tag);
}

/** A base holds itself and all below. With a dot in front, which some write, it means what is closer: see `closed`. */
function isWithinDns(name: string, base: string, closed: boolean): boolean {
  if (base === '') return true;
  if (base.startsWith('.')) return name.endsWith(base) || (closed && name === base.slice(1));
  return name === base || name.endsWith(`.${base}`);
}

/** A base is a host; with a dot in front it is all below it. */
function isWithinHost(host: string, base: string, closed: boolean): boolean {
  if (base.startsWith('.')) return host.endsWith(base) || (closed && host === base.slice(1));
  return host === base || (closed && base === '');
}

/** The authority's host, or null where there is none that is a name (RFC 5280 §4.2.1.10 refuses those). */
function hostOf(uri: string): string | null {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#@:[\]]+)(?::\d*)?(?:[/?#].*)?$/s.exec(uri)?.[1];
  return host === undefined || !/^[a-z0-9._-]+$/.test(host) || /^[\d.]+$/.test(host) ? null : host;
}
