import { readExactName } from '../names.ts';
import { type Fault, TextFault } from '../problems.ts';
import { quote } from '../units.ts';

/**
 * What a certificate must hold, in the one form that is compared: a SPIFFE ID (SPIFFE-ID §2), whose last segment may be a
 * star for any one; `dns:` and a name in lower case without a final dot; or `sha256:` and 64 lower case digits (of the DER).
 */
export function parseCertificate(text: string): string | Fault {
  if (/^spiffe:/i.test(text)) return parseSpiffe(text);
  if (text.startsWith('dns:')) return parseDns(text);
  if (/^sha-?256:/i.test(text)) return parseFingerprint(text);
  const fix = 'write spiffe://TRUST-DOMAIN/PATH, dns:NAME or sha256:HEX';
  return new TextFault('certificate-form', 0, `${quote(text)} says nothing about a certificate`, fix);
}

function parseSpiffe(text: string): string | TextFault {
  const match = /^spiffe:\/\/([^/]*)(\/.*)?$/s.exec(text);
  const [domain, path] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (!/^[a-z0-9._-]{1,255}$/.test(domain)) {
    const message = `${quote(domain)} is no trust domain`;
    return new TextFault(
      'certificate-form',
      Math.min(9, text.length - 1),
      message,
      'write spiffe:// and lower case letters, digits, . - and _',
    );
  }
  const start = 9 + domain.length;
  if (path === '') {
    const message = 'a trust domain alone is its authority, not a workload';
    return new TextFault(
      'certificate-form',
      start - 1,
      message,
      `write ${text}/ and the path of the workload`,
    );
  }
  let offset = start + 1;
  const segments = path.slice(1).split('/');
  for (const [index, segment] of segments.entries()) {
    if (segment === '*' && index === segments.length - 1) break;
    if (segment.includes('*')) {
      return new TextFault(
        'certificate-form',
        offset + segment.indexOf('*'),
        'a star stands for one whole segment, the last',
        'write /* at the end, or the path as it is',
      );
    }
    if (!/^[A-Za-z0-9._-]+$/.test(segment) || segment === '.' || segment === '..') {
      const message = segment === '' ? 'a path has no empty segment' : `${quote(segment)} is no path segment`;
      return new TextFault(
        'certificate-form',
        Math.min(offset, text.length - 1),
        message,
        'write letters, digits, . - and _ between single slashes',
      );
    }
    offset += segment.length + 1;
  }
  if (text.length > 2048)
    return new TextFault('certificate-form', 0, 'a SPIFFE ID has at most 2048 octets', 'write a shorter one');
  return text;
}

function parseDns(text: string): string | Fault {
  const name = text.slice(4);
  if (/^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i.test(name)) {
    const read = readExactName(name, 'the name in a certificate');
    return 'name' in read
      ? text.toLowerCase().replace(/\.$/, '')
      : { ...faultOf(read), offset: read.offset + 4 };
  }
  const fix = 'write dns: and one name as the certificate has it, A-labels for U-labels';
  return new TextFault('certificate-form', 4, `${quote(name)} is no name`, fix);
}

function parseFingerprint(text: string): string | TextFault {
  const digits = text.slice(text.indexOf(':') + 1);
  if (/^sha256:[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  const bare = digits.replaceAll(':', '').toLowerCase();
  const fix = /^[0-9a-f]{64}$/.test(bare)
    ? `write sha256:${bare}`
    : 'write sha256: and 64 hexadecimal digits';
  return new TextFault(
    'certificate-form',
    text.indexOf(':') + 1,
    `${quote(digits)} is no SHA-256 fingerprint`,
    fix,
  );
}

function faultOf({ code, offset, message, fix }: Fault): Fault {
  return { code, offset, message, fix };
}
