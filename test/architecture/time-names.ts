import type { Token } from './source.ts';

/**
 * Declarations that hold a time by their name and are plain numbers: a parameter, a field, a constant or what is returned. A
 * time has a type of `src/wire/quantity.ts`. `at` and `end` alone are also places in octets, so that no name tells.
 */
export interface PlainTime {
  readonly name: string;
  /** From 1. */
  readonly line: number;
}

const TIME =
  /^#?(?:now|until|since|deadline|timeout|ttl|age|elapsed|patience|uptime|thisUpdate|nextUpdate|epoch|monotonic|milliseconds|seconds|ms|began|expires)$|[a-z](?:Until|Since|Now|Ttl|Ms|Deadline|Timeout|Age|Seconds|At)$|_(?:MS|S|TTL|SECONDS|AGE|ms|s)$|^(?:SECOND|MINUTE|HOUR|DAY)$/;

/** Functions that end so give what stands somewhere. */
const PLACE = /At$/;

/** Names that mean a time where the other of the pair is one. */
const PAIRS: Readonly<Record<string, string>> = { from: 'to', to: 'from', first: 'last', last: 'first' };
const MOMENT = /^(?:Epoch\w+|Monotonic|SinceBoot)$/;

/** Where the type of a declaration ends. */
const ENDS = new Set([',', ';', '=', '{', '}', ')']);

export function plainTimes(tokens: readonly Token[]): PlainTime[] {
  const found: PlainTime[] = [];
  for (const [at, { kind, text, line }] of tokens.entries()) {
    if (kind !== 'word' || !(TIME.test(text) || isBesideMoment(tokens, at))) continue;
    const before = tokens[at - 1]?.text ?? '';
    if (before === '.' || before === '?.' || before === '?') continue;
    let next = at + 1;
    if (tokens[next]?.text === '?') next++;
    const follows = tokens[next]?.text;
    if (follows === ':' && isPlain(tokens, next + 1)) found.push({ name: text, line });
    else if (follows === '(' && !PLACE.test(text)) {
      const close = closingOf(tokens, next);
      if (tokens[close + 1]?.text === ':' && isPlain(tokens, close + 2)) found.push({ name: text, line });
    } else if (follows === '=' && isConstant(before, text) && isNumber(tokens, next + 1)) {
      found.push({ name: text, line });
    }
  }
  return found;
}

/** Whether the declaration before or behind is the other of a pair, and a moment. */
function isBesideMoment(tokens: readonly Token[], at: number): boolean {
  const other = PAIRS[tokens[at]!.text];
  if (other === undefined) return false;
  for (let i = Math.max(0, at - 5); i < at + 9; i++) {
    if (tokens[i]?.text !== other || tokens[i + 1]?.text !== ':') continue;
    if (MOMENT.test(tokens[i + 2]?.text ?? '')) return true;
  }
  return false;
}

/** A constant of a file, or a field of a class: what a function keeps for a moment has the type of what it is made of. */
function isConstant(before: string, name: string): boolean {
  if (before === 'const') return name === name.toUpperCase();
  return name.startsWith('#') || before === 'readonly';
}

function isNumber(tokens: readonly Token[], at: number): boolean {
  const text = tokens[at]?.text ?? '';
  return /^[-\d]/.test(text) || text === 'Number' || /^[A-Z][A-Z_]+$/.test(text);
}

/** Whether the type that begins at `at` is `number`, may be `number`, or gives one. */
function isPlain(tokens: readonly Token[], at: number): boolean {
  for (let i = at; i < tokens.length && i < at + 12; i++) {
    const text = tokens[i]!.text;
    if (text === '(' && tokens[i + 1]?.text === ')') i++;
    else if (text === '=' && tokens[i + 1]?.text === '>') i++;
    else if (text === '<' || ENDS.has(text)) return false;
    else if (text === 'number') return ENDS.has(tokens[i + 1]?.text ?? '') || tokens[i + 1]?.text === '|';
    else if (tokens[i]!.kind !== 'word' && !['|', '('].includes(text)) return false;
  }
  return false;
}

function closingOf(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    if (tokens[at]?.text === '(') depth++;
    if (tokens[at]?.text === ')' && --depth === 0) return at;
  }
  return tokens.length;
}
