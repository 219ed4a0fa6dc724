import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Prints what a program's first comment says, where its arguments ask for help; whether they did. `url`: the program's. */
export function printHelp(url: string, args: readonly string[] = process.argv.slice(2)): boolean {
  if (!args.includes('--help') && !args.includes('-h')) return false;
  process.stdout.write(helpOf(readFileSync(fileURLToPath(url), 'utf8')));
  return true;
}

/** The text of the first comment in a program. */
export function helpOf(source: string): string {
  const [, comment = ''] = /\/\*\*(.*?)\*\//s.exec(source) ?? [];
  const lines = comment.split('\n').map((line) => line.replace(/^ \* ?/, '').trimEnd());
  return `${lines.join('\n').trim()}\n`;
}
