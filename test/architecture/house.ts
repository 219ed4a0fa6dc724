import { type Dependency, dependenciesOf, type Token, tokensOf } from './source.ts';
import { plainTimes } from './time-names.ts';

/**
 * The house rules of ARCHITECTURE.md as a function of the source text: `breaches` reads a tree of files and
 * returns everything that breaks a rule. It touches no disk, so that its own tests can feed it small trees.
 */

/** Path below `src/`, with `/`, to the file's text. */
export type Tree = ReadonlyMap<string, string>;

export interface Breach {
  readonly rule:
    | 'rank'
    | 'room'
    | 'pure'
    | 'package'
    | 'length'
    | 'name'
    | 'cycle'
    | 'import'
    | 'twice'
    | 'dead'
    | 'switch'
    | 'time';
  /** Path below `src/`. */
  readonly file: string;
  /** From 1; 0 where the whole file is meant. */
  readonly line: number;
  readonly message: string;
}

/** Imports go strictly to a lower rank. A room that is not written here is a breach until it has a rank. */
const RANKS: Readonly<Record<string, number>> = {
  wire: 0,
  metric: 0,
  policy: 1,
  detect: 1,
  settings: 1,
  resolve: 2,
  socket: 3,
  database: 3,
  config: 4,
  cache: 4,
  upstream: 4,
  listen: 4,
  report: 4,
  identity: 4,
  journal: 4,
  outbox: 4,
  history: 4,
  admin: 5,
  assembly: 5,
  stub: 5,
  enforce: 5,
  'server.ts': 6,
  cli: 7,
  'main.ts': 8,
};

/** Up to this rank a room holds no socket, file, timer, clock or package. */
const LAST_PURE_RANK = 2;

/** Each package, and the rooms or files that know it. A package that is not written here is known to nobody. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  yaml: ['config'],
  zod: ['config'],
  chokidar: ['config'],
  tldts: ['config'],
  'ipaddr.js': ['config'],
  pino: ['report/log.ts'],
  'lru-cache': ['identity'],
  koffi: ['socket', 'report/service-manager.ts'],
  dns2: ['cli', 'config/policy/records.ts'],
  commander: ['cli'],
  fastify: ['admin'],
  '@fastify/swagger': ['admin'],
  jose: ['admin'],
};

const LONGEST_FILE = 320;

/**
 * Types whose name stands twice, and why. `Query`: the message as a client sent it, and as it goes to a server (RFC 9499).
 * `Delivery`: what a worker has to deliver, and its delivery by one sink.
 */
const SAME_WORD: ReadonlySet<string> = new Set(['Query', 'Delivery']);

/** Declarations with the name of a time that may be plain numbers, and why. */
const NO_TIMES: Readonly<Record<string, string>> = {
  'metric/histogram.ts milliseconds': 'the room stands beside the one that has the types',
  'outbox/count-writer.ts entryAt': 'a place in octets',
  'outbox/sinks/stdout.ts sendNow': 'what was sent, in octets',
  'policy/tree.ts labelAt': 'a place in octets',
  'socket/stream-calls.ts sendNow': 'what was sent, in octets',
};

/** Names that say nothing of what a file or folder holds. */
const GRAB_BAGS = /^(?:utils?|helpers?|types|common|misc|shared|lib|constants)$/;

/** What brings in the time, the machine, or chance. `Buffer` and `Uint8Array` are plain data. */
const IMPURE_GLOBALS = new Set([
  'process',
  'performance',
  'console',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'globalThis',
  'global',
  'crypto',
  'fetch',
  'navigator',
  'Worker',
  'WebSocket',
  'BroadcastChannel',
  'MessageChannel',
  'localStorage',
  'sessionStorage',
  'eval',
]);

/** Members that are impure on a global that is otherwise data. `Temporal.Now` is a clock too. */
const IMPURE_MEMBERS: Readonly<Record<string, string>> = { Date: 'now', Math: 'random', Temporal: 'Now' };

interface Room {
  readonly name: string;
  readonly rank: number;
}

export function breaches(tree: Tree): Breach[] {
  const found: Breach[] = [];
  const edges = new Map<string, { readonly to: string; readonly line: number }[]>();
  for (const [file, text] of tree) {
    const room = roomOf(file);
    found.push(...breachesOfName(file), ...breachesOfLength(file, text));
    if (room === null) {
      found.push({ rule: 'room', file, line: 0, message: `'${file.split('/')[0]}' has no rank` });
      continue;
    }
    const tokens = tokensOf(text);
    const dependencies = dependenciesOf(tokens);
    found.push(...breachesOfChoice(file, tokens), ...breachesOfTime(file, tokens));
    if (room.rank <= LAST_PURE_RANK) found.push(...breachesOfPurity(file, room, tokens));
    for (const dependency of dependencies) {
      if (dependency.specifier.startsWith('.')) {
        const target = resolve(file, dependency.specifier);
        found.push(...breachesOfImport(tree, file, room, dependency, target));
        if (tree.has(target))
          edges.set(file, [...(edges.get(file) ?? []), { to: target, line: dependency.line }]);
      } else {
        found.push(...breachesOfPackage(file, room, dependency));
      }
    }
  }
  found.push(...cycles(edges), ...breachesOfMeaning(tree), ...breachesOfUse(tree));
  return found.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

export function print(breach: Breach): string {
  return `src/${breach.file}:${breach.line}: ${breach.rule}: ${breach.message}`;
}

function roomOf(file: string): Room | null {
  const name = file.split('/')[0] as string;
  const rank = RANKS[name];
  return rank === undefined ? null : { name, rank };
}

function breachesOfName(file: string): Breach[] {
  const parts = file.split('/').map((part) => part.replace(/\.ts$/, ''));
  const bag = parts.find((part) => GRAB_BAGS.test(part));
  const found: Breach[] = [];
  if (bag !== undefined)
    found.push({ rule: 'name', file, line: 0, message: `'${bag}' does not say what it holds` });
  if (!file.endsWith('.ts')) {
    found.push({ rule: 'name', file, line: 0, message: 'the build copies no file that is not TypeScript' });
  }
  return found;
}

function breachesOfLength(file: string, text: string): Breach[] {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines <= LONGEST_FILE) return [];
  return [{ rule: 'length', file, line: 0, message: `${lines} lines, at most ${LONGEST_FILE}` }];
}

function breachesOfImport(
  tree: Tree,
  file: string,
  room: Room,
  dependency: Dependency,
  target: string,
): Breach[] {
  const { line, specifier } = dependency;
  if (!tree.has(target)) return [{ rule: 'import', file, line, message: `'${specifier}' is no file of src` }];
  const other = roomOf(target);
  if (other === null || other.name === room.name || other.rank < room.rank) return [];
  const message = `${room.name} (rank ${room.rank}) imports ${other.name} (rank ${other.rank})`;
  return [{ rule: 'rank', file, line, message }];
}

function breachesOfPackage(file: string, room: Room, { specifier, line }: Dependency): Breach[] {
  if (specifier === '') return [{ rule: 'import', file, line, message: 'an import whose name is computed' }];
  const pure = room.rank <= LAST_PURE_RANK;
  if (specifier.startsWith('node:')) {
    return pure ? [{ rule: 'pure', file, line, message: `${room.name} imports ${specifier}` }] : [];
  }
  const parts = specifier.split('/');
  const name = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] as string);
  const known = PACKAGES[name];
  if (known === undefined) return [{ rule: 'package', file, line, message: `nobody may import '${name}'` }];
  if (known.includes(room.name) || known.includes(file)) return [];
  return [{ rule: 'package', file, line, message: `'${name}' is known in ${known.join(', ')} alone` }];
}

function breachesOfPurity(file: string, room: Room, tokens: readonly Token[]): Breach[] {
  const found: Breach[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'word' || !standsAlone(tokens, at)) continue;
    const next = tokens[at + 1]?.text;
    const after = tokens[at + 2]?.text;
    let what: string | null = null;
    if (IMPURE_GLOBALS.has(token.text)) what = token.text;
    else if (next === '.' && after !== undefined && IMPURE_MEMBERS[token.text] === after)
      what = `${token.text}.${after}`;
    else if (next === '[' && IMPURE_MEMBERS[token.text] !== undefined) what = `${token.text}[…]`;
    else if (token.text === 'Date' && readsTheClock(tokens, at)) what = 'new Date()';
    if (what !== null)
      found.push({ rule: 'pure', file, line: token.line, message: `${room.name} uses ${what}` });
  }
  return found;
}

/**
 * Each switch ends in a `default`: `unreachable(value)` where the cases are all there are, so that the compiler stops at a new
 * one; else what becomes of the others. A switch without it passes over a new case in silence.
 */
function breachesOfChoice(file: string, tokens: readonly Token[]): Breach[] {
  const found: Breach[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'word' || token.text !== 'switch' || tokens[at + 1]?.text !== '(') continue;
    if (tokens[at - 1]?.text === '.') continue;
    let depth = 0;
    let hasDefault = false;
    for (let i = at; i < tokens.length; i++) {
      const { text } = tokens[i]!;
      if (text === '{') depth++;
      else if (text === '}' && --depth === 0) break;
      else if (depth === 1 && text === 'default' && tokens[i + 1]?.text === ':') hasDefault = true;
    }
    if (!hasDefault)
      found.push({ rule: 'switch', file, line: token.line, message: 'a switch without a default' });
  }
  return found;
}

/** A time has a type of its kind, so that the compiler takes no other. */
function breachesOfTime(file: string, tokens: readonly Token[]): Breach[] {
  return plainTimes(tokens)
    .filter(({ name }) => NO_TIMES[`${file} ${name}`] === undefined)
    .map(({ name, line }) => {
      const message = `${name} is a plain number: give it the kind of time that it is (wire/quantity.ts)`;
      return { rule: 'time', file, line, message };
    });
}

/** Whether a word is a name of its own: not a member, not a key, not part of a declaration of a member. */
function standsAlone(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1]?.text;
  const after = tokens[at + 1]?.text;
  if (before === '.' || before === '?.') return false;
  if (after === '?' && tokens[at + 2]?.text === ':') return false;
  const key = after === ':' && (before === '{' || before === ',' || before === ';' || before === 'readonly');
  return !key;
}

/** `Date()` and `new Date()` read the clock; `new Date(seconds * 1000)` does not. */
function readsTheClock(tokens: readonly Token[], at: number): boolean {
  const after = tokens[at + 1]?.text;
  if (tokens[at - 1]?.text !== 'new') return after === '(';
  return after !== '(' || tokens[at + 2]?.text === ')';
}

/** Exported types and file names: each has one meaning in the whole house. */
function breachesOfMeaning(tree: Tree): Breach[] {
  const found: Breach[] = [];
  const types = new Map<string, { readonly file: string; readonly line: number }[]>();
  const files = new Map<string, string[]>();
  for (const [file, text] of tree) {
    const name = file.split('/').at(-1) as string;
    if (name.endsWith('.ts')) files.set(name, [...(files.get(name) ?? []), file]);
    const tokens = tokensOf(text);
    for (const [at, { text: word, line }] of tokens.entries()) {
      if (word !== 'export') continue;
      const kind = tokens[at + 1]?.text === 'abstract' ? at + 2 : at + 1;
      const declared = tokens[kind + 1];
      if (!['class', 'interface', 'type'].includes(tokens[kind]?.text ?? '') || declared?.kind !== 'word')
        continue;
      types.set(declared.text, [...(types.get(declared.text) ?? []), { file, line }]);
    }
  }
  for (const [type, places] of types) {
    if (places.length < 2 || SAME_WORD.has(type)) continue;
    const { file, line } = places[0]!;
    const others = places.filter((place) => place.file !== file).map((place) => place.file);
    found.push({ rule: 'twice', file, line, message: `the type ${type} is in ${others.join(', ')} too` });
  }
  for (const [name, [file, ...others]] of files) {
    if (others.length > 0)
      found.push({
        rule: 'twice',
        file: file as string,
        line: 0,
        message: `${name} is ${others.join(', ')} too`,
      });
  }
  return found;
}

/** Exported functions, classes and values whose name stands nowhere else in the house: neither in another file nor in their own. */
function breachesOfUse(tree: Tree): Breach[] {
  const uses = new Map<string, number>();
  const declared: { readonly name: string; readonly file: string; readonly line: number }[] = [];
  for (const [file, text] of tree) {
    const tokens = tokensOf(text);
    for (const [at, { kind, text: word, line }] of tokens.entries()) {
      if (kind === 'word') uses.set(word, (uses.get(word) ?? 0) + 1);
      if (word !== 'export') continue;
      let next = at + 1;
      while (['abstract', 'async', '*'].includes(tokens[next]?.text ?? '')) next++;
      if (!['function', 'class', 'const', 'let'].includes(tokens[next]?.text ?? '')) continue;
      if (tokens[next + 1]?.text === '*') next++;
      const name = tokens[next + 1];
      if (name?.kind === 'word') declared.push({ name: name.text, file, line });
    }
  }
  return declared
    .filter(({ name }) => uses.get(name) === 1)
    .map(({ name, file, line }) => ({ rule: 'dead', file, line, message: `nobody uses ${name}` }));
}

/** Each file that can reach itself, once for each cycle that a walk meets. */
function cycles(
  edges: ReadonlyMap<string, readonly { readonly to: string; readonly line: number }[]>,
): Breach[] {
  const found: Breach[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const walk = (file: string): void => {
    trail.push(file);
    for (const { to, line } of edges.get(file) ?? []) {
      const start = trail.indexOf(to);
      if (start >= 0) {
        found.push({ rule: 'cycle', file, line, message: [...trail.slice(start), to].join(' → ') });
      } else if (!done.has(to)) {
        walk(to);
      }
    }
    trail.pop();
    done.add(file);
  };
  for (const file of edges.keys()) if (!done.has(file)) walk(file);
  return found;
}

/** `from` and the result are paths below `src/`; a path that leaves it begins with `..`. */
function resolve(from: string, specifier: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '.' || part === '') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}
