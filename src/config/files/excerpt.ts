import { isError, type Problem } from '../../policy/problem.ts';
import type { Seconds } from '../../wire/quantity.ts';
import { dots, nextPem, withoutSecrets } from './secrets.ts';

export interface ExcerptOptions {
  /** ANSI colours, for terminals alone. */
  readonly color: boolean;
}

/**
 * `file:line:column: code: message`, the line with a caret under the column, and what to write instead. A warning says
 * so behind its message. The line is left out where `sources` does not have the file; what looks like a secret is hidden.
 */
export function formatProblem(
  problem: Problem,
  sources: ReadonlyMap<string, string>,
  options: ExcerptOptions,
): string {
  let lines = readers.get(sources);
  if (lines === undefined) {
    lines = new Lines(sources);
    readers.set(sources, lines);
  }
  const { color } = options;
  const { at, code, message, fix } = problem;
  const paint = (text: string, ansi: string): string => (color ? `\u001b[${ansi}m${text}\u001b[0m` : text);
  const hue = isError(problem) ? '31' : '33';
  const kind = isError(problem) ? '' : ' (warning)';
  const place = paint(`${printable(at.file)}:${at.line}:${at.column}:`, '1');
  const out = [`${place} ${paint(`${code}:`, hue)} ${printable(message)}${kind}`];
  const line = lines.get(at.file, at.line);
  if (line !== null) {
    const { text, padding } = cut(line, at.column - 1);
    out.push(text, `${padding}${paint('^', hue)}`);
  }
  out.push(`${paint('fix:', '32')} ${printable(fix)}`);
  return out.join('\n');
}

/** Where the reading of each set of texts stands: problems come sorted, and a list may have a million lines. */
const readers = new WeakMap<ReadonlyMap<string, string>, Lines>();

/** Columns of a line that are shown; longer ones are cut around the problem. */
const WIDTH = 100;

/** A part of `line` that holds `column` (from 0), and what stands under it up to there. */
function cut(line: string, column: number): { text: string; padding: string } {
  const at = Math.min(Math.max(column, 0), line.length);
  let start = line.length > WIDTH ? Math.max(0, Math.min(at - WIDTH / 2, line.length - WIDTH)) : 0;
  let end = Math.min(line.length, start + WIDTH);
  // Never half a surrogate pair.
  if (isLowSurrogate(line, start)) start++;
  if (isLowSurrogate(line, end)) end--;
  const before = start > 0 ? '…' : '';
  const text = before + printable(line.slice(start, end)) + (end < line.length ? '…' : '');
  return { text, padding: under(before + printable(line.slice(start, at))) };
}

function isLowSurrogate(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff;
}

/** White space as wide as `text`: tabs stay, wide characters count twice, marks not at all. */
function under(text: string): string {
  let out = '';
  for (const char of text) {
    if (char === '\t') out += char;
    else if (WIDE.test(char)) out += '  ';
    else if (!/[\p{M}\p{Cf}]/u.test(char)) out += ' ';
  }
  return out;
}

/** East Asian wide and fullwidth, and emoji (UAX #11), as terminals show them. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** What a terminal would obey instead of showing it becomes U+FFFD: a policy may come from a stranger's change. */
function printable(text: string): string {
  return text.replace(/(?!\t)\p{Cc}|[\u2028-\u202e\u2066-\u2069]|\p{Surrogate}/gu, '\ufffd');
}

/** Lines of texts. Asked in ascending order it reads each text once. */
class Lines {
  readonly #sources: ReadonlyMap<string, string>;
  #file = '';
  #line: Seconds = 1;
  #start = 0;
  /** The PEM block that the line lies in, or the next one. */
  #pem = { start: 0, end: 0 };

  constructor(sources: ReadonlyMap<string, string>) {
    this.#sources = sources;
  }

  get(file: string, line: number): string | null {
    const text = this.#sources.get(file);
    if (text === undefined) return null;
    if (file !== this.#file || line < this.#line) {
      this.#file = file;
      this.#line = 1;
      this.#start = 0;
      this.#pem = nextPem(text, 0);
    }
    for (; this.#line < line; this.#line++) {
      const newline = text.indexOf('\n', this.#start);
      if (newline < 0) return null;
      this.#start = newline + 1;
    }
    const end = text.indexOf('\n', this.#start);
    const shown = text.slice(this.#start, end < 0 ? text.length : end).replace(/\r$/, '');
    while (this.#pem.end < this.#start) this.#pem = nextPem(text, this.#pem.end);
    return this.#pem.start <= this.#start + shown.length ? dots(shown) : withoutSecrets(shown);
  }
}
