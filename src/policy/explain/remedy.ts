import { addressToText, REACH, reachOf } from '../address.ts';
import type { PrivateGrant } from '../input.ts';
import type { RuleIndex, Snapshot } from '../snapshot.ts';
import { explainRule, ruleText } from './rule-text.ts';

/** What is to be written so that an answer with this address is given: `rule` approves, its grant is `grant`. */
export function grantRemedy(
  snapshot: Snapshot,
  rule: RuleIndex,
  grant: PrivateGrant,
  address: Uint8Array,
  redirect: string | null = null,
): string {
  if (redirect !== null) return `write ${grantKey(grant, address)} on the redirect of ${redirect}`;
  const explained = explainRule(snapshot, rule);
  const { file, line, destination } = explained;
  if (file.startsWith('exception '))
    return `approve it by a rule of the policy with ${grantKey(grant, address)}`;
  // A line of a list is a pattern alone.
  const inList = destination !== null && !/\.ya?ml$/i.test(file);
  const where = inList ? `destination ${destination}, for ${file}:${line}` : ruleText(explained);
  return `write ${grantKey(grant, address)} on ${where}`;
}

/** `private: true` grants the private ranges; a list grants exactly its own. */
function grantKey(grant: PrivateGrant, address: Uint8Array): string {
  const size = address.length as 4 | 16;
  const prefix = `${addressToText(address)}/${size * 8}`;
  const isPrivate = reachOf(address, 0, size) === REACH.PRIVATE;
  if (grant === false) return isPrivate ? 'private: true' : `private: ["${prefix}"]`;
  if (grant === true) return `a list of prefixes with "${prefix}" in place of private: true`;
  return `"${prefix}" in the list private:`;
}
