import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { nameToText } from '../wire/name.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import type { AccountRows, KnownAccount } from './account-rows.ts';
import type { HeardAsked, HeardQuestion } from './heard.ts';

/** Names of an account that have rows of their own, and registered domains that have one. */
const MOST_NAMES = 2_000;
const MOST_DOMAINS = 2_000;
/** Numbers of texts that are remembered. */
const MOST_KNOWN = 20_000;

/** A row of `asked`, and what its last question is told to besides. */
export interface Asked {
  readonly number: number;
  readonly account: number;
  readonly rule: number | null;
  readonly folded: number;
}

/** The tables `asked`, `name`, `view` and `rule`. */
export class QuestionRows {
  readonly #accounts: AccountRows;
  readonly #registered: (name: Uint8Array) => number;
  readonly #numbers = new Map<string, number>();
  /** Accounts in which a rule has decided. */
  readonly #used = new Set<string>();
  readonly #findName: StatementSync;
  readonly #addName: StatementSync;
  readonly #findView: StatementSync;
  readonly #addView: StatementSync;
  readonly #findRule: StatementSync;
  readonly #addRule: StatementSync;
  readonly #isUsed: StatementSync;
  readonly #useRule: StatementSync;
  readonly #touchRule: StatementSync;
  readonly #hasName: StatementSync;
  readonly #find: StatementSync;
  readonly #add: StatementSync;
  readonly #count: StatementSync;

  /** `registered`: where the registered domain of a wire name starts. */
  constructor(database: DatabaseSync, accounts: AccountRows, registered: (name: Uint8Array) => number) {
    this.#accounts = accounts;
    this.#registered = registered;
    const prepare = (sql: string): StatementSync => database.prepare(sql);
    this.#findName = prepare('SELECT number FROM name WHERE text = ?');
    this.#addName = prepare('INSERT INTO name (text, reverse) VALUES (?, ?)');
    this.#findView = prepare('SELECT number FROM view WHERE stage = ? AND policy = ?');
    this.#addView = prepare('INSERT INTO view (stage, policy) VALUES (?, ?)');
    this.#findRule = prepare(
      'SELECT number FROM rule WHERE identity = ? AND place = ? AND pattern = ? AND hash = ?',
    );
    this.#addRule = prepare(
      'INSERT INTO rule (identity, place, pattern, hash, first, last, jobs) VALUES (?, ?, ?, ?, ?, ?, 0)',
    );
    this.#isUsed = prepare('SELECT 1 FROM asked WHERE lease = ? AND rule = ? LIMIT 1');
    this.#useRule = prepare('UPDATE rule SET jobs = jobs + 1 WHERE number = ?');
    this.#touchRule = prepare('UPDATE rule SET last = MAX(last, ?) WHERE number = ?');
    this.#hasName = prepare('SELECT 1 FROM asked WHERE lease = ? AND name = ? AND folded = ? LIMIT 1');
    this.#find = prepare(`
      SELECT number FROM asked WHERE lease = ? AND name = ? AND type = ? AND folded = ? AND verdict = ? AND audited = ?
        AND proven = ? AND expected = ? AND view = ?`);
    this.#add = prepare(`
      INSERT INTO asked
        (lease, name, folded, type, verdict, audited, proven, expected, ground, approved_stage, rule, view, first, last, count)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`);
    this.#count = prepare('UPDATE asked SET count = count + ?, last = MAX(last, ?) WHERE number = ?');
  }

  /** Counts a question that is heard of; gives its row. */
  take({ question, folded, audited, others, pattern, hash }: HeardAsked): Asked {
    const { draft, at, type, proven, identity } = question;
    const account = this.#accounts.of(question, others);
    const place = this.#placeOf(question, folded, account);
    const { verdict = 'deny', ground = '', stage = '', policy = '' } = draft;
    const view = this.#number(`view ${stage} ${policy}`, this.#findView, this.#addView, [stage, policy]);
    const rule = draft.rule === undefined ? null : this.#ruleOf([identity, draft.rule, pattern, hash], at);
    const flags = [audited, proven, draft.expected === true].map(Number);
    const found = this.#find.get(account.number, place.name, type, place.folded, verdict, ...flags, view);
    if (rule !== null) this.#use(account, rule, at);
    if (found !== undefined) {
      const row = { number: found['number'] as number, account: account.number, rule, folded: place.folded };
      this.add(row, 1, at);
      return row;
    }
    const { lastInsertRowid } = this.#add.run(
      account.number,
      place.name,
      place.folded,
      type,
      verdict,
      ...flags,
      ground,
      draft.approved_stage ?? null,
      rule,
      view,
      at,
      at,
    );
    this.#accounts.began(account.number, Number(lastInsertRowid), at);
    return { number: Number(lastInsertRowid), account: account.number, rule, folded: place.folded };
  }

  /** Adds to the count of a row. `last`: when it was asked last, in milliseconds since 1970. */
  add({ number, account, rule }: Asked, count: number, last: EpochMilliseconds): void {
    this.#count.run(count, last, number);
    this.#accounts.asked(account, last);
    if (rule !== null) this.#touchRule.run(last, rule);
  }

  /** What was remembered may not be so. */
  forget(): void {
    this.#numbers.clear();
    this.#used.clear();
  }

  /** Which name a question is counted under: its own, its registered domain's, or that of all others. */
  #placeOf(
    { name, draft }: HeardQuestion,
    folded: number,
    account: KnownAccount,
  ): { name: number; folded: number } {
    if (folded === 0) {
      const own = this.#nameOf(draft.name ?? nameToText(name));
      if (account.names < MOST_NAMES) {
        if (this.#hasName.get(account.number, own, 0) === undefined) {
          account.names++;
          this.#accounts.grew(account);
        }
        return { name: own, folded: 0 };
      }
      if (this.#hasName.get(account.number, own, 0) !== undefined) return { name: own, folded: 0 };
    }
    if (folded < 2) {
      const domain = this.#nameOf(nameToText(name.subarray(this.#registered(name))));
      const key = `domain ${account.number} ${domain}`;
      if (this.#used.has(key) || this.#hasName.get(account.number, domain, 1) !== undefined)
        return { name: domain, folded: 1 };
      if (account.domains < MOST_DOMAINS) {
        account.domains++;
        this.#accounts.grew(account);
        this.#remember(key);
        return { name: domain, folded: 1 };
      }
    }
    return { name: this.#nameOf('.'), folded: 2 };
  }

  #nameOf(text: string): number {
    return this.#number(`name ${text}`, this.#findName, this.#addName, [text], [text, reverseOf(text)]);
  }

  #ruleOf(values: readonly string[], at: EpochMilliseconds): number {
    return this.#number(`rule ${values.join(' ')}`, this.#findRule, this.#addRule, values, [
      ...values,
      at,
      at,
    ]);
  }

  #use(account: KnownAccount, rule: number, at: EpochMilliseconds): void {
    this.#touchRule.run(at, rule);
    const key = `rule ${account.number} ${rule}`;
    if (this.#used.has(key)) return;
    if (this.#isUsed.get(account.number, rule) === undefined) this.#useRule.run(rule);
    this.#remember(key);
  }

  #remember(key: string): void {
    if (this.#used.size >= MOST_KNOWN) this.#used.clear();
    this.#used.add(key);
  }

  #number(
    key: string,
    find: StatementSync,
    add: StatementSync,
    values: readonly string[],
    more: readonly (string | number)[] = values,
  ): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const row = find.get(...values);
    const number = row === undefined ? Number(add.run(...more).lastInsertRowid) : (row['number'] as number);
    if (this.#numbers.size >= MOST_KNOWN) this.#numbers.clear();
    this.#numbers.set(key, number);
    return number;
  }
}

/** `a.b.example` as `.example.b.a`: labels the other way round, each behind a dot. The root is `.`. */
export function reverseOf(text: string): string {
  if (text === '.') return text;
  // A dot within a label is written with a backslash in front of it.
  const labels = text.match(/(?:\\.|[^.\\])+/g) ?? [];
  return labels
    .reverse()
    .map((label) => `.${label}`)
    .join('');
}
