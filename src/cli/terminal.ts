import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';
import { styleText } from 'node:util';
import { missingAt } from '../config/files/near.ts';
import { isJournal, PRIORITY } from '../report/journald.ts';

export const EXIT_GOOD = 0;
export const EXIT_PROBLEMS = 1;
export const EXIT_USAGE = 2;

/** What a verb writes to: process.stdout and process.stderr, or what a test puts in their place. */
export interface OutputStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Where a verb's words go, and its exit code. */
export class Terminal {
  /** What the verb says of how it went. */
  code = EXIT_GOOD;
  /** Something that was printed got lost. */
  lost = false;
  /** What is printed is for whoever looks on, and the verb goes on without: losing it is no failure. */
  courtesy = false;
  /** Colours are for terminals alone. */
  readonly colors: { readonly out: boolean; readonly err: boolean };
  readonly #out: OutputStream;
  readonly #err: OutputStream;

  constructor(out: OutputStream, err: OutputStream, env: Readonly<Record<string, string | undefined>>) {
    this.#out = out;
    this.#err = err;
    const wanted = !env['NO_COLOR'];
    this.colors = { out: wanted && out.isTTY === true, err: wanted && err.isTTY === true };
  }

  /** The standard output is a terminal, on which a screen may be drawn anew. */
  get isScreen(): boolean {
    return this.#out.isTTY === true;
  }

  get exitCode(): number {
    return this.lost && !this.courtesy ? this.code || EXIT_PROBLEMS : this.code;
  }

  /** Lines for a person or a script on the standard output. */
  print(text: string): void {
    this.#out.write(`${text}\n`);
  }

  /** Lines about trouble, on the standard error. */
  complain(text: string): void {
    this.#err.write(`${text}\n`);
  }

  /** A mistake in how a verb was called: tells it, and returns the exit code for it. */
  usage(verb: string, message: string): number {
    this.complain(`namegate ${verb}: ${escapeText(message)}`);
    return EXIT_USAGE;
  }

  /** A style for the standard output. */
  paint(style: Parameters<typeof styleText>[0], text: string): string {
    return this.colors.out ? styleText(style, text, { validateStream: false }) : text;
  }

  /** What commander writes: help, and mistakes. */
  get output(): { writeOut: (text: string) => void; writeErr: (text: string) => void } {
    return { writeOut: (text) => this.#out.write(text), writeErr: (text) => this.#err.write(text) };
  }
}

/**
 * The terminal of this process. A reader that goes away (`namegate check | head -1`) does not end it: what nobody
 * wants is lost, and the exit code stays what it is. Output that is lost for another reason is a failure.
 */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  const terminal = new Terminal(stdout, isJournal(2, env) ? new GraveLines(stderr) : stderr, env);
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || terminal.lost) return;
      terminal.lost = true;
      process.exitCode = terminal.exitCode;
      if (stream === stdout) terminal.complain(`namegate: the output could not be written: ${error.message}`);
    });
  }
  return terminal;
}

/** Lines for journald, which takes the priority from their beginning: errors, sd-daemon(3). */
class GraveLines implements OutputStream {
  readonly #stream: OutputStream;

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  write(text: string): unknown {
    return this.#stream.write(text.replace(/^(?=.)/gm, PRIORITY.error));
  }
}

/** The server file where no --config names one: the first of these that is there. */
const SERVER_FILES = ['config/namegate.yaml', '/etc/namegate/namegate.yaml'];

export const CONFIG_HELP = `server file (default: ${SERVER_FILES[0]}, else ${SERVER_FILES[1]})`;

export function serverFile(option: string | undefined): string {
  return option ?? SERVER_FILES.find((path) => existsSync(path)) ?? SERVER_FILES[0]!;
}

/** What is wrong with the server file that a verb would read, before it is read; null where it is there. */
export function missingServerFile(option: string | undefined): string | null {
  const file = serverFile(option);
  const missing = missingAt(file);
  return missing !== null && option === undefined
    ? `there is no ${SERVER_FILES.join(', nor ')}: name the server file with --config`
    : missing;
}

/**
 * Text from the network as it may stand on a terminal: octets of what is no letter, mark, number, punctuation, symbol
 * or blank are written `\DDD` (RFC 1035 §5.1), so that nothing in it moves the cursor or turns the direction.
 */
export function escapeText(text: string): string {
  return text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (char) => escapeOctets(Buffer.from(char)));
}

/** Every octet as `\DDD`. */
export function escapeOctets(octets: Uint8Array): string {
  return Array.from(octets, (octet) => `\\${String(octet).padStart(3, '0')}`).join('');
}

/** A path as people want it: relative to the working directory for what lies below it. */
export function shortPath(path: string): string {
  // Below the root a short path would lose its slash and nothing else.
  if (process.cwd() === '/') return path;
  const short = relative('', path);
  return short === '' || short.startsWith('..') || isAbsolute(short) ? path : short;
}

/** `1 name`, `2 names`; numbers above 999 with commas. */
export function count(number: number, noun: string): string {
  const plural = noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : `${noun}${noun.endsWith('s') ? 'es' : 's'}`;
  return `${inThousands(number)} ${number === 1 ? noun : plural}`;
}

/** `1,234,567`. By hand: `toLocaleString` loads tables of all the world's numbers, some 10 ms of a command that takes 400. */
function inThousands(number: number): string {
  return String(number).replace(/(?<=\d)(?=(\d{3})+$)/g, ',');
}

/** Names in a row, the first eight of many. */
export function enumerate(names: readonly string[]): string {
  const shown = names.slice(0, ENUMERATED).map(escapeText).join(', ');
  const more = names.length - ENUMERATED;
  return more > 0 ? `${shown} and ${inThousands(more)} more` : shown;
}

const ENUMERATED = 8;

/** The package's version. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
