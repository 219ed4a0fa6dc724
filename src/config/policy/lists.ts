import { isAscii } from 'node:buffer';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import type { ListInput, RuleTerms } from '../../policy/input.ts';
import type { Position } from '../../policy/problem.ts';
import type { Enclosure } from '../files/enclosure.ts';
import type { FileReader } from '../files/files.ts';
import { toAsciiName } from '../names.ts';
import { type Problems, TextFault } from '../problems.ts';
import { foreignForm, isEmptyList } from './list-forms.ts';

/** Reads plain text lists. A file that several destinations name is read, and kept, once. */
export class Lists {
  readonly #reader: FileReader;
  readonly #problems: Problems;
  readonly #within: Enclosure;
  readonly #texts = new Map<string, string | null>();

  /** `within`: where lists may lie. */
  constructor(reader: FileReader, within: Enclosure, problems: Problems) {
    this.#reader = reader;
    this.#within = within;
    this.#problems = problems;
  }

  /** The list at `path`, as `relativeTo` gives it, or null with a problem at `at`, where it is named. */
  read(path: string, terms: RuleTerms, at: Position): ListInput | null {
    let text = this.#texts.get(path);
    if (text === undefined) {
      text = this.#load(path, at);
      this.#texts.set(path, text);
    }
    return text === null ? null : { file: path, text, terms, at };
  }

  #load(path: string, at: Position): string | null {
    const text = this.#reader.readText(path, at, this.#problems, this.#within);
    if (text === null) return null;
    if (this.#isForeign(path, text)) return null;
    // Nearly every list is ASCII with LF: then the text is kept as it is.
    const ascii = isAscii(Buffer.from(text)) ? text : this.#convert(text, path);
    return ascii.includes('\r') ? ascii.replaceAll('\r\n', '\n') : ascii;
  }

  /** Reports a list without names, and one in the form of another program: once, and not a line at a time. */
  #isForeign(file: string, text: string): boolean {
    if (isEmptyList(text)) {
      const at = { file, line: 1, column: 1 };
      const fix = 'write one name a line, or remove it from names_from';
      // A file without a single mark may be half written; comments alone are somebody's intent.
      if (text.trim() === '') this.#problems.error('destination-empty', at, 'the list is empty', fix);
      else this.#problems.warn('destination-empty', at, 'the list holds comments, and no name', fix);
      return text.trim() === '';
    }
    const form = foreignForm(text);
    if (form === null) return false;
    const shell = /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;
    // Other forms have a name in several lines.
    const once = form.command?.endsWith('sort -u') === true ? '' : ' | sort -u';
    const fix =
      form.command === null
        ? form.advice
        : `convert it: ${form.command.replaceAll('$F', () => shell)}${once} > ${NEW} && mv ${NEW} ${shell}; ${form.advice}`;
    const message = `the list is ${form.what}, not one name a line`;
    this.#problems.error('list-form', { file, line: form.line, column: 1 }, message, fix);
    this.#problems.lose();
    return true;
  }

  /** Lines that are not ASCII, in ASCII: comments go, U-labels become A-labels, what is neither is reported and left out. */
  #convert(text: string, file: string): string {
    let converted = 0;
    let first: { at: Position; text: string } | null = null;
    const lines = text.split('\n').map((line, index) => {
      if (isAscii(Buffer.from(line))) return line;
      const bare = line.split('#', 1)[0]!.trim();
      const ascii = toAsciiName(bare);
      const column = line.indexOf(bare) + 1;
      const at = { file, line: index + 1, column };
      if (ascii instanceof TextFault) {
        this.#problems.fault(ascii, { ...at, column: column + ascii.offset });
        this.#problems.lose();
        return '';
      }
      if (ascii.converted) {
        converted++;
        first ??= { at, text: `${bare} is ${ascii.text}` };
      }
      // The column of what stands in the line stays.
      return ' '.repeat(column - 1) + ascii.text;
    });
    warnConverted(first, converted, this.#problems);
    return lines.join('\n');
  }
}

/** Where a conversion is written to first. */
const NEW = 'names.new';

function warnConverted(
  first: { at: Position; text: string } | null,
  count: number,
  problems: Problems,
): void {
  if (first === null) return;
  const more = count > 1 ? `, and ${count - 1} more lines of this list` : '';
  problems.warn('name-converted', first.at, `${first.text} on the wire${more}`, CONVERTED_FIX);
}

export const CONVERTED_FIX = 'check that this is the name that is meant; the A-label can be written as it is';

/** A path that a file names, as seen from where that file was seen. */
export function relativeTo(file: string, path: string): string {
  return isAbsolute(path) ? normalize(path) : join(dirname(file), path);
}
