import { MAX_LABEL, MAX_NAME } from '../wire/name.ts';

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
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text);
  if (scheme !== null) {
    const host = text.slice(scheme[0].length).split(/[/:?#]/, 1)[0];
    return new PatternFault(
      'pattern-url',
      0,
      `${text} is a URL, not a name`,
      `write ${host || 'the host name'}`,
    );
  }
  const port = /^([^:\\]+):\d+$/.exec(text);
  if (port !== null) {
    return new PatternFault('pattern-port', port[1]!.length, 'a name has no port', `write ${port[1]}`);
  }
  if (/^\d{1,3}(\.\d{1,3}){3}(\/\d+)?$/.test(bare) || /^[0-9a-f]*:[0-9a-f:.]+(\/\d+)?$/i.test(bare)) {
    return new PatternFault(
      'pattern-address',
      0,
      `${text} is an address; policy is about names`,
      'write the name that clients ask for; clients are recognised under from.addresses',
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

export function strayCharacter(text: string, at: number): PatternFault {
  if (text[at] === '*') {
    const rest = text.slice(text.indexOf('.', at) + 1);
    const zone = text.indexOf('.', at) >= 0 && /^[A-Za-z0-9_.-]+$/.test(rest) ? rest : 'a.example';
    return new PatternFault(
      'pattern-star',
      at,
      'a star stands alone, as the first label',
      `write *.${zone} for one label, **.${zone} for any depth, or n{0..199}.${zone} for numbered hosts`,
    );
  }
  if (/[\^$()|[\]?+]/.test(text[at]!)) {
    return new PatternFault(
      'pattern-character',
      at,
      `${text[at]} looks like a regular expression; patterns are names`,
      'write the names, *.a.example for one label, or **.a.example for any depth',
    );
  }
  const code = text.codePointAt(at)!;
  return new PatternFault(
    'pattern-character',
    at,
    `${JSON.stringify(String.fromCodePoint(code))} cannot stand in a name`,
    code > 0x7f
      ? 'write the A-label, which begins with xn--'
      : `remove it, or write it as \\${String(code).padStart(3, '0')} if a label really holds it`,
  );
}

export function labelTooLong(at: number): PatternFault {
  return new PatternFault('pattern-label', at, `a label has at most ${MAX_LABEL} octets`, 'check the name');
}

export function tooLong(at: number): PatternFault {
  return new PatternFault('pattern-label', at, `a name has at most ${MAX_NAME} octets`, 'check the name');
}
