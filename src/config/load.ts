import { dirname, join, resolve } from 'node:path';
import { compile } from '../policy/compile/compile.ts';
import { renewable } from '../policy/compile/renewable.ts';
import type { IdentityInput, PolicyInput } from '../policy/input.ts';
import { isError, type Position, type Problem } from '../policy/problem.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import type { Settings } from '../settings/settings.ts';
import { Enclosure } from './files/enclosure.ts';
import { FileReader, reportUnread } from './files/files.ts';
import { isFolder } from './files/look.ts';
import { withoutSecrets } from './files/secrets.ts';
import { readYaml } from './files/yaml.ts';
import { contentOf, freeze, type LoadOptions, type LoadResult } from './loaded.ts';
import { withAdditions } from './policy/additions.ts';
import { exceptionFile, withExceptions } from './policy/exceptions.ts';
import { Lists, relativeTo } from './policy/lists.ts';
import { type PolicyPart, readPolicyFile } from './policy/policy-file.ts';
import { TermPool } from './policy/rules.ts';
import { suffixTable } from './policy/suffixes.ts';
import { MAX_PROBLEMS, Problems, sortProblems } from './problems.ts';
import { policySchema } from './schema/policy-schema.ts';
import { serverSchema } from './schema/server-schema.ts';
import { checkShape } from './schema/shape.ts';
import { machineAddresses } from './server/ourselves.ts';
import { readPolicyPlace } from './server/policy-place.ts';
import { readServerFile } from './server/server-file.ts';
import { warnStrangers } from './server/strangers.ts';

/**
 * Reads a server file, its policy and the lists that this names, and compiles them. Never throws for what stands in
 * files, or for files that are not there: these are problems.
 */
export function load(serverFile: string, options: LoadOptions): LoadResult {
  const loading = new Loading(options);
  const settings = loading.server(serverFile);
  return loading.done(settings);
}

/**
 * The same for what `check PATH` names: a policy file, a folder of them, or a server file, told apart by what they hold
 * (a server file has `listen`, `upstreams` or `policy`). For a policy alone `settings` is null.
 */
export function loadPolicyOnly(path: string, options: LoadOptions): LoadResult {
  const seen = new FileReader().see(path);
  if (seen.kind === 'file' && isServerFile(seen.bytes.toString('utf8'))) return load(path, options);
  const loading = new Loading(options);
  loading.policy(path, { file: path, line: 1, column: 1 });
  return loading.done(null);
}

/** By keys at the start of a line, so that a file which is no YAML at all is still reported as what it was meant to be. */
function isServerFile(text: string): boolean {
  const bare = text.replace(/^\ufeff/, '').trimStart();
  const keys = '(?:listen|upstreams|policy)["\']?[ \\t]*:';
  // In one pair of braces, as JSON has it, keys stand anywhere.
  return new RegExp(bare.startsWith('{') ? `[{,\\s]["']?${keys}` : `^["']?${keys}`, 'm').test(bare);
}

/** One load from start to end. */
class Loading {
  readonly #options: LoadOptions;
  readonly #problems = new Problems();
  readonly #reader = new FileReader();
  readonly #terms = new TermPool();
  #compiled: { snapshot: Snapshot; problems: Problem[] } | null = null;
  /** Destinations that the server file names, with where it does. */
  #named: { readonly name: string; readonly at: Position }[] = [];
  /** Identities that its tokens name. */
  readonly #identitiesNamed: { readonly name: string; readonly at: Position }[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  server(file: string): Settings | null {
    const problems = this.#problems;
    const text = this.#reader.readText(file, { file, line: 1, column: 1 }, problems);
    const yaml = text === null ? null : readYaml(file, text, problems);
    const written = yaml === null ? null : checkShape(serverSchema, yaml, problems);
    if (yaml === null || written === null) return null;
    const override = this.#options.env['NAMEGATE_UPSTREAM'];
    if (override !== undefined) this.#reader.sources.set('NAMEGATE_UPSTREAM', override);
    const { marks } = yaml;
    const ownAddresses = machineAddresses();
    const identitiesNamed = this.#identitiesNamed;
    const { env, now } = this.#options;
    const reader = this.#reader;
    const context = { marks, problems, reader, override, now, env, ownAddresses, identitiesNamed };
    const place = readPolicyPlace(written, context);
    const settings = readServerFile(written, place?.path ?? relativeTo(file, ''), context);
    const names = written.renew?.names;
    if (Array.isArray(names)) {
      this.#named = names.flatMap((name, i) =>
        name === undefined ? [] : [{ name, at: marks.value(names, i) }],
      );
    }
    if (place !== null) this.policy(place.path, place.at, place.mayRead);
    if (settings !== null) this.#checkRenewal(settings, marks.value(written, 'renew'));
    return settings;
  }

  /** Reads and compiles the policy at `path`; `at` is where it is named, `mayRead` what it may read beside its own folder. */
  policy(path: string, at: Position, mayRead: readonly string[] = []): void {
    const parts: PolicyPart[] = [];
    let whole = true;
    const own = isFolder(path) ? path : dirname(path);
    const within = new Enclosure([own, ...mayRead].map((folder) => resolve(folder)));
    const lists = new Lists(this.#reader, within, this.#problems);
    for (const file of this.#policyFiles(path, at)) {
      const part = this.#policyFile(file.path, file.at, lists, within);
      if (part === null) whole = false;
      else parts.push(part);
    }
    if (parts.length === 0) return;
    const input: PolicyInput = {
      destinations: parts.flatMap(({ destinations }) => destinations),
      identities: this.#identities(parts, whole),
      records: parts.flatMap(({ records }) => records),
      redirects: parts.flatMap(({ redirects }) => redirects),
    };
    const { now, salt } = this.#options;
    const { snapshot, problems } = compile(input, suffixTable(), { now, salt });
    this.#compiled = { snapshot, problems: problems.filter((problem) => this.#isCertain(problem, whole)) };
    if (!whole) return;
    warnStrangers(this.#identitiesNamed, input.identities, this.#problems);
    const known = new Set(input.destinations.map(({ name }) => name));
    for (const { name, at } of this.#named) {
      if (known.has(name)) continue;
      const message = `there is no destination ${name}`;
      this.#problems.error('destination-unknown', at, message, 'write the name of a destination, or all');
    }
  }

  #identities(parts: readonly PolicyPart[], whole: boolean): readonly IdentityInput[] {
    const written = withAdditions(
      parts.flatMap(({ identities }) => identities),
      parts.flatMap(({ additions }) => additions),
      whole,
      this.#problems,
    );
    return withExceptions(written, this.#options.exceptions ?? [], this.#reader, this.#problems);
  }

  /** Renewing some names and not others would tell by its silence which ones a client asked for. */
  #checkRenewal({ renew }: Settings, at: Position): void {
    if (renew === null || this.#compiled === null) return;
    const { max, names } = renew;
    if (renewable(this.#compiled.snapshot, names, max, this.#options.now).length <= max) return;
    const message = `more than ${max} names would be renewed`;
    this.#problems.error(
      'renew-many',
      at,
      message,
      'raise renew.max, or name the destinations to be renewed',
    );
  }

  #policyFiles(path: string, at: Position): { readonly path: string; readonly at: Position }[] {
    if (!isFolder(path)) return [{ path, at }];
    const seen = this.#reader.see(path);
    if (seen.kind === 'fault') {
      reportUnread(path, seen, at, this.#problems);
      return [];
    }
    if (seen.kind !== 'folder') return [{ path, at }];
    if (seen.names.length === 0) {
      const message = `${path} holds no policy file`;
      this.#problems.error('policy-empty', at, message, 'write one that ends in .yaml, or correct the path');
    }
    const { passesOver } = this.#options;
    const files = seen.names.map((name) => join(path, name));
    const read = passesOver === undefined ? files : files.filter((file) => !passesOver(file));
    return read.map((file) => ({ path: file, at: { file, line: 1, column: 1 } }));
  }

  /** One file, or null where it has no structure that could be read. */
  #policyFile(path: string, at: Position, lists: Lists, within: Enclosure): PolicyPart | null {
    const problems = this.#problems;
    const text = this.#reader.readText(path, at, problems, within);
    const yaml = text === null ? null : readYaml(path, text, problems);
    const written = yaml === null ? null : checkShape(policySchema, yaml, problems);
    if (yaml === null || written === null) {
      problems.lose();
      return null;
    }
    const { marks } = yaml;
    const shared = { problems, reader: this.#reader, lists, terms: this.#terms };
    return readPolicyFile(written, { marks, ...shared });
  }

  /**
   * Whether a problem of meaning holds though parts of the policy could not be read: what is said to be missing may
   * stand in them.
   */
  #isCertain({ code }: Problem, whole: boolean): boolean {
    if (code === 'destination-unknown') return whole;
    return !(this.#problems.lost && ABOUT_MISSING.has(code));
  }

  /** They approve nothing, and are compiled to say when they ended: whatever is wrong with them keeps nothing out. */
  #endedExceptions(): ReadonlySet<string> {
    const { exceptions = [], now } = this.#options;
    return new Set(exceptions.filter(({ until }) => until <= now).map(({ id }) => exceptionFile(id)));
  }

  done(settings: Settings | null): LoadResult {
    const over = this.#endedExceptions();
    const found = [...this.#problems.list, ...(this.#compiled?.problems ?? [])];
    const all = over.size === 0 ? found : found.filter(({ at }) => !over.has(at.file));
    const files = this.#reader.hash();
    const good = !all.some(isError) && this.#compiled !== null;
    return {
      problems: capped(sortProblems(all)).map(hideSecrets),
      settings: good && settings !== null ? freeze(settings) : null,
      snapshot: good ? this.#compiled!.snapshot : null,
      sources: this.#reader.sources,
      files: this.#reader.files,
      barred: this.#reader.barred,
      digests: this.#reader.digests,
      hash: files,
      content: contentOf(files, this.#options.exceptions ?? []),
    };
  }
}

const ABOUT_MISSING = new Set([
  'destination-unused',
  'identity-unreachable',
  'record-unapproved',
  'redirect-unapproved',
]);

function hideSecrets(problem: Problem): Problem {
  return { ...problem, message: withoutSecrets(problem.message), fix: withoutSecrets(problem.fix) };
}

/** At most MAX_PROBLEMS a file, sorted as they are. */
function capped(problems: readonly Problem[]): Problem[] {
  const counts = new Map<string, number>();
  return problems.flatMap((problem) => {
    const { file } = problem.at;
    const count = (counts.get(file) ?? 0) + 1;
    counts.set(file, count);
    if (count <= MAX_PROBLEMS) return [problem];
    if (count > MAX_PROBLEMS + 1) return [];
    const message = `more than ${MAX_PROBLEMS} problems in this file; the rest is not shown`;
    return [{ ...problem, code: 'problems-more', message, fix: 'mend the first ones' }];
  });
}
