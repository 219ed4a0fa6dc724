/** Reads `test/vectors/`: see the README there. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Vector {
  /** The file's name without `.txt`. */
  readonly name: string;
  readonly octets: Buffer;
  /** What follows `expect: query`. */
  readonly query: string;
  /** What follows `expect: message`, or null. */
  readonly message: string | null;
  /** The first line of its comment. */
  readonly title: string;
}

const FOLDER = new URL('../vectors/', import.meta.url);

/** All vectors, by name. Throws where a file is not as the README says. */
export function vectors(): Vector[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .map((file) => readVector(file, readFileSync(new URL(file, FOLDER), 'utf8')));
}

export function readVector(file: string, text: string): Vector {
  const expected = new Map<string, string>();
  let title: string | null = null;
  let hex = '';
  for (const line of text.split('\n')) {
    const comment = line.indexOf('#');
    const bare = (comment < 0 ? line : line.slice(0, comment)).trim();
    if (comment >= 0) title ??= line.slice(comment + 1).trim();
    const expectation = /^expect: (query|message) (.+)$/.exec(bare);
    if (expectation === null) {
      hex += bare.replaceAll(/\s/g, '');
      continue;
    }
    const [, reader, result] = expectation as unknown as [string, string, string];
    if (expected.has(reader)) throw new Error(`${file}: expect: ${reader} stands twice`);
    expected.set(reader, result);
  }
  const query = expected.get('query');
  if (!file.endsWith('.txt')) throw new Error(`${file} does not end in .txt`);
  if (title === null || title === '') throw new Error(`${file} does not say what it is`);
  if (!/^(?:[0-9a-f]{2})*$/i.test(hex)) throw new Error(`${file} holds what is not hexadecimal`);
  if (query === undefined) throw new Error(`${file} has no line expect: query`);
  const octets = Buffer.from(hex, 'hex');
  return { name: file.slice(0, -4), octets, query, message: expected.get('message') ?? null, title };
}
