import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { isAtOrUnder } from '../../src/wire/name.ts';
import type { QueryOptions } from './house.ts';
import { type Script, wireName } from './records.ts';
import type { Reply } from './reply.ts';

/** Upstream replies built from few names and many lies, and what must be true of any reply that is made of them. */

const NAMES = [
  'www.site.example',
  'b.site.example',
  'x.b.site.example',
  'cdn.net',
  'www.cdn.net',
  'evil.example',
  'site.example',
  'example',
  '.',
  'WWW.Site.Example',
];
/** What a client asks about; the policy of the tests approves them. */
export const QUESTIONS = ['www.site.example', 'b.site.example', 'x.b.site.example'];
export const QUESTION_TYPES = [
  'A',
  'AAAA',
  'CNAME',
  'MX',
  'SRV',
  'HTTPS',
  'TXT',
  'DNAME',
  'NS',
  'SOA',
  'RRSIG',
  'DS',
  'TYPE65280',
];

const name = fc.constantFrom(...NAMES);
const ttl = fc.constantFrom(0, 1, 30, 300, 86_400, 4_294_967_295);
const ipv4 = fc.constantFrom(
  '192.0.2.1',
  '203.0.113.9',
  '10.0.0.1',
  '127.0.0.1',
  '169.254.169.254',
  '100.64.0.1',
);
const ipv6 = fc.constantFrom(
  '2001:db8::1',
  'fd00::1',
  '::1',
  '::ffff:10.0.0.1',
  '64:ff9b::7f00:1',
  '2002:a00:1::1',
);
const covered = fc.constantFrom('A', 'CNAME', 'NSEC', 'SOA', 'DNAME', 'MX');

const data: Record<string, fc.Arbitrary<string>> = {
  A: ipv4,
  AAAA: ipv6,
  CNAME: name,
  DNAME: name,
  NS: name,
  SOA: name.map((zone) => `ns.${zone === '.' ? 'x' : zone} h.example 1 2 3 4 60`),
  MX: name.map((target) => `10 ${target}`),
  SRV: name.map((target) => `0 0 443 ${target}`),
  HTTPS: fc
    .tuple(name, ipv4, ipv6)
    .map(([target, four, six]) => `1 ${target} ipv4hint=${four} ipv6hint=${six}`),
  TXT: fc.constantFrom('"x"', `"${'long'.repeat(60)}" `.repeat(3).trim()),
  RRSIG: fc.tuple(covered, fc.nat(5), name).map(([type, labels, signer]) => `${type} ${labels} ${signer}`),
  NSEC: name,
  NSEC3: fc.constantFrom('x', 'y'),
  DS: fc.constant(`1 8 2 ${'ab'.repeat(32)}`),
  TYPE65280: fc.constantFrom('\\# 2 c00c', '\\# 0'),
};

const record = fc
  .constantFrom(...Object.keys(data))
  .chain((type) =>
    fc
      .tuple(name, ttl, fc.constantFrom('', '', '', '', 'CLASS3 '), data[type]!)
      .map(([owner, seconds, cls, rdata]) => `${owner} ${seconds} ${cls}${type} ${rdata}`),
  );

const script: fc.Arbitrary<Script> = fc.record({
  rcode: fc.constantFrom(0, 0, 0, 3),
  flags: fc.constantFrom(0, 0x20, 0x0400),
  verified: fc.boolean(),
  answer: fc.array(record, { maxLength: 6 }),
  authority: fc.array(record, { maxLength: 4 }),
  additional: fc.array(record, { maxLength: 2 }),
});

const question = fc.record({
  name: fc
    .constantFrom(...QUESTIONS)
    .chain((text) =>
      fc
        .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
        .map((upper) => [...text].map((char, i) => (upper[i] ? char.toUpperCase() : char)).join('')),
    ),
  type: fc.constantFrom(...QUESTION_TYPES),
});

/** Some of the truth at the head of the answer, so that not every reply is nonsense. */
function truth(asked: { name: string; type: string }): fc.Arbitrary<string[]> {
  const seconds = fc.constantFrom(0, 30, 300);
  const last = (owner: string) =>
    fc.tuple(seconds, data[asked.type]!).map(([ttl_, rdata]) => [`${owner} ${ttl_} ${asked.type} ${rdata}`]);
  const chain = fc
    .tuple(fc.subarray(['cdn.net', 'www.cdn.net', 'evil.example']), seconds)
    .chain(([links, ttl_]) =>
      last(links.at(-1) ?? asked.name).map((end) => [
        ...links.map((link, i) => `${i === 0 ? asked.name : links[i - 1]} ${ttl_} CNAME ${link}`),
        ...end,
      ]),
    );
  return fc.oneof(fc.constant<string[]>([]), last(asked.name), chain);
}

/** A question and what the upstream says to it. */
export const exchange = question.chain((asked) =>
  fc.record({
    asked: fc.constant(asked),
    said: fc
      .tuple(truth(asked), script)
      .map(([head, said]): Script => ({ ...said, answer: [...head, ...(said.answer ?? [])] })),
  }),
);

export const options: fc.Arbitrary<QueryOptions> = fc.record({
  transport: fc.constantFrom('udp' as const, 'tcp' as const),
  edns: fc.boolean(),
  do: fc.boolean(),
  cd: fc.boolean(),
  ad: fc.boolean(),
  udpSize: fc.constantFrom(0, 512, 700, 4096),
  id: fc.nat(65_535),
});

/** `owner type rdata` in lower case, the TTL left out. */
function essence(text: string): string {
  const [owner = '', , ...rest] = text.split(' ');
  return `${owner} ${rest.join(' ')}`.toLowerCase();
}

/** Why a reply breaks the rules of cleaning, or null. `sent` is what the upstream said, read back by the same reader. */
export function fault(
  reply: Reply,
  asked: string,
  type: string,
  dnssec: boolean,
  sent: readonly string[] | null,
): string | null {
  const chain = [asked.toLowerCase()];
  const dnames = new Set<string>();
  const known = sent === null ? null : new Set(sent.map(essence));
  if (reply.additional.length > 0) return 'additional records';
  for (const text of reply.answer) {
    const [owner = '', , kind = '', rdata = ''] = text.toLowerCase().split(' ');
    const here = wireName(owner);
    const isLink = chain.includes(owner);
    const isAbove = chain.some((link) => isAtOrUnder(wireName(link), here) && link !== owner);
    if (kind === 'dname' && isAbove) dnames.add(owner);
    else if (kind === 'rrsig' && dnames.has(owner)) continue;
    else if (!isLink) return `${text} is not on the chain`;
    if (kind === 'cname' && type !== 'CNAME') chain.push(rdata);
    else if (kind === 'rrsig' && !dnssec && type !== 'RRSIG') return `${text} without DO`;
    else if (!['cname', 'dname', 'rrsig', type.toLowerCase()].includes(kind))
      return `${text} was not asked for`;
    const made = kind === 'cname' && dnames.size > 0;
    if (known !== null && !made && !known.has(essence(text))) return `${text} was never said`;
  }
  const end = wireName(chain.at(-1)!);
  let soas = 0;
  for (const text of reply.authority) {
    const [owner = '', , kind = ''] = text.toLowerCase().split(' ');
    if (kind === 'soa') {
      if (++soas > 1 || !isAtOrUnder(end, wireName(owner))) return `${text} has no say`;
    } else if (!dnssec || !['nsec', 'nsec3', 'rrsig'].includes(kind)) return `${text} is no proof`;
  }
  return null;
}

/** An address in the answer that no rule grants, or null. ipaddr.js, which shares no code with us, knows the ranges. */
export function forbidden(reply: Reply): string | null {
  for (const text of reply.answer) {
    const [, , type, rdata = ''] = text.split(' ');
    const addresses =
      type === 'A' || type === 'AAAA' ? [rdata] : type === 'HTTPS' ? hints(Buffer.from(rdata, 'hex')) : [];
    for (const address of addresses) if (isInside(ipaddr.parse(address))) return `${text} holds ${address}`;
  }
  return null;
}

/** ipv4hint and ipv6hint of expanded HTTPS RDATA. */
function hints(rdata: Buffer): string[] {
  const found: string[] = [];
  let at = 2;
  while (rdata[at] !== 0) at += 1 + rdata[at]!;
  for (at++; at < rdata.length; at += 4 + rdata.readUInt16BE(at + 2)) {
    const size = { 4: 4, 6: 16 }[rdata.readUInt16BE(at)] ?? 0;
    const end = at + 4 + rdata.readUInt16BE(at + 2);
    for (let from = at + 4; size > 0 && from < end; from += size)
      found.push(ipaddr.fromByteArray([...rdata.subarray(from, from + size)]).toString());
  }
  return found;
}

const INSIDE = [
  'unspecified',
  'broadcast',
  'multicast',
  'linkLocal',
  'loopback',
  'carrierGradeNat',
  'private',
  'uniqueLocal',
];

function isInside(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  const range: string = address.range();
  if (INSIDE.includes(range)) return true;
  if (address instanceof ipaddr.IPv4) return address.toString() === '168.63.129.16';
  const octets = address.toByteArray();
  const at = { ipv4Mapped: 12, '6to4': 2, rfc6052: 12 }[range];
  return at !== undefined && isInside(ipaddr.fromByteArray(octets.slice(at, at + 4)));
}
