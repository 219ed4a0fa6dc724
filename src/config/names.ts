import { domainToASCII } from 'node:url';
import { type Pattern, parsePattern } from '../policy/pattern/pattern.ts';
import { PatternFault } from '../policy/pattern/pattern-fault.ts';
import { WireError } from '../wire/error.ts';
import { nameFromText } from '../wire/name.ts';
import { type Fault, TextFault } from './problems.ts';
import { quote } from './units.ts';

/** A text whose labels are ASCII. `converted` says that U-labels became A-labels (RFC 5890 §2.3.2.1). */
export interface AsciiName {
  readonly text: string;
  readonly converted: boolean;
}

/**
 * Converts U-labels one by one (UTS #46, non-transitional, as the WHATWG URL standard has it), and leaves every
 * other label as it is: stars, braces and escapes are the pattern's business. A label that mixes them with
 * letters beyond ASCII is refused.
 */
export function toAsciiName(text: string): AsciiName | TextFault {
  if (!NOT_ASCII.test(text)) return { text, converted: false };
  let offset = 0;
  const labels: string[] = [];
  for (const label of text.split('.')) {
    const ascii = NOT_ASCII.test(label) ? toAsciiLabel(label, offset) : label;
    if (ascii instanceof TextFault) return ascii;
    labels.push(ascii);
    offset += label.length + 1;
  }
  return { text: labels.join('.'), converted: true };
}

const NOT_ASCII = /[^\u0000-\u007f]/;

function toAsciiLabel(label: string, offset: number): string | TextFault {
  const at = offset + label.search(NOT_ASCII);
  const dot = label.search(/[\u3002\uff0e\uff61]/);
  if (dot >= 0)
    return new TextFault(
      'name-idn',
      offset + dot,
      `${quote(label)} holds a dot that is not ASCII`,
      'write .',
    );
  const stray = label.search(/[\u0000-\u007f]/) >= 0 ? label.search(/[^A-Za-z0-9_\u0080-\uffff-]/) : -1;
  if (stray >= 0) {
    const message = `${quote(label)} mixes letters beyond ASCII with ${quote(label[stray]!)}`;
    return new TextFault('name-idn', offset + stray, message, 'write the label as an A-label (xn--…)');
  }
  // A label alone could be read as an IPv4 address; the second label is there to prevent that.
  const ascii = domainToASCII(`${label}.x`);
  const converted = ascii.endsWith('.x') ? ascii.slice(0, -2) : '';
  if (!/^[a-z0-9_-]{1,63}$/.test(converted)) {
    return new TextFault(
      'name-idn',
      at,
      `${quote(label)} is no U-label (RFC 5891 §4)`,
      'write the name as it is registered',
    );
  }
  return converted;
}

/** A pattern from text that may hold U-labels; `ascii` is what was parsed. Faults count in the text as written. */
export function readPattern(text: string): { readonly pattern: Pattern; readonly ascii: AsciiName } | Fault {
  const ascii = toAsciiName(text);
  if (ascii instanceof TextFault) return ascii;
  const pattern = parsePattern(ascii.text);
  if (pattern instanceof PatternFault) return ascii.converted ? { ...plain(pattern), offset: 0 } : pattern;
  return { pattern, ascii };
}

/** One exact name, in lower case, from text that may hold U-labels. `what` says in the fault what must be exact. */
export function readExactName(
  text: string,
  what: string,
): { readonly name: Uint8Array; readonly ascii: AsciiName } | Fault {
  const read = readPattern(text);
  if (!('pattern' in read)) return read;
  if (read.pattern.kind === 'exact') return { name: read.pattern.name, ascii: read.ascii };
  const message = `${what} is one exact name; ${quote(text)} is a pattern`;
  return new TextFault('name-exact', 0, message, 'write one entry for each name');
}

/** A name inside RDATA, case kept. Absolute, whether or not it ends in a dot. */
export function readTarget(text: string): Uint8Array | TextFault {
  const ascii = toAsciiName(text);
  if (ascii instanceof TextFault) return ascii;
  const name = nameFromText(ascii.text);
  if (!(name instanceof WireError)) return name;
  const offset = ascii.converted ? 0 : Math.min(name.offset, Math.max(text.length - 1, 0));
  return new TextFault('name-form', offset, `${quote(text)} is no name`, 'write a name such as mail.example');
}

function plain(fault: PatternFault): Fault {
  return { code: fault.code, offset: fault.offset, message: fault.message, fix: fault.fix };
}
