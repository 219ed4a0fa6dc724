import { TYPE, typeToText } from '../../wire/iana.ts';
import { labelOffsets, nameToText } from '../../wire/name.ts';
import { type EpochSeconds, type RrType, unreachable } from '../../wire/quantity.ts';
import { decide } from '../decide/decide.ts';
import { Decision, GROUND, GROUND_TEXT, type Ground, VERDICT, type Verdict } from '../decide/decision.ts';
import { approvedElsewhere } from '../decide/elsewhere.ts';
import { findExpected } from '../decide/expected.ts';
import { type Identity, KIND, type Snapshot, type Stage } from '../snapshot.ts';
import { NO_NODE } from '../tree.ts';
import { findNear, type Miss, missOf } from './near-miss.ts';
import { denialReason, REASON, whomToAsk } from './reason.ts';
import { LEAST_LETTERS, lookForResembling } from './resembling.ts';
import { type ExplainedRule, explainRule, ruleText, typesOf } from './rule-text.ts';

/** Why a question is answered as it is, and what to do about it: what `explain` and `_why` say. */
export interface Explanation {
  readonly verdict: 'allow' | 'local' | 'empty' | 'deny';
  readonly mode: 'enforce' | 'audit';
  readonly identity: string;
  readonly stage: string | null;
  readonly name: string;
  readonly type: string;
  /** The rule that decides; null where none does. */
  readonly rule: ExplainedRule | null;
  /** What the verdict rests on, such as `rule`, `nothing` or `other_stage`; events say the same word. */
  readonly ground: string;
  /** With ground `other_stage` the stage that approves the question; null for the identity's own list, and else. */
  readonly approved_stage: string | null;
  /** The entry of `expected:` that says beforehand that this is denied; null for none. */
  readonly expected: ExplainedRule | null;
  /** Whom to ask for a change; empty where nobody is known. */
  readonly ask: string;
  /** Why, for what is not the rule's own reason; else empty. */
  readonly reason: string;
  /** What to do next; empty where there is nothing to be done. */
  readonly next: string;
  /** What is so now beside what the policy says; null where it is not known, or as the policy says. */
  readonly state: ExplainedState | null;
}

/** What became of an approved question, or of whoever asks. */
export interface ExplainedState {
  readonly kind:
    | 'answered'
    | 'no-data'
    | 'nxdomain'
    | 'withheld'
    | 'stale'
    | 'failed'
    | 'limited'
    | 'contained'
    | 'unproven';
  readonly text: string;
}

/** What the policy does not know of who asks. */
export interface AskedBy {
  /** Whom a client is told to ask where no rule says more; empty for nobody. */
  readonly contact?: string;
  /** Why nobody has the client, such as `namegate sees you as 192.0.2.7; no identity has it`; empty where it is not known. */
  readonly unclaimed?: string;
  /** Letters from which a denied name is compared with approved ones; 0 for not at all. */
  readonly nearMiss?: number;
}

/** Explains one question: `name` is a wire name in lower case, `stage` null for none, `now` seconds since 1970. */
export function explain(
  snapshot: Snapshot,
  identity: Identity,
  stage: Stage | null,
  name: Uint8Array,
  type: RrType,
  now: EpochSeconds,
  { contact = '', unclaimed = '', nearMiss = LEAST_LETTERS }: AskedBy = {},
): Explanation {
  const decision = new Decision();
  decideAgain(snapshot, identity, stage, name, type, now, decision);
  const { verdict } = decision;
  const refused = verdict === VERDICT.DENY || verdict === VERDICT.EMPTY;
  const near =
    refused && decision.ground !== GROUND.SPECIAL ? nearOf(snapshot, identity, stage, decision) : null;
  const expected = refused ? findExpected(snapshot, identity, decision) : -1;
  decision.expected = expected;
  lookForResembling(snapshot, identity, decision, nearMiss);
  const ask = refused ? whomToAsk(snapshot, identity, contact, decision) : identity.owner;
  const told = { snapshot, identity, stage, decision, unclaimed };
  return {
    verdict: VERDICT_TEXT[verdict],
    mode: identity.auditUntil > now ? 'audit' : 'enforce',
    identity: identity.name,
    stage: stage?.name ?? null,
    name: nameToText(name),
    type: typeToText(type),
    rule: decision.rule < 0 ? null : explainRule(snapshot, decision.rule),
    ground: GROUND_TEXT[decision.ground]!,
    approved_stage: near === GROUND.OTHER_STAGE ? (decision.nearStage?.name ?? null) : null,
    expected: expected < 0 ? null : explainRule(snapshot.expected!, expected),
    ask,
    reason: reasonOf(told, near),
    next: refused ? nextOf(told, near, ask) : '',
    state: null,
  };
}

/** Decides one question beside the story. */
export function decideAgain(
  snapshot: Snapshot,
  identity: Identity,
  stage: Stage | null,
  name: Uint8Array,
  type: RrType,
  now: EpochSeconds,
  out: Decision,
): void {
  const labels = new Uint8Array(128);
  const subject = { name, labels, labelCount: labelOffsets(name, labels) };
  decide(snapshot, (stage ?? identity).view, subject, type, false, now, out);
}

/** An explanation with what is so now. `next`: what to do about that; empty for what the policy would have. */
export function withState(explained: Explanation, state: ExplainedState, next: string): Explanation {
  return { ...explained, state, next: next === '' ? explained.next : next };
}

/** The explanation on one line. */
export function explanationLine(explained: Explanation): string {
  const { name, type, verdict, mode, identity, stage, rule, reason, next, state, expected } = explained;
  const who = stage === null ? identity : `${identity} at stage ${stage}`;
  const parts = [
    `${name} ${type}: ${verdict} for ${who}${mode === 'audit' ? ' (audit: resolved and recorded)' : ''}`,
  ];
  if (reason !== '') parts.push(reason);
  if (rule !== null) {
    const until = rule.until === null ? '' : ` until ${rule.until}`;
    const ports = rule.ports === undefined ? '' : `, opens ${rule.ports.join(' ')}`;
    parts.push(`${ruleText(rule)}${until}${ports}: ${rule.reason}; owner ${rule.owner}`);
    if (rule.fallback !== null && verdict === 'allow') parts.push(`while it fails: ${rule.fallback}`);
  }
  if (expected !== null) {
    const { pattern, file, line, until } = expected;
    parts.push(
      `expected as ${pattern} (${file}:${line}) until ${until}: ${expected.reason}; owner ${expected.owner}`,
    );
  }
  if (state !== null) parts.push(`now: ${state.text}`);
  if (next !== '') parts.push(next);
  return parts.join('; ');
}

const VERDICT_TEXT = {
  [VERDICT.DENY]: 'deny',
  [VERDICT.EMPTY]: 'empty',
  [VERDICT.ALLOW]: 'allow',
  [VERDICT.LOCAL]: 'local',
} as const satisfies Record<Verdict, Explanation['verdict']>;

interface Told {
  readonly snapshot: Snapshot;
  readonly identity: Identity;
  readonly stage: Stage | null;
  readonly decision: Decision;
  readonly unclaimed: string;
}

/** Where a rule matches the name and only the type is missing, no pattern is beside it. */
function nearOf(
  snapshot: Snapshot,
  identity: Identity,
  stage: Stage | null,
  decision: Decision,
): Ground | null {
  if (identity.index < 0) return null;
  if (approvedElsewhere(snapshot, identity, stage, decision)) return GROUND.OTHER_STAGE;
  if (decision.ground === GROUND.CHARACTER) return null;
  const near = findNear(snapshot, (stage ?? identity).view, decision);
  const beside = near === GROUND.BESIDE;
  const useless =
    beside &&
    (decision.ground === GROUND.RULE || (decision.ground === GROUND.ABOVE && !isBase(snapshot, decision)));
  if (useless) decision.near = -1;
  else if (near !== null && decision.verdict === VERDICT.DENY) decision.ground = near;
  return useless ? null : near;
}

function isBase(snapshot: Snapshot, decision: Decision): boolean {
  return missOf(snapshot, decision.near, decision) === 'base';
}

function reasonOf(told: Told, near: Ground | null): string {
  const plain = plainReason(told);
  const nearby = near === null ? '' : nearReason(told, near);
  if (nearby === '') return plain;
  return told.decision.verdict === VERDICT.DENY ? nearby : `${plain}; ${nearby}`;
}

function plainReason({ snapshot, identity, decision, unclaimed }: Told): string {
  const { ground, verdict } = decision;
  switch (ground) {
    case GROUND.SPECIAL: {
      const special = snapshot.specials.get(decision.special) ?? '';
      return verdict === VERDICT.LOCAL
        ? `${special} is answered by namegate itself`
        : `${special} is denied to everyone`;
    }
    case GROUND.ABOVE:
      return REASON_ABOVE;
    case GROUND.CHAIN_OF_TRUST:
      return 'asked by a validator';
    case GROUND.CHARACTER:
      return REASON.CHARACTER;
    case GROUND.RULE:
    case GROUND.NOTHING:
    case GROUND.ENDED:
    case GROUND.OTHER_STAGE:
    case GROUND.BESIDE:
      break;
    default:
      return unreachable(ground);
  }
  if (ground === GROUND.OTHER_STAGE && decision.rule < 0) return REASON_ABOVE;
  const denial = ground === GROUND.OTHER_STAGE ? REASON.TYPE : denialReason(identity, decision);
  if (denial === REASON.UNKNOWN && unclaimed !== '') return unclaimed;
  if (denial === REASON.TYPE)
    return `${denial}, the rule approves ${typesOf(snapshot, decision.rule).join(', ')}`;
  if (decision.resembles !== '') return `${REASON.NOT_APPROVED}; ${denial}`;
  if (denial !== '') return denial;
  if (verdict === VERDICT.LOCAL) {
    const redirect = decision.node === NO_NODE ? null : snapshot.locals.get(decision.node)?.redirect;
    return redirect ? `redirected to ${nameToText(redirect.to)}` : 'answered from local records';
  }
  return TARGETED.has(decision.type) ? 'dropped if it leads to a name that is not approved' : '';
}

const REASON_ABOVE = 'no data: approved names lie below it';

const TARGETED = new Set<number>([TYPE.MX, TYPE.SRV, TYPE.SVCB, TYPE.HTTPS]);

function nearReason({ snapshot, stage, decision }: Told, near: Ground): string {
  const rule = explainRule(snapshot, decision.near);
  const text = ruleText(rule);
  if (near === GROUND.ENDED) return `${text} ended at ${rule.until}`;
  if (near === GROUND.OTHER_STAGE) {
    const at = stage === null ? 'no lease says its stage' : `it is at stage ${stage.name}`;
    const where =
      decision.nearStage === null
        ? 'approved without a stage'
        : `approved at stage ${decision.nearStage.name}`;
    return `${where} by ${text}, and ${at}`;
  }
  const denied = decision.verdict === VERDICT.DENY ? `${REASON.NOT_APPROVED}; ` : '';
  return `${denied}${text} ${MISSES[missOf(snapshot, decision.near, decision)](snapshot, decision)}`;
}

const MISSES: Record<Miss, (snapshot: Snapshot, decision: Decision) => string> = {
  base: () => 'wants a label in front of it',
  labels: ({ rules }, { near }) => {
    const most = rules.terms[rules.term[near]!]!.maxLabels;
    return most === 1 || rules.kind[near] === KIND.STAR
      ? 'matches one label in front, and this name has more'
      : `matches up to ${most} labels in front, and this name has more`;
  },
  length: ({ rules }, { near }) =>
    `matches labels of up to ${rules.terms[rules.term[near]!]!.maxLabelLength} octets, and one is longer`,
  number: () => 'does not hold this number',
  type: () => 'comes near',
};

function nextOf({ identity, stage, decision }: Told, near: Ground | null, ask: string): string {
  if (decision.ground === GROUND.SPECIAL) return '';
  const asked = ask === '' ? '' : `ask ${ask}`;
  if (near !== GROUND.OTHER_STAGE) return asked;
  const other = decision.nearStage;
  if (other === null) return asked;
  const { stages } = identity;
  if (stage === null) return `open a lease at stage ${other.name}, or ${asked}`;
  if (stages.indexOf(other) > stages.indexOf(stage))
    return `advance the lease to stage ${other.name}, or ${asked}`;
  return `a lease does not go back to stage ${other.name}: ${asked}`;
}
