import { MAX_LABEL, MAX_NAME } from '../../wire/name.ts';

/** Why a text is no pattern. `offset` counts characters from the text's start; `code` is a problem code. */
export class PatternFault {
  readonly code: string;
  readonly offset: number;
  readonly message: string;
  readonly fix: string;

  constructor(code: string, offset: number, message: string, fix: string) {
    this.code = code;
    this.offset = offset;
    this.message = message;
    this.fix = fix;
  }
}

/** Shapes that people bring from elsewhere, each answered with what to write here. */
export function mistakenFor(text: string): PatternFault | null {
  const bare = text.replace(/\.$/, '');
  if (bare === '') {
    return new PatternFault('pattern-empty', 0, 'the pattern is empty', 'write a name such as github.com');
  }
  if (/^\*+$/.test(bare)) {
    return new PatternFault(
      'pattern-star',
      0,
      `${text} would approve every name there is`,
      'name the zones that the job needs, such as **.example.com',
    );
  }
  const several = severalWords(text);
  if (several !== null) return several;
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text);
  if (scheme !== null) {
    const host = text.slice(scheme[0].length).split(/[/?#]/, 1)[0]!.replace(/^.*@/, '').replace(/:\d*$/, '');
    return new PatternFault('pattern-url', 0, `${text} is a URL, not a name`, writeOf(host));
  }
  if (/^\d{1,3}(\.\d{1,3}){3}(\/\d+)?$/.test(bare) || /^[0-9a-f]*:[0-9a-f:.]+(\/\d+)?$/i.test(bare)) {
    return new PatternFault(
      'pattern-address',
      0,
      `${text} is an address; policy is about names`,
      'write the name that clients ask for; clients are recognised under from.addresses',
    );
  }
  const port = /^([^:\\/]+):\d+$/.exec(text);
  if (port !== null)
    return new PatternFault('pattern-port', port[1]!.length, 'a name has no port', writeOf(port[1]!));
  const path = /^([^/\\]+)\/.*$/.exec(text);
  if (path !== null) {
    const host = path[1]!.replace(/:\d+$/, '');
    return new PatternFault('pattern-url', path[1]!.length, 'a name has no path', writeOf(host));
  }
  const mail = /^[^@\\]+@([^@\\]+)$/.exec(text);
  if (mail !== null) {
    const message = `${text} is an address of mail; policy is about names`;
    return new PatternFault('pattern-character', text.indexOf('@'), message, writeOf(mail[1]!));
  }
  const regex = /[\^$()|[\]?+]|\.\*/.exec(text);
  const meant = regex === null ? null : meantByRegex(text);
  if (regex !== null && meant !== null) {
    const message = `${text} looks like a regular expression; patterns are names`;
    return new PatternFault('pattern-character', regex.index, message, meant);
  }
  if (text.startsWith('!') && isPatternish(text.slice(1).trim())) {
    return new PatternFault(
      'pattern-character',
      0,
      'a pattern cannot exclude: a policy approves names, and denies what it does not name',
      'delete the entry; where a wildcard approves the name, list the names that are wanted in its place',
    );
  }
  if (text.startsWith('.')) {
    return new PatternFault(
      'pattern-label',
      0,
      'a name does not start with a dot',
      `write **${text} for the names under it, or ${text.slice(1)} for itself`,
    );
  }
  return null;
}

/** What separates names elsewhere: white space, commas, semicolons, quotes. */
const SEPARATORS = /[\s,;"'`]+/;

function severalWords(text: string): PatternFault | null {
  const offset = text.search(SEPARATORS);
  // With a backslash in front they are octets of a label.
  if (offset < 0 || text.includes('\\')) return null;
  const words = text.split(SEPARATORS).filter((word) => word !== '');
  const [first] = words;
  if (first === undefined)
    return new PatternFault('pattern-empty', 0, 'the pattern is empty', 'write a name such as github.com');
  const hosts = words.length > 1 && isAddress(first);
  const names = hosts ? words.slice(1) : words;
  // Zone files and others begin a comment so. A name of one label is rarely meant behind one of several.
  if (
    /^[^\s;]*\.[^\s;]*\s*;/.test(text) &&
    isPatternish(first) &&
    !words.slice(1).every((word) => word.includes('.'))
  )
    return new PatternFault(
      'pattern-character',
      text.indexOf(';'),
      'a comment begins with #, not with a semicolon',
      `write ${first}`,
    );
  // White space inside what is no name has another reason.
  if (!names.every(isPatternish)) return null;
  const what = hosts
    ? 'a line of a hosts file'
    : names.length > 1
      ? `${names.length} names in one entry`
      : 'more than a name';
  const shown = names.slice(0, MAX_SHOWN);
  const fix =
    names.length === 1
      ? `write ${names[0]}`
      : names.length > MAX_SHOWN
        ? 'write an entry for each name'
        : `write an entry for each: ${shown.join(', ')}`;
  return new PatternFault('pattern-character', offset, `${JSON.stringify(text)} is ${what}`, fix);
}

const MAX_SHOWN = 8;

function writeOf(host: string): string {
  return isPatternish(host) ? `write ${host}` : 'write the host name alone, such as github.com';
}

function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) || /^[0-9a-f]*:[0-9a-f:.]+$/i.test(text);
}

/** A name, or one with stars in front; each name of a hosts file or a URL is one. */
function isPatternish(text: string): boolean {
  return (
    text.length <= MAX_NAME - 2 &&
    /^(\*{1,2}\.)?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/.test(text) &&
    !isAddress(text)
  );
}

/** What a regular expression of a simple form matches, as patterns; null for others. */
function meantByRegex(text: string): string | null {
  const match =
    /^\^?(\((?:\.[*+]\\?\.)\)\??|\(\^\|\\?\.\)|\.[*+]\\?\.|\[\^\.\][*+]\\?\.)?((?:[\w-]|\\?\.)+?)\$?$/.exec(
      text,
    );
  if (match === null) return null;
  const [, front, rest] = match as unknown as [string, string | undefined, string];
  const name = rest.replaceAll('\\.', '.');
  if (!isPatternish(name)) return null;
  if (front === undefined) return `write ${name}`;
  if (front.startsWith('[')) return `write *.${name}`;
  return front.startsWith('(') ? `write an entry for each: ${name}, **.${name}` : `write **.${name}`;
}

export function strayCharacter(text: string, at: number): PatternFault {
  if (text[at] === '*')
    return new PatternFault('pattern-star', at, 'a star stands alone, as the first label', starFix(text, at));
  if (/[\^$()|[\]?+]/.test(text[at]!)) {
    return new PatternFault(
      'pattern-character',
      at,
      `${text[at]} looks like a regular expression; patterns are names`,
      'write the names, or **.example.com for all names under example.com',
    );
  }
  const code = text.codePointAt(at)!;
  const char = String.fromCodePoint(code);
  const escaped = `\\${String(code).padStart(3, '0')}`;
  const fix =
    code > 0x7f
      ? 'write the A-label, which begins with xn--'
      : /[\s,;:/@"'`<>]/.test(char)
        ? 'write the name alone, such as github.com'
        : `remove it, or write it as ${escaped} if a label really holds it`;
  return new PatternFault('pattern-character', at, `${JSON.stringify(char)} cannot stand in a name`, fix);
}

function starFix(text: string, at: number): string {
  const name = text.replace(/\.$/, '');
  // `*github.com`: the dot is missing, or the whole name is meant.
  const glued = /^\*{1,2}([A-Za-z0-9_][A-Za-z0-9_.-]*)$/.exec(name)?.[1];
  if (glued?.includes('.') && isPatternish(glued))
    return `write ${glued} for itself, *.${glued} for one label in front, or **.${glued} for any depth`;
  const dot = name.indexOf('.', at);
  const zone = dot < 0 ? '' : name.slice(dot + 1).replace(/^(?:\*+\.)+/, '');
  if (!isPatternish(zone)) return 'write each name out; a star stands for the first label alone';
  const [, before, after] = /(?:^|\.)([\w-]*)\*+([\w-]*)\.[\w.-]+$/.exec(name) ?? ['', 'n', ''];
  const numbered = `${before === '' && after === '' ? 'n' : before}{0..199}${after}.${zone}`;
  // A star on a name of one label reaches everybody's names.
  if (!zone.includes('.')) return `write each name out, or ${numbered} for numbered hosts`;
  return `write *.${zone} for one label, **.${zone} for any depth, or ${numbered} for numbered hosts`;
}

export function labelTooLong(at: number): PatternFault {
  return new PatternFault('pattern-label', at, `a label has at most ${MAX_LABEL} octets`, 'check the name');
}

export function tooLong(at: number): PatternFault {
  return new PatternFault('pattern-label', at, `a name has at most ${MAX_NAME} octets`, 'check the name');
}
