/** Traces of questions: `*.tsv` (seconds, client, name, type; a header line) and `*.names.txt` (one name a line). */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { getDomain } from 'tldts';
import { lowerName, nameFromText, nameToText } from '../../src/wire/name.ts';

export interface Asked {
  /** Since the first question of the trace; a list of names has none, and is taken as one a second. */
  readonly seconds: number;
  readonly client: string;
  /** Wire form in lower case. */
  readonly name: Uint8Array;
  readonly text: string;
  readonly type: string;
  /** The registered domain, by the public suffix list with its private part; empty where there is none. */
  readonly zone: string;
  /** Octets of a tunnel's payload, where the trace knows them. */
  readonly payload: number | null;
}

export interface Trace {
  readonly file: string;
  readonly asked: readonly Asked[];
}

export function readTrace(path: string): Trace {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  const rows = path.endsWith('.tsv')
    ? lines.slice(1).map((line) => line.split('\t'))
    : lines.map((line, i) => [String(i), 'c1', line, 'A']);
  const asked: Asked[] = [];
  for (const [seconds = '0', client = 'c1', text = '', type = 'A', payload] of rows) {
    const name = nameFromText(text);
    if (!(name instanceof Uint8Array)) continue;
    const lower = lowerName(name);
    asked.push({
      seconds: Number(seconds),
      client,
      name: lower,
      text: nameToText(lower),
      type,
      zone: registeredDomain(nameToText(lower)),
      payload: payload === undefined ? null : Number(payload),
    });
  }
  return { file: basename(path), asked };
}

/** The zone that most questions of a trace share: the longest suffix of nine tenths of them, one label or more below the top. */
export function commonZone({ asked }: Trace): string | null {
  const counts = new Map<string, number>();
  for (const { text } of asked) {
    const labels = text.split('.').filter((label) => label !== '');
    for (let at = 1; at < labels.length - 1; at++) {
      const suffix = labels.slice(at).join('.');
      counts.set(suffix, (counts.get(suffix) ?? 0) + 1);
    }
  }
  let best: string | null = null;
  for (const [suffix, count] of counts) {
    if (count < asked.length * 0.9) continue;
    if (best === null || suffix.length > best.length) best = suffix;
  }
  return best;
}

function registeredDomain(text: string): string {
  if (/[\\]/.test(text)) return '';
  return getDomain(text, { allowPrivateDomains: true, validateHostname: false }) ?? '';
}
