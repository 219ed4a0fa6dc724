import { isIPv4 } from 'node:net';
import { isIPv6 } from '../../config/addresses.ts';
import { toAsciiName } from '../../config/names.ts';
import { TextFault } from '../../config/problems.ts';
import { WireError } from '../../wire/error.ts';
import { nameFromText } from '../../wire/name.ts';

/**
 * The wire name of a question as people type it, case kept: U-labels are converted, `\.` and `\DDD` are octets of a
 * label (RFC 1035 §5.1), a star is a star, and `.` is the root. Else what is wrong with the text.
 */
export function readQuestionName(text: string): Uint8Array | string {
  const url =
    /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?([A-Za-z0-9_.-]+)/i.exec(text) ?? /^([A-Za-z0-9_.-]+)\//.exec(text);
  if (url !== null) return `${JSON.stringify(text)} is a URL: write its host, ${url[1]}`;
  const address = text.replace(/^\[(.*)\]$/, '$1');
  if (isIPv4(address) || isIPv6(address))
    return `${text} is an address, and a question asks for a name: write the name that leads to it`;
  const ascii = toAsciiName(text);
  if (ascii instanceof TextFault) return `${ascii.message}; ${ascii.fix}`;
  const name = nameFromText(ascii.text);
  if (!(name instanceof WireError)) return name;
  return `${JSON.stringify(text)} is no name: labels have 1 to 63 octets, a name at most 255, and \\ is written \\\\`;
}
