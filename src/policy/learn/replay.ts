import { WireError } from '../../wire/error.ts';
import { isTrustType } from '../../wire/iana.ts';
import { nameFromText, nameToText } from '../../wire/name.ts';
import { unreachable } from '../../wire/quantity.ts';
import { Decision, VERDICT } from '../decide/decision.ts';
import { decideAgain } from '../explain/explain.ts';
import { type ExplainedRule, explainRule } from '../explain/rule-text.ts';
import { UNKNOWN } from '../identity.ts';
import { type Identity, KIND, type RuleIndex, type Snapshot, type Stage } from '../snapshot.ts';
import { NO_NODE } from '../tree.ts';
import { type AskedRow, SearchNoise } from './asked-row.ts';

/** What a client got: `allow` where an audit resolved what the policy denies. */
export type Effect = AskedRow['verdict'];

/** Questions of one name and type that a candidate policy would treat otherwise. */
export interface Difference {
  readonly identity: string;
  readonly stage: string;
  readonly name: string;
  readonly type: number;
  readonly before: Effect;
  readonly after: Effect;
  /** What is new about it; `empty`: no data, for the name stands above approved ones. */
  readonly becomes: 'denied' | 'allowed' | 'contained' | 'local' | 'empty';
  /** The candidate's rule; null where none decides. */
  readonly rule: ExplainedRule | null;
  readonly questions: number;
  readonly jobs: number;
}

export interface ReplayResult {
  /** By identity, stage and name. */
  readonly differences: readonly Difference[];
  /** Questions that were decided anew; made by a search list; that stand for many names, or cannot be decided by the name alone. */
  readonly judged: number;
  readonly noise: number;
  readonly unjudged: number;
}

/** Who asks, in the candidate: null for nobody. */
interface Place {
  readonly number: number;
  readonly identity: Identity;
  readonly stage: Stage | null;
}

/** What the candidate says of a name and type at a place, and what has come of it. */
interface Answer {
  readonly effect: Effect;
  readonly rule: RuleIndex;
  readonly found: Found[];
}

/** A difference that grows. */
interface Found extends Omit<Difference, 'questions' | 'jobs'> {
  questions: number;
  readonly accounts: Set<number>;
  /** What an audit let through may be noise, which the end of the rows tells. */
  readonly audited: AskedRow[];
}

/** A name as it was asked, and what the candidate says of it by place and type. */
interface KnownName {
  readonly octets: Uint8Array | null;
  readonly answers: Map<number, Answer>;
}

/**
 * Decides every question of the history under a candidate policy, as of `now` (seconds since 1970). An identity or stage that
 * the candidate lacks is `unknown`: local names that everybody has are all that it gets. Budgets are not replayed: what they contained stays so while a wildcard
 * approves it. Many jobs ask the same, so each name is decided once for each place and type.
 */
export class PolicyReplay {
  readonly #snapshot: Snapshot;
  readonly #now: number;
  /** By identity, then by stage. */
  readonly #places = new Map<string, Map<string, Place>>();
  #placeCount = 0;
  readonly #names = new Map<string, KnownName>();
  readonly #found: Found[] = [];
  readonly #noise = new Map<string, SearchNoise | null>();
  readonly #decision = new Decision();
  #judged = 0;
  #unjudged = 0;

  constructor(snapshot: Snapshot, now: number) {
    this.#snapshot = snapshot;
    this.#now = now;
  }

  take(row: AskedRow): void {
    this.#noiseOf(row.identity)?.see(row);
    // What a validator asks for hangs on the answers that it was given.
    if (row.folded !== 0 || (isTrustType(row.type) && row.ground !== 'rule')) {
      this.#unjudged += row.count;
      return;
    }
    this.#judged += row.count;
    const before = row.audited ? 'allow' : row.verdict;
    const answer = this.#answer(row);
    const stays =
      before === 'contain' && answer.effect === 'allow' && isWildcard(this.#snapshot, answer.rule);
    const after = stays ? before : answer.effect;
    if (before === after) return;
    let found = answer.found.find((each) => each.before === before);
    if (found === undefined) {
      const { identity, stage, name, type } = row;
      const rule = answer.rule < 0 ? null : explainRule(this.#snapshot, answer.rule);
      const becomes = becomesOf(after, rule);
      found = {
        identity,
        stage,
        name,
        type,
        before,
        after,
        becomes,
        rule,
        questions: 0,
        accounts: new Set(),
        audited: [],
      };
      answer.found.push(found);
      this.#found.push(found);
    }
    if (row.audited && this.#noise.get(row.identity) != null) found.audited.push(row);
    else add(found, row);
  }

  done(): ReplayResult {
    let noise = 0;
    for (const found of this.#found) {
      for (const row of found.audited) {
        if (this.#noise.get(row.identity)?.isNoise(row) === true) noise += row.count;
        else add(found, row);
      }
    }
    const differences = this.#found
      .filter(({ questions }) => questions > 0)
      .map(({ accounts, audited, ...rest }): Difference => ({ ...rest, jobs: accounts.size }))
      .sort(
        (a, b) =>
          compare(a.identity, b.identity) ||
          compare(a.stage, b.stage) ||
          compare(a.name, b.name) ||
          a.type - b.type,
      );
    return { differences, judged: this.#judged, noise, unjudged: this.#unjudged };
  }

  #answer(row: AskedRow): Answer {
    const place = this.#place(row);
    let name = this.#names.get(row.name);
    if (name === undefined) {
      const octets = nameFromText(row.name);
      name = { octets: octets instanceof WireError ? null : octets, answers: new Map() };
      this.#names.set(row.name, name);
    }
    const key = place.number * 0x1_0000 + row.type;
    let answer = name.answers.get(key);
    if (answer === undefined) {
      answer = this.#decide(place, name.octets, row.type);
      name.answers.set(key, answer);
    }
    return answer;
  }

  #decide({ identity, stage }: Place, name: Uint8Array | null, type: number): Answer {
    if (name === null) return { effect: 'deny', rule: -1, found: [] };
    const out = this.#decision;
    out.clear();
    decideAgain(this.#snapshot, identity, stage, name, type, this.#now, out);
    const verdict = EFFECTS[out.verdict]!;
    const refused = verdict === 'deny' || verdict === 'empty';
    const audited = identity.auditUntil > this.#now && !out.privateReverse && out.special === NO_NODE;
    return { effect: refused && audited ? 'allow' : verdict, rule: out.rule, found: [] };
  }

  #place({ identity: name, stage }: AskedRow): Place {
    let stages = this.#places.get(name);
    if (stages === undefined) {
      stages = new Map();
      this.#places.set(name, stages);
    }
    let place = stages.get(stage);
    if (place === undefined) {
      const identity = this.#snapshot.identities.find((each) => each.name === name) ?? UNKNOWN;
      const entered = stage === '' ? null : identity.stages.find((each) => each.name === stage);
      const number = this.#placeCount++;
      place =
        entered === undefined
          ? { number, identity: UNKNOWN, stage: null }
          : { number, identity, stage: entered };
      stages.set(stage, place);
    }
    return place;
  }

  /** Null for an identity whose stubs append nothing. */
  #noiseOf(name: string): SearchNoise | null {
    let noise = this.#noise.get(name);
    if (noise === undefined) {
      const suffixes = this.#snapshot.identities.find((each) => each.name === name)?.search ?? [];
      noise = suffixes.length === 0 ? null : new SearchNoise(suffixes.map(nameToText));
      this.#noise.set(name, noise);
    }
    return noise;
  }
}

function add(found: Found, { count, account }: AskedRow): void {
  found.questions += count;
  found.accounts.add(account);
}

const EFFECTS: Readonly<Record<number, Effect>> = {
  [VERDICT.DENY]: 'deny',
  [VERDICT.EMPTY]: 'empty',
  [VERDICT.ALLOW]: 'allow',
  [VERDICT.LOCAL]: 'local',
};

/** A type that is not approved is a denial to who asks for it. */
function becomesOf(after: Effect, rule: ExplainedRule | null): Difference['becomes'] {
  switch (after) {
    case 'allow':
      return 'allowed';
    case 'contain':
      return 'contained';
    case 'local':
      return 'local';
    case 'empty':
      return rule === null ? 'empty' : 'denied';
    case 'deny':
      return 'denied';
    default:
      return unreachable(after);
  }
}

function isWildcard({ rules }: Snapshot, rule: number): boolean {
  return rule >= 0 && rules.kind[rule]! >= KIND.STAR;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
