import { readdirSync, readFileSync } from 'node:fs';

/** The pages that a user or contributor reads, by path from the repository's root. */
export const PAGES: readonly string[] = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs')
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

/** What a user reads: the README and docs/. */
export const USER_PAGES = PAGES.filter((page) => page === 'README.md' || page.startsWith('docs/'));

/** The text of a page. */
export function page(path: string): string {
  return readFileSync(path, 'utf8');
}

/** A command that a page shows behind `$`, and the lines that it says come out. */
export interface Shown {
  readonly command: string;
  readonly expected: readonly string[];
}

/** The commands of the fenced blocks of one kind. */
export function consoleBlocks(markdown: string, kind: string): Shown[] {
  const blocks = [...markdown.matchAll(new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\``, 'gm'))];
  return blocks.flatMap(([, text = '']) =>
    text
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...expected] = part.trimEnd().split('\n');
        return { command, expected };
      }),
  );
}

/** Whether the output is the expected lines; a line `…` stands for any number of lines. */
export function linesMatch(output: string, expected: readonly string[]): boolean {
  const pattern = expected.map((line) =>
    line === '…' ? '(?:.*\\n)*?' : `${line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\n`,
  );
  return new RegExp(`^${pattern.join('')}$`).test(`${output.trimEnd()}\n`);
}
