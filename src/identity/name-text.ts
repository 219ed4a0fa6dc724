import { DerReader, TAG } from './der.ts';

/** Attribute types that have a short name (RFC 4514 §3). */
const SHORT: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
]);

/**
 * A Name (its DER, one character an octet) for people: `CN=clients, O=Example`. It decides nothing. What is not printable
 * ASCII is shown as `?`, and at most 200 characters are shown, since who asks for a certificate may have chosen them.
 */
export function nameText(name: string): string {
  const list = new DerReader(Buffer.from(name, 'latin1')).enter(TAG.SEQUENCE);
  const parts: string[] = [];
  while (!list.done) {
    const set = list.enter(TAG.SET);
    while (!set.done) {
      const attribute = set.enter(TAG.SEQUENCE);
      const type = attribute.oid();
      const value = Buffer.from(attribute.any().rest()).toString('utf8');
      parts.push(`${SHORT.get(type) ?? type}=${value.replace(/[^\x20-\x7e]/g, '?')}`);
    }
  }
  const text = parts.join(', ');
  if (text === '') return '(no name)';
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
