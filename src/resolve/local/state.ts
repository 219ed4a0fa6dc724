import { addressToText } from '../../policy/address.ts';
import { isNonTerminal } from '../../policy/decide/beside.ts';
import { Decision, GROUND, VERDICT } from '../../policy/decide/decision.ts';
import {
  type AskedBy,
  decideAgain,
  type ExplainedState,
  type Explanation,
  explain,
  withState,
} from '../../policy/explain/explain.ts';
import { whomToAsk } from '../../policy/explain/reason.ts';
import { rangesRemedy } from '../../policy/explain/remedy.ts';
import type { RestrictedRanges } from '../../policy/input.ts';
import type { LocalRedirect, Stage } from '../../policy/snapshot.ts';
import { RCODE } from '../../wire/iana.ts';
import { nameToText } from '../../wire/name.ts';
import type { EpochSeconds, Milliseconds, Monotonic, RrType } from '../../wire/quantity.ts';
import type { Entry } from '../answer/entry.ts';
import { outOfRanges, unapproved } from '../answer/withheld.ts';
import type { Standing } from '../client/standing.ts';
import type { Flights } from '../flights/flights.ts';
import type { InForce } from '../in-force.ts';
import { failureText } from './failure-text.ts';
import { followRedirects } from './redirect.ts';

/** Of whom and when a question is explained. */
export interface Moment {
  readonly inForce: InForce;
  readonly standing: Standing;
  readonly stage: Stage | null;
  readonly now: Monotonic;
  readonly epoch: EpochSeconds;
  /** The source of the questions may be forged. */
  readonly unproven?: boolean;
  /** Whether the ledger would let nothing leave for a name that is not kept. */
  readonly contained?: (name: Uint8Array, decision: Decision) => boolean;
}

/** Milliseconds for which a question that a limit refused is told. */
const LIMIT_TOLD: Milliseconds = 60_000;

/**
 * Explains a question as `explain` does, with what is so now. It reads what is kept, asks nobody, and takes nothing from a
 * limit. `name`: a wire name in lower case.
 */
export function explainNow(
  moment: Moment,
  flights: Flights,
  name: Uint8Array,
  type: RrType,
  asking: AskedBy,
): Explanation {
  const { inForce, standing, stage, epoch } = moment;
  const explained = explain(inForce.snapshot, standing.identity, stage, name, type, epoch, {
    nearMiss: inForce.nearMiss,
    ...asking,
  });
  const found = stateOf(moment, flights, name, type);
  return found === null ? explained : withState(explained, found.state, found.next);
}

interface Found {
  readonly state: ExplainedState;
  readonly next: string;
}

function stateOf(moment: Moment, flights: Flights, name: Uint8Array, type: RrType): Found | null {
  const { inForce, standing, stage, epoch } = moment;
  const { snapshot, replies } = inForce;
  const { identity } = standing;
  const decision = new Decision();
  decideAgain(snapshot, identity, stage, name, type, epoch, decision);
  const limited = limitOf(moment);
  if (limited !== null) return { state: limited, next: asked(replies.contact || identity.owner) };
  const redirect =
    decision.verdict === VERDICT.LOCAL ? (snapshot.locals.get(decision.node)?.redirect ?? null) : null;
  const end = redirect === null ? null : followRedirects(snapshot, redirect);
  const fetched = end === null ? isFetched(moment, decision) : end.local === null;
  if (!fetched) return null;
  const wanted = end === null ? name : end.last.to;
  const entry = lookUp(moment, flights, wanted, type);
  const kept = entry === null ? null : keptState(moment, flights, entry, decision, end?.last ?? null);
  if (kept !== null) return kept;
  if (moment.contained?.(wanted, decision) === true) {
    const text = 'the budget of its wildcard is spent, so that nothing leaves for a name that is not kept';
    return { state: { kind: 'contained', text }, next: asked(replies.contact || identity.owner) };
  }
  if (moment.unproven !== true) return null;
  const text = 'over UDP without a server cookie it is sent to TCP, for nothing of it is kept';
  return { state: { kind: 'unproven', text }, next: 'ask over TCP' };
}

/** Questions that a limit refused a moment ago. */
function limitOf({ standing, now }: Moment): ExplainedState | null {
  const { underway, share } = standing;
  if (underway.inFlight >= share && share > 0) {
    const text = `${underway.inFlight} questions are in flight, which is all that this identity may have`;
    return { kind: 'limited', text };
  }
  const age = now - underway.limitedAt;
  if (!(age < LIMIT_TOLD)) return null;
  const text = `a question of this identity was refused ${Math.floor(age / 1000)} s ago: ${underway.limitedBy}`;
  return { kind: 'limited', text };
}

/** Audit resolves what it would deny, but for special names. */
function isFetched({ standing, epoch }: Moment, { verdict, ground, privateReverse }: Decision): boolean {
  if (verdict === VERDICT.ALLOW) return true;
  const audited = standing.identity.auditUntil > epoch && !privateReverse && ground !== GROUND.SPECIAL;
  return verdict !== VERDICT.LOCAL && audited;
}

/** What is kept, else what came a moment ago and may not be kept. */
function lookUp(
  { inForce, standing, now }: Moment,
  flights: Flights,
  name: Uint8Array,
  type: RrType,
): Entry | null {
  const group = inForce.groupIds[inForce.groupOf(name, name.length)]!;
  const own = inForce.cache.share === 'identity' ? standing.underway.id : 0;
  const shared = flights.lookup(flights.key(name, name.length, type, group, false, 0));
  if (shared !== null && (own === 0 || shared.renewed)) return shared;
  const key = flights.key(name, name.length, type, group, false, own);
  return flights.lookup(key) ?? flights.unkept.find(key.text, now);
}

function keptState(
  moment: Moment,
  flights: Flights,
  entry: Entry,
  decision: Decision,
  redirect: LocalRedirect | null,
): Found | null {
  const { inForce, now } = moment;
  const { contact } = inForce.replies;
  const failing = flights.isFailing(entry, now);
  const fresh = flights.isFresh(entry, now);
  const stale = !fresh && entry.isFailed && flights.mayServeStale(entry, now);
  const passed = !fresh && !entry.isFailed && entry.freshUntil <= entry.stored;
  if (fresh || stale || passed) {
    const withheld = withheldState(moment, entry, decision, redirect);
    if (withheld !== null) return withheld;
  }
  if (fresh || passed) return { state: answerState(moment, entry, decision, redirect), next: '' };
  if (!entry.isFailed) return null;
  const failed = failureText(entry.failure!);
  const again = failing
    ? `it is asked again in ${Math.ceil((entry.failedUntil - now) / 1000)} s`
    : 'the next question asks it again';
  const next = contact === '' ? 'ask who runs namegate' : `ask ${contact}`;
  if (stale) {
    const text = `an old answer is given, for the last question failed: ${failed}; ${again}`;
    return { state: { kind: 'stale', text }, next };
  }
  return { state: { kind: 'failed', text: `the last question failed: ${failed}; ${again}` }, next };
}

function answerState(
  { inForce, standing, stage, now }: Moment,
  entry: Entry,
  decision: Decision,
  redirect: LocalRedirect | null,
): ExplainedState {
  const left = Math.max(0, Math.ceil((entry.freshUntil - now) / 1000));
  const age = Math.floor((now - entry.stored) / 1000);
  const kept = left > 0 ? `kept for ${left} s more` : `${age} s ago, and it is not kept`;
  const denied = entry.rcode === RCODE.NXDOMAIN;
  const { view } = stage ?? standing.identity;
  const softened =
    denied && redirect === null && !entry.hasChain && isNonTerminal(inForce.snapshot, view, decision);
  if (denied && !softened)
    return { kind: 'nxdomain', text: `the upstream says that there is no such name (NXDOMAIN), ${kept}` };
  if (denied || entry.choose(false).answers === 0)
    return { kind: 'no-data', text: `the upstream has no data of this type, ${kept}` };
  return {
    kind: 'answered',
    text: left > 0 ? `answered from the cache, ${kept}` : `the upstream answered ${kept}`,
  };
}

/** An answer that is there, and is not for this asker. */
function withheldState(
  { inForce, standing, stage, epoch }: Moment,
  entry: Entry,
  decision: Decision,
  redirect: LocalRedirect | null,
): Found | null {
  const { snapshot, replies } = inForce;
  const { identity } = standing;
  const ask = whomToAsk(snapshot, identity, replies.contact, decision);
  const rule = decision.rule;
  const { rules } = snapshot;
  const own =
    rule < 0 || decision.verdict !== VERDICT.ALLOW ? false : rules.terms[rules.term[rule]!]!.private;
  const ranges: RestrictedRanges = redirect === null ? own : redirect.private;
  const address = outOfRanges(entry, ranges);
  if (address !== null) {
    const text = `the answer is withheld, for it holds ${addressToText(address)}, which is not granted`;
    const name = redirect === null ? null : nameToText(decision.subject.name);
    const remedy = rule < 0 ? '' : rangesRemedy(snapshot, rule, ranges, address, name);
    return { state: { kind: 'withheld', text }, next: [remedy, asked(ask)].filter(Boolean).join(', or ') };
  }
  if (identity.auditUntil > epoch) return null;
  const target = unapproved(entry, snapshot, (stage ?? identity).view, epoch);
  if (target === null) return null;
  const text = `the answer is withheld, for it leads to ${nameToText(target)}, which is not approved`;
  return {
    state: { kind: 'withheld', text },
    next: `approve ${nameToText(target)} too, or ${asked(replies.contact || identity.owner)}`,
  };
}

function asked(whom: string): string {
  return whom === '' ? '' : `ask ${whom}`;
}
