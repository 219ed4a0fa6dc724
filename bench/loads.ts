import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { APPROVED, Dice, deniedName, WILDCARD_ZONE } from './names.ts';

/** What clients ask in one measurement. */
export interface Load {
  readonly name: LoadName;
  /** What it shows, for people. */
  readonly about: string;
  readonly transport: 'udp' | 'tcp' | 'dot';
  readonly setting: Setting;
  /** Every question is new in each measurement. */
  readonly unique: boolean;
  /** How far namegate may be from a peer. */
  readonly targets: readonly Target[];
}

/**
 * How the servers are set up: `plain` over UDP and TCP, `dot` with TLS listeners besides, NSD behind both; `dot-upstream`
 * with another upstream, over TLS.
 */
export const SETTINGS = ['plain', 'dot', 'dot-upstream'] as const;
export type Setting = (typeof SETTINGS)[number];

export interface Target {
  /** CPU a query, or a quantile of the latencies. */
  readonly figure: 'cpu' | 'p50' | 'p99';
  /** Compared with the cheapest peer, or with this one. */
  readonly against: 'best' | 'unbound' | 'dnsdist';
  /** Ratios: what must be reached, and what is wanted. */
  readonly most: number;
  readonly goal: number;
}

export const LOAD_NAMES = [
  'mixed',
  'denied',
  'misses',
  'one',
  'tcp',
  'dot',
  'handshake',
  'dot-upstream',
] as const;
export type LoadName = (typeof LOAD_NAMES)[number];

export const LOADS: readonly Load[] = [
  {
    name: 'mixed',
    about: '80 % cached approved names, 20 % random denied ones',
    transport: 'udp',
    setting: 'plain',
    unique: false,
    targets: [{ figure: 'cpu', against: 'best', most: 0.7, goal: 0.6 }],
  },
  {
    name: 'denied',
    about: 'random denied names alone',
    transport: 'udp',
    setting: 'plain',
    unique: false,
    targets: [{ figure: 'cpu', against: 'best', most: 0.7, goal: 0.6 }],
  },
  {
    name: 'misses',
    about: 'names under an approved wildcard that nobody asked for before; NSD answers',
    transport: 'udp',
    setting: 'plain',
    unique: true,
    targets: [
      { figure: 'cpu', against: 'dnsdist', most: 1.2, goal: 1 },
      { figure: 'p99', against: 'dnsdist', most: 1.5, goal: 1 },
    ],
  },
  {
    name: 'one',
    about: 'one cached question in flight',
    transport: 'udp',
    setting: 'plain',
    unique: false,
    targets: [
      { figure: 'cpu', against: 'best', most: 1.15, goal: 1 },
      { figure: 'p50', against: 'unbound', most: 1, goal: 1 },
    ],
  },
  {
    name: 'tcp',
    about: 'as mixed, over eight TCP connections',
    transport: 'tcp',
    setting: 'plain',
    unique: false,
    targets: [
      { figure: 'cpu', against: 'best', most: 0.38, goal: 0.3 },
      { figure: 'p50', against: 'dnsdist', most: 1, goal: 1 },
    ],
  },
  {
    name: 'dot',
    about: 'as mixed, over eight TLS connections',
    transport: 'dot',
    setting: 'dot',
    unique: false,
    targets: [{ figure: 'cpu', against: 'best', most: 0.5, goal: 0.4 }],
  },
  {
    name: 'handshake',
    about:
      'a full TLS handshake and one question each; namegate asks for the client’s certificate, peers do not',
    transport: 'dot',
    setting: 'dot',
    unique: false,
    targets: [{ figure: 'cpu', against: 'dnsdist', most: 1.6, goal: 1.3 }],
  },
  {
    name: 'dot-upstream',
    about: 'as misses, with the upstream over TLS',
    transport: 'udp',
    setting: 'dot-upstream',
    unique: true,
    targets: [{ figure: 'cpu', against: 'best', most: 0.57, goal: 0.5 }],
  },
];

/** Questions of a file: dnsperf begins it again when it is through, save for unique ones. */
const QUESTIONS = 100_000;
/** More than any server here answers in a second. */
const UNIQUE_A_SECOND = 120_000;

/** Writes what dnsperf asks, a question a line; returns the path. `round` makes unique questions new. */
export function writeQuestions(folder: string, load: Load, round: number, seconds: number): string {
  const path = join(folder, load.unique ? `${load.name}-${round}.txt` : `${load.name}.txt`);
  writeFileSync(path, `${questions(load, round, seconds).join('\n')}\n`);
  return path;
}

/** One line a question: name and type. */
export function questions(load: Load, round: number, seconds: number): string[] {
  const dice = new Dice(0x6e67 + round);
  switch (load.name) {
    case 'misses':
    case 'dot-upstream': {
      const count = Math.ceil(UNIQUE_A_SECOND * seconds);
      return Array.from({ length: count }, (_, i) => `u${round}x${i.toString(36)}.${WILDCARD_ZONE} A`);
    }
    case 'denied':
      return Array.from({ length: QUESTIONS }, () => `${deniedName(dice)} A`);
    case 'one':
    case 'handshake':
      return [`${APPROVED[0]} A`];
    default:
      return Array.from({ length: QUESTIONS }, () =>
        dice.below(5) === 0 ? `${deniedName(dice)} A` : `${APPROVED[dice.below(APPROVED.length)]} A`,
      );
  }
}

/** Every approved name once: what warms a cache. */
export function writeApproved(folder: string): string {
  const path = join(folder, 'approved.txt');
  writeFileSync(path, `${APPROVED.map((name) => `${name} A`).join('\n')}\n`);
  return path;
}
