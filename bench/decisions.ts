/**
 * Loads a server file and decides random questions of random identities: names of their own lists, names of others' lists,
 * and names that stand nowhere. A program of its own, so that each policy is met with a fresh heap:
 *
 *     node bench/decisions.ts FILE SCALE
 *
 * (SCALE: a Scale as JSON) prints nanoseconds a decision, {"own": …, "others": …, "nowhere": …}, identity found included.
 */
import { load } from '../src/config/load.ts';
import { decide } from '../src/policy/decide/decide.ts';
import { Decision, VERDICT } from '../src/policy/decide/decision.ts';
import { findAddress } from '../src/policy/identity.ts';
import { ipAddress } from '../src/wire/ip-address.ts';
import { labelOffsets } from '../src/wire/name.ts';
import { median } from './figures.ts';
import { printHelp } from './help.ts';
import { wireName } from './messages.ts';
import { Dice, deniedName } from './names.ts';
import { listedName, type Scale } from './policies.ts';

export interface DecisionTimes {
  readonly own: number;
  readonly others: number;
  readonly nowhere: number;
}

/** Questions that are asked over and over, so many that a large policy does not fit the processor's caches. */
const QUESTIONS = 65_536;
const ROUNDS = 9;

interface Asked {
  readonly identity: number;
  readonly name: Uint8Array;
  readonly labels: Uint8Array;
  readonly labelCount: number;
}

function decisionTimes(file: string, scale: Scale): DecisionTimes {
  const { snapshot, problems } = load(file, { env: {}, now: Date.now() / 1000, salt: 0x6e61_6d65 });
  if (snapshot === null) throw new Error(JSON.stringify(problems.slice(0, 3)));
  const dice = new Dice(0x5ca1e);
  const { lists, namesAList, identities } = scale;
  const draw = (nameFor: (identity: number) => string): Asked[] =>
    Array.from({ length: QUESTIONS }, () => {
      const identity = dice.below(identities);
      const name = wireName(nameFor(identity));
      const labels = new Uint8Array(128);
      return { identity, name, labelCount: labelOffsets(name, labels), labels: labels.slice(0, 8) };
    });
  const decision = new Decision();
  const now = Math.floor(Date.now() / 1000);
  const time = (questions: readonly Asked[], expected: number): number => {
    const rounds = Array.from({ length: ROUNDS }, () => {
      const started = performance.now();
      for (const question of questions) {
        const address = 0x0a00_0000 + question.identity;
        const owner = findAddress(snapshot.addresses, ipAddress(4, address, 0, 0, 0));
        decide(snapshot, snapshot.identities[owner]!.view, question, 1, false, now, decision);
        if (decision.verdict !== expected) throw new Error(`verdict ${decision.verdict}, not ${expected}`);
      }
      return ((performance.now() - started) * 1e6) / questions.length;
    });
    return median(rounds);
  };
  const own = draw((identity) => listedName(identity % lists, dice.below(namesAList)));
  // With one list there are no others': names beside the listed ones, then.
  const others = draw((identity) => {
    const other = (identity + 1 + dice.below(Math.max(1, lists - 1))) % lists;
    return listedName(other, lists === 1 ? namesAList + dice.below(namesAList) : dice.below(namesAList));
  });
  const nowhere = draw(() => deniedName(dice));
  return {
    own: time(own, VERDICT.ALLOW),
    others: time(others, VERDICT.DENY),
    nowhere: time(nowhere, VERDICT.DENY),
  };
}

if (import.meta.main && !printHelp(import.meta.url)) {
  const [file = '', scale = ''] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(decisionTimes(file, JSON.parse(scale) as Scale)));
}
