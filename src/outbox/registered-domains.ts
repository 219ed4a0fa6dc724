import { registeredDomain, type SuffixTable } from '../policy/pattern/suffix.ts';

/** Parents whose domain is remembered. */
const MOST_PARENTS = 1_024;

/**
 * Where the registered domain of a wire name starts. A flood asks for ever other names under few parents, so these are
 * remembered. The public suffix list takes memory: it is made when it is asked for first.
 */
export function registeredDomains(list: () => SuffixTable): (name: Uint8Array) => number {
  let table: SuffixTable | null = null;
  /** By what follows the first label: octets of the domain. */
  const known = new Map<string, number>();
  return (name) => {
    const first = name[0]!;
    if (first === 0) return 0;
    const parent = Buffer.from(name.buffer, name.byteOffset + 1 + first, name.length - 1 - first).toString(
      'latin1',
    );
    let octets = known.get(parent);
    if (octets === undefined) {
      table ??= list();
      const start = registeredDomain(name, table);
      // With its first label in it, the domain is another for each name.
      if (start === 0) return 0;
      octets = name.length - start;
      if (known.size >= MOST_PARENTS) known.clear();
      known.set(parent, octets);
    }
    return name.length - octets;
  };
}
