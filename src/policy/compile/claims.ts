import type { Prefix } from '../../wire/prefix.ts';
import { folderOf, isFolder } from '../certificates.ts';
import { addressTable } from '../identity.ts';
import type { IdentityInput } from '../input.ts';
import { error, type Position, type Problem, warning } from '../problem.ts';
import type { AddressTable, CertificateTable } from '../snapshot.ts';

/** Builds the address table. Two identities that claim one prefix are an error; a prefix inside another's is not. */
export function claimAddresses(identities: readonly IdentityInput[], problems: Problem[]): AddressTable {
  const claims = new Claims('address-claimed', problems);
  const table = identities.flatMap((identity, index) => {
    const { addresses, certificates, terms } = identity;
    if (addresses.length + certificates.length + terms.claims.length === 0) {
      const fix = 'write from.addresses, from.certificates or claims';
      problems.push(
        warning('identity-unreachable', identity.at, `nothing is recognised as ${identity.name}`, fix),
      );
    }
    return identity.addresses
      .filter(({ prefix, text, at }) => {
        if (prefix.length === 0) {
          const message = `${text} is every address there is: whoever reaches a listener is ${identity.name}`;
          problems.push(warning('address-any', at, message, 'write the networks that its clients are in'));
        }
        return claims.take(prefixKey(prefix), text, identity.name, at);
      })
      .map(({ prefix }) => ({ prefix, identity: index }));
  });
  warnInside(identities, problems);
  return addressTable(table);
}

/**
 * Tells of a prefix inside another identity's: the longer one wins, which its author may not know. Once for two identities;
 * a prefix of every address has its own warning.
 */
function warnInside(identities: readonly IdentityInput[], problems: Problem[]): void {
  const owners = new Map<string, { identity: IdentityInput; text: string; at: Position }>();
  const lengths = new Set<number>();
  for (const identity of identities) {
    for (const { prefix, text, at } of identity.addresses) {
      owners.set(prefixKey(prefix), { identity, text, at });
      if (prefix.length > 0) lengths.add(prefix.length);
    }
  }
  const told = new Set<string>();
  for (const identity of identities) {
    for (const { prefix, text, at } of identity.addresses) {
      for (const length of lengths) {
        if (length >= prefix.length) continue;
        const outer = owners.get(prefixKey(cut(prefix, length)));
        if (outer === undefined || outer.identity === identity) continue;
        const pair = `${identity.name} ${outer.identity.name}`;
        if (told.has(pair)) continue;
        told.add(pair);
        const where = `${outer.at.file}:${outer.at.line}`;
        const message = `${text} lies inside ${outer.text} of ${outer.identity.name}, at ${where}: there the longer prefix wins, ${identity.name}`;
        problems.push(
          warning('address-inside', at, message, 'nothing, if that is meant; else leave it to one of them'),
        );
      }
    }
  }
}

function prefixKey({ family, words, length }: Prefix): string {
  return `${family} ${words.join(' ')}/${length}`;
}

/** The first `length` bits of a prefix. */
function cut({ family, words }: Prefix, length: number): Prefix {
  const kept = words.map((word, i) => {
    const bits = Math.min(Math.max(length - 32 * i, 0), 32);
    return bits === 0 ? 0 : (word & (-1 << (32 - bits))) >>> 0;
  });
  return { family, words: kept, length };
}

/**
 * Builds the certificate table. Two identities that claim one name are an error, and so is a name below another's `/*`: who
 * shows it would be two identities, which is nobody.
 */
export function claimCertificates(
  identities: readonly IdentityInput[],
  problems: Problem[],
): CertificateTable {
  const claims = new Claims('certificate-claimed', problems);
  const exact = new Map<string, number>();
  const below = new Map<string, number>();
  for (const [index, identity] of identities.entries()) {
    for (const { text, at } of identity.certificates) {
      if (!claims.take(text, text, identity.name, at)) continue;
      if (isFolder(text)) below.set(text.slice(0, -1), index);
      else exact.set(text, index);
    }
  }
  for (const [index, identity] of identities.entries()) {
    for (const { text, at } of identity.certificates) {
      const folder = isFolder(text) ? null : folderOf(text);
      const other = folder === null ? undefined : below.get(folder);
      if (other === undefined || other === index) continue;
      const message = `${text} is one of ${folder}*, which ${identities[other]!.name} claims: its holder would be both, and so unknown`;
      const fix = 'leave it to one identity, or move one of them to a path of its own';
      problems.push(error('certificate-claimed', at, message, fix));
    }
  }
  return { exact, below };
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
