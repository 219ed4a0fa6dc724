/** One question, decided by the compiled policy and by the reference. */
import { compile } from '../../src/policy/compile/compile.ts';
import {
  approvesName as approves,
  closestAncestor,
  isNonTerminal as isBelow,
} from '../../src/policy/decide/beside.ts';
import { decide } from '../../src/policy/decide/decide.ts';
import { Decision, VERDICT } from '../../src/policy/decide/decision.ts';
import { explainRule } from '../../src/policy/explain/rule-text.ts';
import { findAddress, UNKNOWN } from '../../src/policy/identity.ts';
import type { PolicyInput } from '../../src/policy/input.ts';
import type { SuffixTable } from '../../src/policy/pattern/suffix.ts';
import type { View as CompiledView, Identity, Snapshot } from '../../src/policy/snapshot.ts';
import { typeFromText } from '../../src/wire/iana.ts';
import { ipAddress } from '../../src/wire/ip-address.ts';
import { labelOffsets } from '../../src/wire/name.ts';
import { type Layout, layOut, timeText, toInput } from './layout.ts';
import { FOREVER, labelsOf, toText, toWire } from './names.ts';
import type { Policy, Rule } from './policy.ts';
import { START } from './random-policy.ts';
import type { Question } from './random-question.ts';
import { type Bits, recognise } from './recognise.ts';
import {
  approvesName,
  decideSlowly,
  isNonTerminal,
  isPrivateReverse,
  isSpecial,
  type View,
  viewOf,
} from './reference.ts';

/** A policy in both forms. */
export class BothForms {
  readonly policy: Policy;
  readonly layout: Layout;
  readonly snapshot: Snapshot;
  readonly #decision = new Decision();
  readonly #labels = new Uint8Array(128);
  readonly #views = new Map<string, View>();
  /** `file:line` by rule of the snapshot. */
  readonly #told = new Map<number, string>();

  constructor(policy: Policy, salt: number, how: Compiling = compileInPlace) {
    this.policy = policy;
    this.layout = layOut(policy);
    this.snapshot = how(policy, this.layout, salt);
  }

  /** What differs, each as a line; empty where both say the same. */
  differences(question: Question): string[] {
    const { policy } = this;
    const { name, type, dnssec, now } = question;
    const slowIdentity = recognise(policy, question.from);
    const identity = this.#identity(question.from);
    if (identity.name !== (slowIdentity?.name ?? 'unknown'))
      return [`identity: ${identity.name}, not ${slowIdentity?.name ?? 'unknown'}`];
    const stages = slowIdentity?.stages.length ?? 0;
    const stage = question.stage % (stages + 1) === stages ? null : question.stage % (stages + 1);
    const view = this.#view(question, stage);
    const compiled = stage === null ? identity.view : identity.stages[stage]!.view;
    const expected = decideSlowly(view, name, type, dnssec, now);
    const got = this.#decide(compiled, question);

    const found: string[] = [];
    const same = (what: string, is: unknown, wanted: unknown): void => {
      if (is !== wanted) found.push(`${what}: ${String(is)}, not ${String(wanted)}`);
    };
    same('verdict', got.verdict, expected.verdict);
    const decider = expected.deciders.find(({ rule }) => this.#line(rule) === got.rule);
    if (expected.deciders.length === 0) same('rule', got.rule, null);
    else if (decider === undefined)
      found.push(
        `rule: ${got.rule}, not ${expected.deciders.map(({ rule }) => this.#line(rule)).join(' or ')}`,
      );
    if (expected.bound && decider !== undefined) {
      same('until', got.until, decider.until);
      same('dynamic', got.dynamic, decider.dynamic);
    } else {
      same('until', got.until, FOREVER);
      same('dynamic', got.dynamic, false);
    }
    same('closest ancestor', got.above, labelsOf(expected.above).length);
    same('closest ancestor or itself', got.atOrAbove, labelsOf(expected.atOrAbove).length);
    same('approved as a target', got.approvesName, approvesName(view, name, now));
    if (!isSpecial(name)) {
      same('non-terminal', got.nonTerminal, isNonTerminal(view, name, now));
      same('private reverse', got.privateReverse, isPrivateReverse(name));
    }
    const audit = (slowIdentity?.auditUntil ?? 0) > now;
    same('audit', identity.auditUntil > now, audit);
    return found;
  }

  #identity(from: Bits): Identity {
    const words = [0, 32, 64, 96].map((at) => Number.parseInt(from.slice(at, at + 32) || '0', 2));
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
    const family = from.length === 32 ? 4 : 6;
    const { addresses, identities } = this.snapshot;
    const index = findAddress(addresses, ipAddress(family, w0, w1, w2, w3));
    if (family === 4) {
      // A dual-stack socket shows the same client so.
      if (findAddress(addresses, ipAddress(6, 0, 0, 0xffff, w0)) !== index)
        throw new Error('a mapped address is another client');
    }
    return identities[index] ?? UNKNOWN;
  }

  #view({ from }: Question, stage: number | null): View {
    const identity = recognise(this.policy, from);
    const key = `${identity?.name} ${stage}`;
    let view = this.#views.get(key);
    if (view === undefined) {
      view = viewOf(this.policy, identity, stage);
      this.#views.set(key, view);
    }
    return view;
  }

  #decide(view: CompiledView, { name, type, dnssec, now }: Question) {
    const decision = this.#decision;
    const { snapshot } = this;
    const octets = toWire(name);
    const subject = { name: octets, labels: this.#labels, labelCount: labelOffsets(octets, this.#labels) };
    decide(snapshot, view, subject, typeFromText(type)!, dnssec, now, decision);
    return {
      verdict: VERDICTS[decision.verdict]!,
      rule: decision.rule < 0 ? null : this.#tell(decision.rule),
      until: decision.until,
      dynamic: decision.dynamic,
      privateReverse: decision.privateReverse,
      nonTerminal: isBelow(snapshot, view, decision),
      above: closestAncestor(snapshot, view, decision, false),
      atOrAbove: closestAncestor(snapshot, view, decision, true),
      approvesName: approves(snapshot, view, subject, now),
    };
  }

  #line(rule: Rule): string {
    return this.layout.lines.get(rule)!;
  }

  #tell(rule: number): string {
    let told = this.#told.get(rule);
    if (told === undefined) {
      const { file, line } = explainRule(this.snapshot, rule);
      told = `${file.replace(/^.*\//, '')}:${line}`;
      this.#told.set(rule, told);
    }
    return told;
  }
}

const VERDICTS = Object.entries(VERDICT)
  .sort(([, a], [, b]) => a - b)
  .map(([text]) => text.toLowerCase());

/** Makes the snapshot. Throws where the policy has errors: the random ones have none. */
export type Compiling = (policy: Policy, layout: Layout, salt: number) => Snapshot;

const NO_SUFFIXES: SuffixTable = new Map();

export function compileInput(input: PolicyInput, salt: number): Snapshot {
  const { snapshot, problems } = compile(input, NO_SUFFIXES, { now: START, salt });
  const error = problems.find(({ severity }) => severity === 'error');
  if (error !== undefined)
    throw new Error(`${error.at.file}:${error.at.line}: ${error.code}: ${error.message}`);
  return snapshot;
}

export const compileInPlace: Compiling = (policy, layout, salt) =>
  compileInput(toInput(policy, layout), salt);

/** A question on one line, as people and `namegate explain` have it. */
export function questionText({ name, type, dnssec, now }: Question, who: string): string {
  return `${who} asks ${toText(name)} ${type}${dnssec ? ' with DO' : ''} at ${timeText(Math.floor(now))}${now % 1 === 0 ? '' : ` + ${now % 1} s`}`;
}
