/**
 * Reads TypeScript far enough to know what a file imports and which names it uses: words, strings and punctuation,
 * without comments, regular expressions and the text of templates.
 */
export interface Token {
  readonly kind: 'word' | 'string' | 'other';
  /** Of a string, its content as written. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

export interface Dependency {
  /** As written; empty where it is computed. */
  readonly specifier: string;
  readonly line: number;
}

/**
 * Every module that the file names: `import`, `import type`, `export … from`, `import()`, `import('x').T`,
 * `require('x')` and `createRequire(…)('x')`. `import.meta` names none.
 */
export function dependenciesOf(tokens: readonly Token[]): Dependency[] {
  const found: Dependency[] = [];
  for (const [at, { kind, text, line }] of tokens.entries()) {
    if (kind !== 'word' || tokens[at - 1]?.text === '.') continue;
    const next = tokens[at + 1];
    if (text === 'import' && next?.text === '(') {
      const name = tokens[at + 2];
      const whole = name?.kind === 'string' && [')', ','].includes(tokens[at + 3]?.text ?? '');
      found.push({ specifier: whole ? name.text : '', line });
    } else if (text === 'import' && next?.kind === 'string') {
      found.push({ specifier: next.text, line });
    } else if (text === 'from' && next?.kind === 'string') {
      found.push({ specifier: next.text, line });
    } else if (text === 'require' || text === 'createRequire') {
      const call = text === 'require' ? at + 1 : closing(tokens, at + 1) + 1;
      const name = tokens[call + 1];
      if (tokens[call]?.text === '(')
        found.push({ specifier: name?.kind === 'string' ? name.text : '', line });
    }
  }
  return found;
}

/** Index of the bracket that closes the one at `open`. */
function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    if (tokens[at]?.text === '(') depth++;
    if (tokens[at]?.text === ')' && --depth === 0) return at;
  }
  return tokens.length;
}

const WORD = /[\p{ID_Start}$_#][\p{ID_Continue}$]*/uy;
const NUMBER = /\d[\w.]*/y;
const BLANK = /\s+/y;
const LINE_COMMENT = /\/\/[^\n]*/y;
const BLOCK_COMMENT = /\/\*[\s\S]*?\*\//y;
const QUOTED = /'((?:[^'\\\n]|\\[\s\S])*)'|"((?:[^"\\\n]|\\[\s\S])*)"/y;
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const TEMPLATE_TEXT = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y;

/** After these a slash begins a regular expression; after any other word, number or closing bracket it divides. */
const BEFORE_REGEX = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'do',
  'else',
  'void',
  'delete',
  'throw',
  'await',
]);

/** Throws where the text is not TypeScript that it understands: a checker that guesses would pass what it skipped. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  /** Open braces; true for the one of a `${`, after whose end the template goes on. */
  const braces: boolean[] = [];
  let at = 0;
  let line = 1;

  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return null;
    at += match[0].length;
    return match;
  };
  const push = (kind: Token['kind'], value: string, source: string): void => {
    tokens.push({ kind, text: value, line });
    count(source);
  };
  const count = (source: string): void => {
    for (const character of source) if (character === '\n') line++;
  };
  const template = (): void => {
    count(take(TEMPLATE_TEXT)?.[0] ?? '');
    if (text.startsWith('${', at)) {
      at += 2;
      braces.push(true);
    } else if (text[at] === '`') {
      at += 1;
    } else {
      throw new Error(`line ${line}: a template without an end`);
    }
  };
  const regexMayStart = (): boolean => {
    const last = tokens.at(-1);
    if (last === undefined) return true;
    if (last.kind === 'word') return BEFORE_REGEX.has(last.text);
    return last.kind === 'other' && !/^(?:[)\]}]|\d.*|`)$/.test(last.text);
  };

  while (at < text.length) {
    const skipped = take(BLANK) ?? take(LINE_COMMENT) ?? take(BLOCK_COMMENT);
    if (skipped !== null) {
      count(skipped[0]);
      continue;
    }
    const quoted = take(QUOTED);
    if (quoted !== null) {
      push('string', quoted[1] ?? quoted[2] ?? '', quoted[0]);
      continue;
    }
    const word = take(WORD);
    if (word !== null) {
      push('word', word[0], '');
      continue;
    }
    const other = take(NUMBER) ?? (regexMayStart() ? take(REGEX) : null);
    if (other !== null) {
      push('other', other[0], '');
      continue;
    }
    const character = text[at] as string;
    at += 1;
    if (character === "'" || character === '"') throw new Error(`line ${line}: a string without an end`);
    if (character === '`') {
      push('other', '`', '');
      template();
    } else if (character === '}' && braces.pop() === true) {
      template();
      // What follows the template's end divides, as after any value.
      push('other', '`', '');
    } else {
      if (character === '{') braces.push(false);
      if (character === '?' && text[at] === '.') {
        at += 1;
        push('other', '?.', '');
      } else {
        push('other', character, '');
      }
    }
  }
  return tokens;
}
