import {
  Composer,
  CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  Parser,
  type YAMLError,
} from 'yaml';
import type { Problems } from '../problems.ts';
import { quote } from '../units.ts';
import { keyText, Marks } from './marks.ts';

/** Characters that a YAML file may have. Long lists belong into text files (`names_from`). */
export const MAX_YAML = 4 * 2 ** 20;
/** Lexical tokens, spaces and line ends included: a million take about a second to parse. */
export const MAX_TOKENS = 1_000_000;
/** Collections inside one another. The deepest that has a meaning is 8. */
export const MAX_DEPTH = 64;

/** Stands where a value could not be read and has been reported. */
export const HOLE: unique symbol = Symbol('hole');

/** One YAML document as plain data. Maps have no prototype. A number that is not written as a plain decimal is a symbol. */
export interface YamlFile {
  readonly data: unknown;
  readonly marks: Marks;
}

/**
 * Parses YAML 1.2 (core schema) and refuses its traps: duplicate keys, aliases and anchors, tags, directives, a
 * second document. All problems are reported; null where the text has no structure that could be looked at.
 */
export function readYaml(file: string, text: string, problems: Problems): YamlFile | null {
  if (text.length > MAX_YAML) {
    const size = `${(text.length / 2 ** 20).toFixed(1)} MiB`;
    const fix = 'split the file, or move long lists of names to text files (names_from)';
    problems.error(
      'yaml-size',
      { file, line: 1, column: 1 },
      `${size} of YAML; ${MAX_YAML / 2 ** 20} MiB is the most`,
      fix,
    );
    return null;
  }
  const marks = new Marks(file, text);
  const conflict = /^(?:<{7}|>{7}|\|{7}) /m.exec(text);
  if (conflict !== null) {
    const fix = 'keep the lines that are meant, and delete the marks <<<<<<<, ======= and >>>>>>>';
    problems.error('yaml-syntax', marks.position(conflict.index), 'a git merge stands half done here', fix);
    return null;
  }
  const tokens = scan(text, marks, problems);
  if (tokens === null) return null;
  const second = tokens.filter(({ type }) => type === 'document')[1];
  if (second !== undefined) {
    const fix = 'write one document a file, and remove the line ---';
    problems.error(
      'yaml-documents',
      marks.position(second.offset),
      'a second YAML document starts here',
      fix,
    );
  }
  const options = {
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: false,
    schema: 'core',
    version: '1.2',
  } as const;
  const document = new Composer({ ...options, logLevel: 'silent' })
    .compose(tokens, true, text.length)
    .next().value;
  if (document === undefined) return null;
  if (reportSyntax(document.errors, marks, problems)) return null;
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null && !contents.anchor)) {
    problems.error(
      'yaml-empty',
      { file, line: 1, column: 1 },
      'the file is empty',
      'write it, or remove the file',
    );
    return null;
  }
  return { data: toData(contents as Node, 0, marks, problems), marks };
}

/** Runs the lexer and the parser, which never throw; reports what the language has and we refuse. */
function scan(text: string, marks: Marks, problems: Problems): CST.Token[] | null {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let offset = 0;
  let count = 0;
  let isScalarText = false;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (isScalarText) {
      isScalarText = false;
      offset += lexeme.length;
    } else {
      const type = CST.tokenType(lexeme);
      if (type === 'scalar') isScalarText = true;
      else if (type !== 'doc-mode' && type !== 'flow-error-end') {
        refuse(type, lexeme, offset, marks, problems);
        offset += lexeme.length;
      }
    }
    if (++count > MAX_TOKENS) {
      const fix = 'split the file, or move long lists of names to text files (names_from)';
      problems.error(
        'yaml-size',
        marks.position(offset),
        `more than ${MAX_TOKENS} tokens in one YAML file`,
        fix,
      );
      return null;
    }
    if (parser.stack.length > MAX_DEPTH) {
      const message = `more than ${MAX_DEPTH} levels, one inside the other`;
      problems.error(
        'yaml-depth',
        marks.position(offset),
        message,
        'close the brackets, or check the indentation',
      );
      return null;
    }
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

function refuse(
  type: CST.TokenType | null,
  lexeme: string,
  offset: number,
  marks: Marks,
  problems: Problems,
): void {
  const at = marks.position(offset);
  switch (type) {
    case 'alias': {
      const pattern = lexeme.startsWith('*.') || lexeme.startsWith('**');
      const message = `YAML reads ${lexeme} as an alias`;
      const fix = pattern ? `quote it: ${quote(restOfScalar(marks.text, offset))}` : 'write the value out';
      problems.error('yaml-alias', at, message, fix);
      break;
    }
    case 'anchor':
      problems.error(
        'yaml-anchor',
        at,
        `YAML reads ${lexeme} as an anchor`,
        `remove it, or quote it: ${quote(lexeme)}`,
      );
      break;
    case 'tag':
      problems.error(
        'yaml-tag',
        at,
        `YAML reads ${lexeme} as a tag`,
        `remove it, or quote it: ${quote(lexeme)}`,
      );
      break;
    case 'directive-line':
      problems.error(
        'yaml-directive',
        at,
        'YAML directives are refused; files are YAML 1.2',
        'remove the line',
      );
      break;
    default:
    // All other tokens are good YAML, or the parser tells of them.
  }
}

/** What the author of an unquoted pattern meant: all up to a space, or to what ends a value in brackets. */
function restOfScalar(text: string, offset: number): string {
  return /^(?:[^\s,[\]{}"'#]|\{\d*(?:\.\.\d*)?\})+/.exec(text.slice(offset, offset + 300))?.[0] ?? '*';
}

/** Whether there are syntax errors. One a line is reported: the next ones follow from it. */
function reportSyntax(errors: readonly YAMLError[], marks: Marks, problems: Problems): boolean {
  const told = new Set(problems.list.filter(({ at }) => at.file === marks.file).map(({ at }) => at.line));
  let stream = false;
  for (const { code, message, pos } of errors) {
    // Once the document has ended too early, each token of the rest is an error of its own.
    const cascade = message.includes('in YAML stream');
    if (cascade && stream) continue;
    stream ||= cascade;
    const at = marks.position(openingOf(code, message, marks.text, Math.min(pos[0], marks.text.length)));
    const { line } = at;
    if (told.has(line)) {
      stream = true;
      continue;
    }
    told.add(line);
    problems.error('yaml-syntax', at, firstLine(message), syntaxFix(code, lineText(marks.text, pos[0])));
    // All the rest was inside the quotes.
    if (message.startsWith('Missing closing')) break;
  }
  return errors.length > 0;
}

/**
 * Where a fault is shown. What was never closed is noticed at the end of the text, where nothing stands: a quote is shown
 * where it opens, and all else at the last line that holds something.
 */
function openingOf(code: string, message: string, text: string, offset: number): number {
  const quote = /^Missing closing (["'])/.exec(message)?.[1];
  if (code === 'MISSING_CHAR' && quote !== undefined) {
    // No other quote of its kind stands behind the one that opens, but for those with a backslash in front.
    for (let at = text.lastIndexOf(quote, offset - 1); at >= 0; at = text.lastIndexOf(quote, at - 1)) {
      if (at === 0 || text[at - 1] !== '\\') return at;
    }
  }
  return text.slice(offset).trim() === '' ? Math.max(0, text.trimEnd().length - 1) : offset;
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]!.replace(/:$/, '');
}

function lineText(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', offset);
  return text.slice(start, end < 0 ? text.length : end).slice(0, 1000);
}

function syntaxFix(code: string, line: string): string {
  const pattern = /(?<![\w."'{}-])[\w.-]+\{\d+\.\.\d+\}[\w.-]*/.exec(line)?.[0];
  if (pattern !== undefined) return `quote the pattern: ${quote(pattern)}`;
  switch (code) {
    case 'BAD_SCALAR_START':
      return 'quote the text';
    case 'TAB_AS_INDENT':
      return 'indent with spaces';
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'quote a text that holds ": ", or put the map on lines of its own';
    default:
      return 'check quotes, brackets and indentation here and above';
  }
}

function toData(node: Node | null, home: number, marks: Marks, problems: Problems): unknown {
  if (node === null) return null;
  if (isAlias(node)) return HOLE;
  if (isScalar(node)) return scalarData(node);
  if (isSeq(node)) {
    const list: unknown[] = [];
    marks.place(list, node, home);
    for (const item of node.items as (Node | null)[]) {
      list.push(toData(item, item?.range?.[0] ?? home, marks, problems));
    }
    return list;
  }
  return isMap(node) ? mapData(node, home, marks, problems) : null;
}

function scalarData(node: { value: unknown; source?: string; anchor?: string; type?: string }): unknown {
  // `&.x` is an anchor on nothing, and has been reported.
  if (node.value === null && node.anchor) return HOLE;
  if (typeof node.value !== 'number') return node.value;
  return /^(0|-?[1-9]\d*)$/.test(node.source ?? '') ? node.value : Symbol(node.source);
}

function mapData(node: Node & { items: unknown[] }, home: number, marks: Marks, problems: Problems): object {
  const map: Record<string, unknown> = Object.create(null);
  marks.place(map, node as Parameters<Marks['place']>[1], home);
  for (const { key, value } of node.items as { key: Node; value: Node | null }[]) {
    const name = keyText(key);
    if (name === null) continue;
    const offset = key.range?.[0] ?? home;
    if (name === '__proto__') {
      problems.error('key-unknown', marks.position(offset), `${name} cannot be a key`, 'remove it');
      continue;
    }
    if (Object.hasOwn(map, name)) {
      const first = marks.key(map, name);
      const message = `${quote(name)} is written twice; the first is in line ${first.line}`;
      problems.error('yaml-duplicate-key', marks.position(offset), message, 'remove one, or join the two');
      problems.lose();
      continue;
    }
    map[name] = toData(value, offset, marks, problems);
  }
  return map;
}
