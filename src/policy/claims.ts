import { addressTable } from './identity.ts';
import type { IdentityInput } from './input.ts';
import { error, type Position, type Problem, warning } from './problem.ts';
import type { AddressTable } from './snapshot.ts';

/** Builds the address table. Two identities that claim one prefix are an error; a prefix inside another's is not. */
export function claimAddresses(identities: readonly IdentityInput[], problems: Problem[]): AddressTable {
  const claims = new Claims('address-claimed', problems);
  const table = identities.flatMap((identity, index) => {
    if (identity.addresses.length + identity.certificates.length === 0) {
      const fix = 'write from.addresses or from.certificates';
      problems.push(
        warning('identity-unreachable', identity.at, `nothing is recognised as ${identity.name}`, fix),
      );
    }
    return identity.addresses
      .filter(({ prefix, text, at }) => {
        const key = `${prefix.family} ${prefix.words.join(' ')}/${prefix.length}`;
        return claims.take(key, text, identity.name, at);
      })
      .map(({ prefix }) => ({ prefix, identity: index }));
  });
  return addressTable(table);
}

export function claimCertificates(identities: readonly IdentityInput[], problems: Problem[]): void {
  const claims = new Claims('certificate-claimed', problems);
  for (const identity of identities) {
    for (const { text, at } of identity.certificates) claims.take(text, text, identity.name, at);
  }
}

class Claims {
  readonly #code: string;
  readonly #problems: Problem[];
  readonly #owners = new Map<string, { identity: string; at: Position }>();

  constructor(code: string, problems: Problem[]) {
    this.#code = code;
    this.#problems = problems;
  }

  /** Whether this is the first claim of `key`. */
  take(key: string, text: string, identity: string, at: Position): boolean {
    const first = this.#owners.get(key);
    if (first === undefined) {
      this.#owners.set(key, { identity, at });
      return true;
    }
    const message =
      first.identity === identity
        ? `${identity} claims ${text} twice`
        : `${text} is claimed by ${first.identity} already, at ${first.at.file}:${first.at.line}`;
    this.#problems.push(
      error(this.#code, at, message, "leave it to one identity; a longer prefix may be another's"),
    );
    return false;
  }
}
