import type { DirectNote } from '../resolve/grants/direct-note.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import type { Severity } from './event.ts';
import type { Sighting } from './finding-life.ts';
import type { GuardNote } from './firewall-notes.ts';

const HOUR: Milliseconds = 3_600_000;

/** What people are told of findings of the firewall, and what they can do. */
export const FIREWALL_TELLINGS = {
  'direct-address': {
    severity: 'medium',
    text: 'a client tried to connect to what was not answered to it, and was refused',
    next: 'find the program that has the address: it must ask for a name that is approved; else end the job',
  },
  'enforce-down': {
    severity: 'operations',
    text: 'nobody keeps the firewall: what was granted ends, and nothing new is granted',
    next: 'start namegate enforce, and look at its log',
  },
  'enforce-rules': {
    severity: 'high',
    text: 'somebody changed the rules of the firewall, or took them away: until they were mended, all may have passed',
    next: 'find who changes nftables on that machine; look at what its jobs connected to meanwhile',
  },
  'enforce-fault': {
    severity: 'operations',
    text: 'the firewall could not do what it was told',
    next: "look at the log of namegate enforce, and at the kernel's with dmesg",
  },
  'grant-missing': {
    severity: 'operations',
    text: 'an answer could not wait any longer for the firewall',
    next: 'look whether namegate enforce runs and what its machine is busy with; else raise enforce.wait',
  },
  'grant-limit': {
    severity: 'medium',
    text: 'an answer would open more addresses than a name or a client may have',
    next: 'look at the name: where a job needs as many addresses, give it other names or a shorter life',
  },
} as const satisfies Readonly<
  Record<string, { readonly severity: Severity; readonly text: string; readonly next: string }>
>;

/** The sighting of packets that were refused. Whoever tries ever other addresses fills his own places, and then is told as one. */
export function directSighting(note: DirectNote): Sighting {
  const { at, client, identity, owner, lease, job, proven, address, protocol, port, count, granted } = note;
  const target =
    address === null ? 'many addresses' : `${address} ${protocol}${port === null ? '' : `/${port}`}`;
  return {
    identity,
    proven,
    finding: 'direct-address',
    place: `${lease ?? ''} ${client} ${target}`,
    at,
    window: HOUR,
    count,
    key: () => `${client} to ${target}`,
    domain: () => client,
    draft: () => ({
      kind: 'finding',
      at,
      identity,
      ...(owner === '' ? {} : { owner }),
      client,
      proven,
      ...(lease === null ? {} : { lease }),
      ...(job === null ? {} : { job }),
      finding: 'direct-address',
      ...FIREWALL_TELLINGS['direct-address'],
      ...(address === null ? {} : { addresses: [address] }),
      ...(protocol === null ? {} : { protocol }),
      ...(port === null ? {} : { port }),
      ...(granted === null ? {} : { granted_name: granted }),
    }),
    // What was granted is no name that the client asked for.
    names: () => [],
  };
}

/** The sighting of trouble of the firewall itself. */
export function guardSighting(note: GuardNote): Sighting {
  const { at, finding, over, key, identity, owner, client, lease, name, text, open, count } = note;
  const telling = FIREWALL_TELLINGS[finding];
  return {
    identity,
    proven: true,
    finding,
    place: key,
    at,
    window: HOUR,
    count,
    isOver: over,
    key: () => key,
    domain: () => null,
    draft: () => ({
      kind: 'finding',
      at,
      ...(identity === '' ? {} : { identity }),
      ...(owner === '' ? {} : { owner }),
      ...(client === null ? {} : { client }),
      ...(lease === null ? {} : { lease }),
      finding,
      ...telling,
      // Nothing holds anybody then.
      ...(open ? { severity: 'high' as const } : {}),
      text: [
        telling.text,
        ...(open ? ['answers are given all the same'] : []),
        ...(text === null ? [] : [text]),
      ].join('; '),
    }),
    names: () => (name === null ? [] : [name]),
  };
}
