import { readdirSync, readFileSync } from 'node:fs';

/** The pages that a user or contributor reads, by path from the repository's root. */
export const PAGES: readonly string[] = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync('docs')
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

/** What a user reads: the README and docs/. */
export const USER_PAGES = PAGES.filter((path) => path === 'README.md' || path.startsWith('docs/'));

/** The text of a page. */
export function page(path: string): string {
  return readFileSync(path, 'utf8');
}

/** A fenced block: its first word is the language, and `kind` is the whole line behind the fence. */
export interface Block {
  readonly kind: string;
  readonly text: string;
  /** The line of its fence, from 1. */
  readonly line: number;
}

export function blocks(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    kind: match[1] ?? '',
    text: match[2] ?? '',
    line: markdown.slice(0, match.index).split('\n').length,
  }));
}

/** A command that a page shows behind `$`, and the lines that it says come out. */
export interface Shown {
  readonly command: string;
  readonly expected: readonly string[];
}

/** The commands of the fenced blocks of one kind. */
export function consoleBlocks(markdown: string, kind: string): Shown[] {
  return blocks(markdown)
    .filter((block) => block.kind === kind)
    .flatMap(({ text }) => text.split(/^\$ /m).slice(1))
    .map((part) => {
      const [command = '', ...expected] = part.trimEnd().split('\n');
      return { command, expected };
    });
}

/** Whether the output is the expected lines; a line `…` stands for any number of lines. */
export function linesMatch(output: string, expected: readonly string[]): boolean {
  const pattern = expected.map((line) =>
    line === '…' ? '(?:.*\\n)*?' : `${line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\n`,
  );
  return new RegExp(`^${pattern.join('')}$`).test(`${output.trimEnd()}\n`);
}

/** Whether each expected line is part of a line of the output, in this order. Runs of blanks count as one. */
export function linesContained(output: string, expected: readonly string[]): boolean {
  const lines = output.split('\n').map(plain);
  let from = 0;
  for (const line of expected.map(plain).filter((line) => line !== '')) {
    const at = lines.findIndex((shown, i) => i >= from && shown.includes(line));
    if (at < 0) return false;
    from = at + 1;
  }
  return true;
}

function plain(line: string): string {
  return line.replace(/\s+/g, ' ').trim();
}

/** A sentence of a page, and the line where its paragraph begins, from 1. */
export interface Sentence {
  readonly text: string;
  readonly line: number;
  readonly words: number;
}

/** The sentences outside code, tables, headings and comments. A list's entry and a colon at a line's end end one. */
export function sentences(markdown: string): Sentence[] {
  const bare = markdown
    .replace(/^```[\s\S]*?^```$/gm, blank)
    .replace(/<!--[\s\S]*?-->/g, blank)
    .replace(/^(?:\||#).*$/gm, '');
  const found: Sentence[] = [];
  let paragraph: string[] = [];
  let begin = 0;
  const finish = (): void => {
    const text = paragraph
      .join(' ')
      .replace(/`[^`]*`/g, 'code')
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    for (const sentence of text.split(/(?<=[.!?][)*_"”]*)\s+(?=[^a-z]|(?:code|namegate)\b)/)) {
      const words = sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
      if (words > 0) found.push({ text: sentence, line: begin, words });
    }
    paragraph = [];
  };
  for (const [i, line] of bare.split('\n').entries()) {
    const entry = /^\s*(?:[-*]|\d+\.) /.test(line);
    if (line.trim() === '' || entry) finish();
    if (line.trim() === '') continue;
    if (paragraph.length === 0) begin = i + 1;
    paragraph.push(line.replace(/^\s*(?:[-*]|\d+\.) /, '').trim());
    if (/:$/.test(line.trimEnd())) finish();
  }
  finish();
  return found;
}

/** As many newlines as the text has, so that lines keep their numbers. */
function blank(text: string): string {
  return text.replace(/[^\n]/g, '');
}

/** Relative links of a page: the path, which may be empty, and the anchor, which may be. */
export function links(markdown: string): { readonly path: string; readonly anchor: string }[] {
  const bare = markdown.replace(/^```[\s\S]*?^```$/gm, blank).replace(/`[^`\n]*`/g, '');
  return [...bare.matchAll(/\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map((match) => ({
    path: match[1] ?? '',
    anchor: match[2] ?? '',
  }));
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchors(markdown: string): Set<string> {
  const bare = markdown.replace(/^```[\s\S]*?^```$/gm, blank);
  const slugs = [...bare.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  );
  return new Set(slugs);
}
