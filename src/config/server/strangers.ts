import type { IdentityInput } from '../../policy/input.ts';
import type { Position } from '../../policy/problem.ts';
import type { Problems } from '../problems.ts';
import { closest } from '../schema/wanted.ts';

/** Warns of identities that tokens name and the policy does not have: nothing can be done with such a token there. */
export function warnStrangers(
  named: readonly { readonly name: string; readonly at: Position }[],
  identities: readonly IdentityInput[],
  problems: Problems,
): void {
  const known = identities.map(({ name }) => name);
  for (const { name, at } of named) {
    if (known.includes(name)) continue;
    const message = `the policy has no identity ${name}: the token can do nothing for it`;
    // Dashes of a name are no slip for the underscores of a key.
    const meant = known.find((one) => closest(name, [one.replaceAll('-', '_')]) !== null);
    const fix =
      meant === undefined ? 'write the name of an identity, or remove it' : `did you mean ${meant}?`;
    problems.warn('token-identity', at, message, fix);
  }
}
