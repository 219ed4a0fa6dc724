import { existsSync, readFileSync } from 'node:fs';
import { styleText } from 'node:util';

export const EXIT_GOOD = 0;
export const EXIT_PROBLEMS = 1;
export const EXIT_USAGE = 2;

/** How a verb tells its exit code. */
export type Done = (code: number) => void;

/** The server file where no --config names one: the first of these that is there. */
const SERVER_FILES = ['config/namegate.yaml', '/etc/namegate/namegate.yaml'];

export const CONFIG_HELP = `server file (default: ${SERVER_FILES[0]}, else ${SERVER_FILES[1]})`;

export function serverFile(option: string | undefined): string {
  return option ?? SERVER_FILES.find((path) => existsSync(path)) ?? SERVER_FILES[0]!;
}

/** Lines for a person or a script on the standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Lines about trouble, on the standard error. */
export function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Styles for what is written to a stream: none unless it is a terminal, or where NO_COLOR asks for none. */
export function paint(stream: NodeJS.WriteStream, style: Parameters<typeof styleText>[0], text: string): string {
  return useColor(stream) ? styleText(style, text, { validateStream: false }) : text;
}

export function useColor(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env['NO_COLOR'];
}

/** The package's version. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
