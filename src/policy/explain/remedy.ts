import { addressToText, REACH, reachOf } from '../address.ts';
import type { RestrictedRanges } from '../input.ts';
import type { RuleIndex, Snapshot } from '../snapshot.ts';
import { explainRule, ruleText } from './rule-text.ts';

/** What is to be written so that an answer with this address is given: `rule` approves, its `private` is `ranges`. */
export function rangesRemedy(
  snapshot: Snapshot,
  rule: RuleIndex,
  ranges: RestrictedRanges,
  address: Uint8Array,
  redirect: string | null = null,
): string {
  if (redirect !== null) return `write ${rangesKey(ranges, address)} on the redirect of ${redirect}`;
  const explained = explainRule(snapshot, rule);
  const { file, line, destination } = explained;
  if (file.startsWith('exception '))
    return `approve it by a rule of the policy with ${rangesKey(ranges, address)}`;
  // A line of a list is a pattern alone.
  const inList = destination !== null && !/\.ya?ml$/i.test(file);
  const where = inList ? `destination ${destination}, for ${file}:${line}` : ruleText(explained);
  return `write ${rangesKey(ranges, address)} on ${where}`;
}

/** `private: true` is the private ranges; a list is exactly its own. */
function rangesKey(ranges: RestrictedRanges, address: Uint8Array): string {
  const size = address.length as 4 | 16;
  const prefix = `${addressToText(address)}/${size * 8}`;
  const isPrivate = reachOf(address, 0, size) === REACH.PRIVATE;
  if (ranges === false) return isPrivate ? 'private: true' : `private: ["${prefix}"]`;
  if (ranges === true) return `a list of prefixes with "${prefix}" in place of private: true`;
  return `"${prefix}" in the list private:`;
}
