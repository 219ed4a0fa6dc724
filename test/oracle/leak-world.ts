/** What is true of the names that the leak oracle asks about, what its upstream says of them, and what it lies. */
import type { Script } from '../resolve/records.ts';
import { recordOctets, typeNumber, wireName } from '../server/message.ts';
import type { Random } from '../server/random.ts';
import { message, question } from '../wire/build.ts';
import { isUnder, type Name, nameOf, ROOT, toText } from './names.ts';

/** One of these is in every lie; no true record holds any. */
export const LIE_ADDRESS = '203.0.113.66';
export const LIE_ZONES = [nameOf('evil.example'), nameOf('evil.lies')];

/** How far an address reaches, and the prefix that a rule's `private` list names it by. */
export type Reach =
  | { readonly kind: 'public' }
  | { readonly kind: 'private' | 'special'; readonly prefix: string };

/** A record of the truth. */
export interface True {
  readonly owner: Name;
  readonly ttl: number;
  readonly type: string;
  /** As `server/message.ts` writes it. */
  readonly data: string;
  /** The addresses in it. */
  readonly reach: Reach;
  /** Where MX, SRV and HTTPS lead, if not to their owner. */
  readonly target: Name | null;
}

const PUBLIC: Reach = { kind: 'public' };
const TTLS = [0, 1, 5, 60, 400, 100_000];

/** Addresses by what they are, IPv4 and IPv6. */
const RESTRICTED: readonly (readonly [string, string, Reach])[] = [
  ['10.1.2.3', 'fd00:0:0:0:0:0:0:5', { kind: 'private', prefix: '10.0.0.0/8' }],
  ['100.64.9.9', 'fd12:0:0:0:0:0:0:5', { kind: 'private', prefix: '100.64.0.0/10' }],
  ['127.0.0.5', '0:0:0:0:0:ffff:7f00:5', { kind: 'special', prefix: '127.0.0.0/8' }],
  ['169.254.169.254', '64:ff9b:0:0:0:0:a9fe:a9fe', { kind: 'special', prefix: '169.254.0.0/16' }],
];

/** A number that belongs to the name, so that the truth never changes. */
function hashOf(name: Name): number {
  let hash = 7;
  for (const char of name) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0;
  return hash;
}

function dotted(name: Name): string {
  return name === ROOT ? '.' : `${toText(name)}.`;
}

/** Every record of a name and type, the chain that leads to them first. */
export function truth(name: Name, type: string): True[] {
  const hash = hashOf(name);
  const ttl = TTLS[hash % TTLS.length]!;
  const text = toText(name);
  const [, letter = '', number = '0'] = /^([a-z])(\d+)\.(?:pool|target|deep)\./.exec(text) ?? [];
  const plain = (data: string, reach = PUBLIC, target: Name | null = null): True[] => [
    { owner: name, ttl, type, data, reach, target },
  ];
  if (letter === 'x') return [];
  const next = chainTarget(name, letter, number);
  if (next !== null) {
    const link = { owner: name, ttl, type: 'CNAME', data: dotted(next), reach: PUBLIC, target: null };
    return type === 'CNAME' ? [link] : [link, ...truth(next, type)];
  }
  const restricted = letter === 'p' ? RESTRICTED[Number(number) % RESTRICTED.length]! : null;
  switch (type) {
    case 'A':
      return plain(restricted?.[0] ?? `198.51.100.${hash % 250}`, restricted?.[2]);
    case 'AAAA':
      return plain(
        restricted?.[1] ?? `2001:db8:0:0:0:0:0:${(hash % 0xffff).toString(16)}`,
        aaaaReach(restricted),
      );
    case 'MX':
      return letter === 'm'
        ? plain(`10 h${number}.pool.example.`, PUBLIC, nameOf(`h${number}.pool.example`))
        : [];
    case 'SRV':
      return letter === 's'
        ? plain(`0 0 443 h${number}.pool.example.`, PUBLIC, nameOf(`h${number}.pool.example`))
        : [];
    case 'HTTPS':
      if (letter === 's')
        return plain(`1 h${number}.pool.example.`, PUBLIC, nameOf(`h${number}.pool.example`));
      return letter === 'p' ? plain(`1 . ${restricted![0]}`, restricted![2]) : plain('1 .');
    case 'TXT':
      return plain(`of-${hash}`);
    case 'DS':
    case 'DNSKEY':
    case 'TYPE65280':
      return plain(hash.toString(16).padStart(8, '0'));
    default:
      return [];
  }
}

function aaaaReach(restricted: (typeof RESTRICTED)[number] | null): Reach {
  if (restricted === null) return PUBLIC;
  // The address that a mapped or NAT64 address carries is what counts; ULA is private, in fc00::/7.
  return restricted[2].kind === 'private' ? { kind: 'private', prefix: 'fc00::/7' } : restricted[2];
}

/** `c`: a chain of one link, of two, or into the names with private addresses. */
function chainTarget(name: Name, letter: string, number: string): Name | null {
  if (letter === 'c')
    return nameOf(Number(number) % 3 === 1 ? `p${number}.pool.example` : `t${number}.target.example`);
  if (letter === 't' && Number(number) % 3 === 0) return nameOf(`u${number}.deep.test`);
  // A DNAME stands at w0.example.
  const zone = nameOf('w0.example');
  return isUnder(name, zone) ? `${name.slice(0, -zone.length)}${nameOf('w0.target.example')}` : null;
}

/** Whether the name does not exist for the upstream. */
function isAbsent(name: Name, type: string): boolean {
  const end = truth(name, type).findLast((record) => record.type === 'CNAME');
  const last = end === undefined ? name : nameOf(end.data);
  return /^x\d+\.pool\./.test(toText(last));
}

/** What the upstream says of a question, the truth with lies around it, or something else that ends the wait. */
export function upstreamScript(name: Name, type: string, victim: Name, random: Random): Script {
  switch (random.below(16)) {
    case 0:
      return { failure: random.pick(['silent', 'network', 'refused'] as const) };
    case 1:
      return { octets: unusable(name, type, random) };
    default:
      return { octets: whole(name, type, victim, random), verified: random.once(4) };
  }
}

function whole(name: Name, type: string, victim: Name, random: Random): Buffer {
  const records = truth(name, type);
  const owner = dotted(name);
  const last = records.at(-1);
  const end = last?.type === 'CNAME' && type !== 'CNAME' ? nameOf(last.data) : name;
  const zone = ['example', 'test'].find((one) => isUnder(end, nameOf(one))) ?? '';
  const negative = last === undefined || (last.type === 'CNAME' && type !== 'CNAME');
  const answer = records.map(
    (record) => `${dotted(record.owner)} ${record.ttl} ${record.type} ${record.data}`,
  );
  if (isUnder(name, nameOf('w0.example'))) answer.unshift('w0.example. 60 DNAME w0.target.example.');
  for (const record of records) {
    if (random.once(2)) answer.push(`${dotted(record.owner)} ${record.ttl} RRSIG ${record.type} 3 example.`);
  }
  const lies = [
    `evil.example. 3600 A ${LIE_ADDRESS}`,
    `sub.${owner === '.' ? '' : owner} 3600 A ${LIE_ADDRESS}`,
  ];
  // Of the victim, and of the question itself, where no chain or question takes them for the truth.
  if (victim !== name && !records.some((record) => nameOf(record.data) === victim || record.owner === victim))
    lies.push(`${dotted(victim)} 3600 A ${LIE_ADDRESS}`, `${dotted(victim)} 3600 CNAME evil.example.`);
  if (type !== 'A' && type !== 'CNAME' && last?.type !== 'CNAME') lies.push(`${owner} 3600 A ${LIE_ADDRESS}`);
  const shown = [...answer, ...lies.filter(() => random.once(2))];
  if (random.once(2)) shuffle(shown, random);
  return response(name, type, isAbsent(name, type) ? 3 : 0, [
    shown,
    [
      ...(negative && !random.once(6)
        ? [`${zone}. ${random.pick([1, 60])} SOA a.example. b.example. 1 2 3 4 60`]
        : []),
      ...(random.once(3) ? ['a.example. 60 NSEC z.example.', 'a.example. 60 RRSIG NSEC 2 example.'] : []),
      // Beside the truth, where it is no referral.
      ...(records.length > 0 && random.once(2) ? [`${dotted(victim)} 3600 NS ns.evil.example.`] : []),
      ...(random.once(2) ? ['evil.example. 3600 SOA a.example. b.example. 1 2 3 4 9'] : []),
      // In no zone that has a say, unless the root's has.
      ...(zone !== '' && random.once(2) ? ['a.evil.lies. 3600 NSEC b.evil.lies.'] : []),
    ],
    [`ns.evil.example. 3600 A ${LIE_ADDRESS}`, `${owner} 3600 A ${LIE_ADDRESS}`].filter(() => random.once(2)),
  ]);
}

/** A referral, a chain in a ring, NXDOMAIN with data, or no message at all. */
function unusable(name: Name, type: string, random: Random): Buffer {
  const owner = dotted(name);
  // A CNAME in a ring is an answer to who asked for it.
  switch (type === 'CNAME' ? 0 : random.below(4)) {
    case 0:
      return response(name, type, 0, [
        [],
        ['example. 60 NS ns.evil.example.'],
        [`ns.evil.example. 60 A ${LIE_ADDRESS}`],
      ]);
    case 1:
      return response(name, type, 0, [
        [`${owner} 60 CNAME ring.evil.example.`, `ring.evil.example. 60 CNAME ${owner}`],
        [],
        [],
      ]);
    case 2:
      return response(name, type, 3, [
        [`${owner} 60 ${type === 'A' ? 'A' : 'TYPE65281'} ${type === 'A' ? LIE_ADDRESS : '00'}`],
        [],
        [],
      ]);
    default:
      return Buffer.from(Array.from({ length: random.below(60) }, () => random.below(256)));
  }
}

function response(
  name: Name,
  type: string,
  rcode: number,
  [answer, authority, additional]: readonly [string[], string[], string[]],
): Buffer {
  return message({
    id: 0,
    flags: 0x8180 | rcode,
    questions: [question(wireName(dotted(name)), typeNumber(type))],
    answers: answer.map(recordOctets),
    authority: authority.map(recordOctets),
    additional: additional.map(recordOctets),
  });
}

function shuffle<T>(list: T[], random: Random): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
}
