/** Random policies and random questions about them, decided twice. */
import { Random } from '../server/random.ts';
import { BothForms, type Compiling, compileInPlace, questionText } from './compare.ts';
import { layOut } from './layout.ts';
import type { Policy } from './policy.ts';
import { randomPolicy } from './random-policy.ts';
import { type Question, Questions } from './random-question.ts';
import { recognise } from './recognise.ts';
import { decideSlowly, viewOf } from './reference.ts';
import { shrink } from './shrink.ts';

export interface OracleOptions {
  readonly questions: number;
  readonly seed: number;
  /** Questions about each policy. */
  readonly perPolicy?: number;
  /** Picks how the policy with this number is compiled. */
  readonly how?: (index: number) => Compiling;
  readonly progress?: (done: number) => void;
}

export interface OracleResult {
  readonly policies: number;
  readonly questions: number;
  /** How often each verdict was expected, of every seventh question. */
  readonly seen: Readonly<Record<string, number>>;
  /** The first difference with all that it takes to see it again, or null. */
  readonly failure: string | null;
}

/** Decides until a difference is found or `questions` are done. */
export async function consult(options: OracleOptions): Promise<OracleResult> {
  const { questions, seed, perPolicy = 400, how = () => compileInPlace } = options;
  const seen: Record<string, number> = { deny: 0, empty: 0, allow: 0, local: 0, bound: 0, several: 0 };
  let done = 0;
  let index = 0;
  for (; done < questions; index++) {
    const random = new Random(seed + Math.imul(index, 0x9e3779b1));
    const policy = randomPolicy(random);
    const salt = random.next();
    const forms = new BothForms(policy, salt, how(index));
    const asking = new Questions(policy, random);
    for (let left = Math.min(perPolicy, questions - done); left > 0; left--, done++) {
      const question = asking.next();
      const differences = forms.differences(question);
      if (done % 7 === 0) count(policy, question, seen);
      if (differences.length === 0) continue;
      const failure = await report(policy, question, salt, how(index), `seed ${seed}, policy ${index}`);
      return { policies: index + 1, questions: done + 1, seen, failure };
    }
    options.progress?.(done);
  }
  return { policies: index, questions: done, seen, failure: null };
}

function count(
  policy: Policy,
  { from, name, type, dnssec, now }: Question,
  seen: Record<string, number>,
): void {
  const { verdict, bound, deciders } = decideSlowly(
    viewOf(policy, recognise(policy, from), null),
    name,
    type,
    dnssec,
    now,
  );
  seen[verdict]!++;
  if (bound) seen['bound']!++;
  if (deciders.length > 1) seen['several']!++;
}

/** The smallest policy that shows a difference for this question, with the question and what differs. */
async function report(
  policy: Policy,
  question: Question,
  salt: number,
  how: Compiling,
  where: string,
): Promise<string> {
  const differ = (smaller: Policy): string[] => {
    try {
      return new BothForms(smaller, salt, how).differences(question);
    } catch {
      // Not a policy any more: a stage without its destination, say.
      return [];
    }
  };
  // The stage is an index: it must go on to mean the same.
  const stages = recognise(policy, question.from)?.stages.length;
  const small = await shrink(
    policy,
    (smaller) => recognise(smaller, question.from)?.stages.length === stages && differ(smaller).length > 0,
  );
  const who = recognise(small, question.from);
  const stage = who === null ? null : (who.stages[question.stage % (who.stages.length + 1)]?.name ?? null);
  const asker = `${who?.name ?? 'unknown'}${stage === null ? '' : ` at stage ${stage}`}`;
  return [
    `${where}: ${questionText(question, asker)}`,
    ...differ(small).map((line) => `  ${line}`),
    ...Object.entries(layOut(small).files).flatMap(([file, text]) => [`--- ${file}`, text.trimEnd()]),
  ].join('\n');
}
