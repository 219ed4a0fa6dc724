/** Names for the reference: text, but by label. */

/** A name's labels, the leftmost first, each octet a character, with SEPARATOR between them. */
export type Name = string;

/** No octet, so that a dot inside a label separates nothing. */
const SEPARATOR = '\u0100';

export const ROOT: Name = '';

/** No expiry, as the policy's own constant has it. */
export const FOREVER = 0xffff_ffff;

/** Reads text as a policy or zone file has it (RFC 1035 §5.1): `\.` and `\DDD`, in lower case, a final dot or none. */
export function nameOf(text: string): Name {
  const labels = [''];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '.') labels.push('');
    else if (text[at] !== '\\') labels[labels.length - 1] += lower(text[at]!);
    else if (/\d/.test(text[at + 1]!)) {
      labels[labels.length - 1] += lower(String.fromCharCode(Number(text.slice(at + 1, at + 4))));
      at += 3;
    } else labels[labels.length - 1] += lower(text[++at]!);
  }
  if (labels.at(-1) === '') labels.pop();
  return labels.join(SEPARATOR);
}

/** ASCII letters alone have a case (RFC 4343 §3). */
function lower(char: string): string {
  return char >= 'A' && char <= 'Z' ? char.toLowerCase() : char;
}

export function inLabels(labels: readonly string[]): Name {
  return labels.join(SEPARATOR);
}

export function labelsOf(name: Name): string[] {
  return name === ROOT ? [] : name.split(SEPARATOR);
}

export function isUnder(name: Name, ancestor: Name): boolean {
  return name !== ancestor && (ancestor === ROOT || name.endsWith(`${SEPARATOR}${ancestor}`));
}

/** Whether labels have 1 to 63 octets and the whole at most 255. */
export function fitsWire(name: Name): boolean {
  const labels = labelsOf(name);
  return (
    name.length + (name === ROOT ? 1 : 2) <= 255 && labels.every(({ length }) => length > 0 && length <= 63)
  );
}

/** The wire form. */
export function toWire(name: Name): Buffer {
  const labels = labelsOf(name);
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);
}

/** For people, and as `explain` and policies take it. */
export function toText(name: Name): string {
  if (name === ROOT) return '.';
  return labelsOf(name)
    .map((label) =>
      label.replace(/[^A-Za-z0-9_-]/g, (char) =>
        char > ' ' && char <= '~' ? `\\${char}` : `\\${String(char.charCodeAt(0)).padStart(3, '0')}`,
      ),
    )
    .join('.');
}
