/** The course of a leak test as data: policies, questions, answers and time, so that a failing one can be told and cut. */
import type { Random } from '../server/random.ts';
import { type Name, nameOf } from './names.ts';
import type { Entry, Identity, Policy, Redirect, Rule, Terms } from './policy.ts';

/** Who asks: two identities, and a client that nobody claims. */
export const ASKERS = [
  { name: 'alpha', from: '127.0.0.11' },
  { name: 'beta', from: '127.0.0.12' },
  { name: 'unknown', from: '127.0.0.99' },
] as const;

export type Event =
  | {
      readonly kind: 'reload';
      readonly policy: Policy;
      readonly share: 'all' | 'identity';
      readonly renew: boolean;
    }
  | {
      readonly kind: 'ask';
      readonly asker: number;
      readonly name: string;
      readonly type: string;
      readonly edns: boolean;
      readonly dnssecOk: boolean;
      readonly checkingDisabled: boolean;
      readonly transport: 'udp' | 'tcp';
    }
  /** Ends one of the questions upstream: `pick` modulo how many there are; `seed` makes the answer. */
  | { readonly kind: 'settle'; readonly pick: number; readonly seed: number }
  | { readonly kind: 'pass'; readonly milliseconds: number }
  /** What is due for renewal goes out, and leases that have ended are tidied away. */
  | { readonly kind: 'tick' }
  /** Binds the asker's address: to another identity, to a stage, to what no policy has. */
  | {
      readonly kind: 'lease';
      readonly asker: number;
      readonly identity: string;
      readonly stage: string | null;
      readonly milliseconds: number;
      readonly quarantine: number;
    }
  /** The lease that was last opened for the address: at another stage, or ended. */
  | { readonly kind: 'advance'; readonly asker: number; readonly stage: string }
  | { readonly kind: 'end'; readonly asker: number };

const HOSTS = 9;

/** Names that some policy may approve. */
const POOL = [
  ...['h', 'p', 'c', 'm', 's', 'x'].flatMap((letter) =>
    Array.from({ length: HOSTS }, (_, i) => `${letter}${i}.pool.example`),
  ),
  ...Array.from({ length: 4 }, (_, i) => `n${i * 3}.family.example`),
  ...Array.from({ length: 4 }, (_, i) => `host.w${i}.example`),
  ...Array.from({ length: 4 }, (_, i) => `a.b.w${i}.example`),
  ...Array.from({ length: 4 }, (_, i) => `l${i}.local.example`),
  ...Array.from({ length: 4 }, (_, i) => `r${i}.moved.example`),
];
/** Above, below and behind them: chain targets, redirect targets, and what no policy ever approves. */
const AROUND = [
  '',
  'example',
  'pool.example',
  'w0.example',
  'target.example',
  't2.target.example',
  't3.target.example',
  'u3.deep.test',
  'deep.test',
  'test',
  'mirror1.behind.example',
  'h3.pool.example._why.namegate.internal',
  'namegate.internal',
  'localhost',
  'use-application-dns.net',
  'resolver.arpa',
  '1.0.0.10.in-addr.arpa',
];
const TYPES = [
  'A',
  'A',
  'A',
  'A',
  'AAAA',
  'CNAME',
  'MX',
  'SRV',
  'HTTPS',
  'TXT',
  'ANY',
  'DS',
  'DNSKEY',
  'NS',
  'TYPE65280',
];

/** One policy and what happens while it is in force: a stretch of the story. `now`: seconds since 1970 at its start. */
export function stretch(random: Random, questions: number, now: number): Event[] {
  const policy = leakPolicy(random, Math.floor(now));
  const events: Event[] = [
    { kind: 'reload', policy, share: random.once(6) ? 'identity' : 'all', renew: random.once(5) },
  ];
  for (let left = questions; left > 0; ) {
    switch (random.below(12)) {
      case 0:
      case 1:
        events.push({ kind: 'settle', pick: random.next(), seed: random.next() });
        break;
      case 2:
        events.push({
          kind: 'pass',
          milliseconds: random.once(40) ? random.below(400_000) : random.below(1500),
        });
        break;
      case 3:
        events.push({ kind: 'tick' });
        break;
      case 4:
        if (random.once(2)) events.push(randomLeaseEvent(random));
        break;
      default:
        events.push(randomAsk(random));
        left--;
    }
  }
  return events;
}

const STAGES = ['s0', 's1'];

function randomLeaseEvent(random: Random): Event {
  const asker = random.below(ASKERS.length);
  switch (random.below(4)) {
    case 0:
      return { kind: 'advance', asker, stage: random.pick([...STAGES, 'gone']) };
    case 1:
      return { kind: 'end', asker };
    default:
      return {
        kind: 'lease',
        asker,
        identity: random.once(8) ? 'gone' : ASKERS[random.below(2)]!.name,
        stage: random.pick([...STAGES, ...STAGES, 'gone', null, null]),
        milliseconds: 1 + random.below(random.once(2) ? 2000 : 60_000),
        quarantine: random.once(3) ? random.below(5000) : 0,
      };
  }
}

function randomAsk(random: Random): Event {
  const name = randomName(random);
  const edns = !random.once(5);
  const type = name.includes('_why') ? 'TXT' : random.pick(TYPES);
  const trust = type === 'DS' || type === 'DNSKEY';
  return {
    kind: 'ask',
    asker: random.once(12) ? 2 : random.below(2),
    name: random.once(3) ? name.toUpperCase() : name,
    type,
    edns,
    dnssecOk: edns && random.once(trust ? 2 : 3),
    checkingDisabled: random.once(trust ? 3 : 8),
    transport: random.once(3) ? 'udp' : 'tcp',
  };
}

function randomName(random: Random): string {
  const name = random.pick(POOL);
  // Free labels are where data leaks through.
  const secret = `s${random.next().toString(36)}`;
  switch (random.below(14)) {
    case 0:
      return `${secret}.outside.example`;
    case 1:
      return `${secret}.${name}`;
    case 2:
      return `${secret}.w${random.below(4)}.example`;
    case 3:
      return `${secret}.${secret}.w${random.below(4)}.example`;
    case 4:
    case 5:
      return random.pick(AROUND);
    default:
      return name;
  }
}

/** Any name of the world: whom lies are about. */
export function randomVictim(random: Random): Name {
  return nameOf(random.pick(POOL));
}

/** Each name is approved now and then, for one identity, both or none, for a while or for good. */
function leakPolicy(random: Random, now: number): Policy {
  const rule = (pattern: string): Rule => ({ pattern, ...leakTerms(random, now) });
  const rules = (once: number): Rule[] => [
    ...POOL.filter(() => random.once(once)).map(rule),
    ...[0, 1, 2, 3]
      .filter(() => random.once(once))
      .map((i) => rule(`${random.pick(['*', '**'])}.w${i}.example`)),
    ...(random.once(once) ? [rule(`n{${random.below(4)}..${4 + random.below(7)}}.family.example`)] : []),
    ...(random.once(2 * once) ? [rule('**.pool.example')] : []),
    ...(random.once(3 * once) ? [rule(random.pick(AROUND.filter((name) => name.endsWith('.example'))))] : []),
  ];
  const shared = {
    name: 'shared',
    ...(random.once(3) ? leakTerms(random, now) : {}),
    names: rules(5),
    list: POOL.filter(() => random.once(12)).map((pattern) => ({ pattern })),
  };
  const identities = ASKERS.slice(0, 2).map(({ name, from }): Identity => {
    const allow: Entry[] = [...(random.once(2) ? ['shared'] : []), ...rules(4)];
    return {
      name,
      addresses: [from],
      allow,
      stages: STAGES.filter(() => !random.once(3)).map((stage) => ({
        name: stage,
        kind: random.pick(['allow', 'only'] as const),
        entries: [...(random.once(3) ? ['shared'] : []), ...rules(8)],
      })),
      exceptions: rules(30).map((each) => ({ ...each, until: now + 1 + random.below(60) })),
      ...(random.once(8) ? { auditUntil: now + 1 + random.below(30) } : {}),
    };
  });
  const redirects: Redirect[] = [];
  for (let i = 0; i < 4; i++) {
    if (random.once(2)) continue;
    const to = random.pick([
      `h${i}.pool.example`,
      `p${i}.pool.example`,
      `c${i}.pool.example`,
      `mirror${i}.behind.example`,
      'r3.moved.example',
      'l0.local.example',
    ]);
    if (i === 3 && to === 'r3.moved.example') continue;
    redirects.push({
      name: `r${i}.moved.example`,
      to,
      ...(random.once(3) ? { private: true as const } : {}),
    });
  }
  const records = [0, 1, 2, 3]
    .filter(() => random.once(2))
    .map((i) => ({ name: `l${i}.local.example`, type: 'A', data: `192.0.2.${1 + random.below(250)}` }));
  return { destinations: [shared], identities, records, redirects };
}

function leakTerms(random: Random, now: number): Terms {
  return {
    ...(random.once(3)
      ? {
          types: ['A', 'MX', 'SRV', 'TXT', 'HTTPS', 'TYPE65280'].filter(() => !random.once(3)).concat('AAAA'),
        }
      : {}),
    ...(random.once(5) ? { until: now + random.below(60) } : {}),
    ...(random.once(3)
      ? { private: random.once(2) ? (true as const) : ['127.0.0.0/8', '10.0.0.0/8', 'fc00::/7'] }
      : {}),
  };
}
