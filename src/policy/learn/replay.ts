import { WireError } from '../../wire/error.ts';
import { isTrustType } from '../../wire/iana.ts';
import { labelOffsets, nameFromText, nameToText } from '../../wire/name.ts';
import { type EpochSeconds, unreachable } from '../../wire/quantity.ts';
import { decide } from '../decide/decide.ts';
import { Decision, VERDICT } from '../decide/decision.ts';
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
  readonly identity: Identity;
  readonly stage: Stage | null;
  /** By name, as it was asked: the first of a chain. */
  readonly answers: Map<string, Answer>;
  /** Differences of it. */
  readonly found: Found[];
}

/** What the candidate says of a name and type at a place, and what has come of it. */
interface Answer {
  readonly type: number;
  readonly effect: Effect;
  readonly rule: RuleIndex;
  /** Made where it is needed, as all that belongs to one of millions. */
  found: Found[] | null;
  /** Of another type. */
  readonly next: Answer | undefined;
}

/** A difference that grows. */
interface Found extends Omit<Difference, 'questions' | 'jobs'> {
  questions: number;
  /** The first account, and with a second one all; -1 for none yet. */
  account: number;
  accounts: Set<number> | null;
  /** What an audit let through may be noise, which the end of the rows tells. */
  audited: AskedRow[] | null;
}

/**
 * Decides every question of the history under a candidate policy, as of `now` (seconds since 1970). An identity or stage that
 * the candidate lacks is `unknown`: local names that everybody has are all that it gets. Budgets are not replayed: what they contained stays so while a wildcard
 * approves it. Many jobs ask the same, so each name is decided once for each place and type.
 */
export class PolicyReplay {
  readonly #snapshot: Snapshot;
  readonly #now: EpochSeconds;
  /** By identity, then by stage. */
  readonly #places = new Map<string, Map<string, Place>>();
  readonly #rules = new Map<RuleIndex, ExplainedRule>();
  readonly #noise = new Map<string, SearchNoise | null>();
  readonly #decision = new Decision();
  /** One for all: a million names are decided. */
  readonly #subject = { name: new Uint8Array(0) as Uint8Array, labels: new Uint8Array(128), labelCount: 0 };
  #judged = 0;
  #unjudged = 0;

  constructor(snapshot: Snapshot, now: EpochSeconds) {
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
    const place = this.#place(row);
    const answer = this.#answer(place, row);
    const stays =
      before === 'contain' && answer.effect === 'allow' && isWildcard(this.#snapshot, answer.rule);
    const after = stays ? before : answer.effect;
    if (before === after) return;
    let found = answer.found?.find((each) => each.before === before);
    if (found === undefined) {
      const { identity, stage, name, type } = row;
      const rule = answer.rule < 0 ? null : this.#explained(answer.rule);
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
        account: -1,
        accounts: null,
        audited: null,
      };
      if (answer.found === null) answer.found = [found];
      else answer.found.push(found);
      place.found.push(found);
    }
    if (row.audited && this.#noise.get(row.identity) != null) {
      if (found.audited === null) found.audited = [row];
      else found.audited.push(row);
    } else add(found, row);
  }

  done(): ReplayResult {
    const differences: Difference[] = [];
    let noise = 0;
    for (const [, stages] of inOrder(this.#places)) {
      for (const [, { found: of }] of inOrder(stages)) {
        for (const found of of) {
          for (const row of found.audited ?? []) {
            if (this.#noise.get(row.identity)?.isNoise(row) === true) noise += row.count;
            else add(found, row);
          }
        }
        const changed = of.filter(({ questions }) => questions > 0);
        changed.sort((a, b) => compare(a.name, b.name) || a.type - b.type);
        for (const found of changed) differences.push(differenceOf(found));
      }
    }
    return { differences, judged: this.#judged, noise, unjudged: this.#unjudged };
  }

  #answer(place: Place, row: AskedRow): Answer {
    const first = place.answers.get(row.name);
    for (let answer = first; answer !== undefined; answer = answer.next)
      if (answer.type === row.type) return answer;
    const octets = nameFromText(row.name);
    const answer = this.#decide(place, octets instanceof WireError ? null : octets, row.type, first);
    place.answers.set(row.name, answer);
    return answer;
  }

  #explained(index: RuleIndex): ExplainedRule {
    let rule = this.#rules.get(index);
    if (rule === undefined) {
      rule = explainRule(this.#snapshot, index);
      this.#rules.set(index, rule);
    }
    return rule;
  }

  #decide(
    { identity, stage }: Place,
    name: Uint8Array | null,
    type: number,
    next: Answer | undefined,
  ): Answer {
    if (name === null) return { type, effect: 'deny', rule: -1, found: null, next };
    const out = this.#decision;
    out.clear();
    const subject = this.#subject;
    subject.name = name;
    subject.labelCount = labelOffsets(name, subject.labels);
    decide(this.#snapshot, (stage ?? identity).view, subject, type, false, this.#now, out);
    const verdict = EFFECTS[out.verdict]!;
    const refused = verdict === 'deny' || verdict === 'empty';
    const audited = identity.auditUntil > this.#now && !out.privateReverse && out.special === NO_NODE;
    const effect = refused && audited ? 'allow' : verdict;
    return { type, effect, rule: out.rule, found: null, next };
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
      const kept = { answers: new Map<string, Answer>(), found: [] };
      place =
        entered === undefined
          ? { identity: UNKNOWN, stage: null, ...kept }
          : { identity, stage: entered, ...kept };
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

function differenceOf(found: Found): Difference {
  const { identity, stage, name, type, before, after, becomes, rule, questions, accounts } = found;
  return { identity, stage, name, type, before, after, becomes, rule, questions, jobs: accounts?.size ?? 1 };
}

function add(found: Found, { count, account }: AskedRow): void {
  found.questions += count;
  if (found.account < 0) found.account = account;
  else if (found.accounts !== null) found.accounts.add(account);
  else if (found.account !== account) found.accounts = new Set([found.account, account]);
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

function inOrder<Value>(map: ReadonlyMap<string, Value>): [key: string, value: Value][] {
  return [...map].sort(([a], [b]) => compare(a, b));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
