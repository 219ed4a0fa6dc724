import { parsePrefix } from '../../config/addresses.ts';
import { TextFault } from '../../config/problems.ts';
import type { Identity, Snapshot } from '../../policy/snapshot.ts';
import { count } from '../terminal.ts';
import { viewRules } from './patterns.ts';

const LOOPBACK = 127;

export interface LoopbackRange {
  readonly identity: string;
  /** As written. */
  readonly prefix: string;
  /** How many addresses of 127.0.0.0/8 it has. */
  readonly addresses: number;
}

/**
 * Ranges of loopback addresses of identities that have a wildcard: a program on the server's own machine can ask from each
 * of their addresses in turn, and every address has a budget of its own.
 */
export function loopbackRanges(snapshot: Snapshot): LoopbackRange[] {
  return snapshot.identities.flatMap((identity) => {
    const ranges = identity.addresses.flatMap((prefix) => {
      const addresses = loopbackAddresses(prefix);
      return addresses > 1 ? [{ identity: identity.name, prefix, addresses }] : [];
    });
    return ranges.length > 0 && hasWildcard(snapshot, identity) ? ranges : [];
  });
}

/** The same for people. */
export function loopbackLines(snapshot: Snapshot): string[] {
  return loopbackRanges(snapshot).map(
    ({ identity, prefix, addresses }) =>
      `${identity}: a program on this machine can ask from each of ${count(addresses, 'loopback address')} of ${prefix}, and each has budgets of its own: write single addresses, or give jobs certificates`,
  );
}

function loopbackAddresses(text: string): number {
  const prefix = parsePrefix(text);
  if (prefix instanceof TextFault || prefix.family === 6) return 0;
  const { length, words } = prefix;
  // The leading bits of 127 that the prefix has.
  const shift = Math.max(0, 8 - length);
  if ((words[0]! >>> 24) >>> shift !== LOOPBACK >>> shift) return 0;
  return 2 ** (32 - Math.max(8, length));
}

function hasWildcard(snapshot: Snapshot, { view, everywhere }: Identity): boolean {
  return viewRules(snapshot, [everywhere ?? view]).some(({ pattern }) => pattern.startsWith('*'));
}
