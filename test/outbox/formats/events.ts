import fc from 'fast-check';
import { type FeedEvent, KINDS, type Kind, SEVERITIES } from '../../../src/outbox/event.ts';
import { ATTACKS } from '../../../src/outbox/formats/ocsf-words.ts';
import { nameToText } from '../../../src/wire/name.ts';

export const TIME = '2026-11-20T09:30:00.123Z';

/** A denied question as the outbox keeps it. */
export const DENY: FeedEvent = {
  id: '01KANJQ8Y0000000000000000A',
  seq: 7,
  kind: 'deny',
  server: 'ns1',
  time: TIME,
  version: '0.1.0',
  identity: 'builder',
  owner: 'team-build',
  stage: 'fetch',
  lease: 'l-1',
  job: { repository: 'acme/app', run: '12' },
  client: '192.0.2.7',
  client_port: 40_000,
  transport: 'tls',
  proven: true,
  certificate: { san: 'spiffe://ci.example/build', fingerprint: 'ab'.repeat(32) },
  name: 'evil.example',
  type: 'A',
  verdict: 'deny',
  ground: 'nothing',
  rcode: 'NXDOMAIN',
  policy: '0123456789abcdef',
  count: 1,
};

/** The least that an event of a kind has. */
export function bare(kind: Kind): FeedEvent {
  return { id: '01KANJQ8Y0000000000000000B', seq: 1, kind, server: 'ns1', time: TIME, version: '0.1.0' };
}

/** Wire names of any octets, one label of 63 and 127 labels included. */
export const wireName: fc.Arbitrary<Uint8Array> = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 63 }), { maxLength: 127 })
  .map((labels) => {
    const octets: number[] = [];
    for (const label of labels) {
      if (octets.length + label.length + 2 > 255) break;
      octets.push(label.length, ...label);
    }
    return Uint8Array.from([...octets, 0]);
  });

const time = fc
  .integer({ min: 0, max: Date.UTC(2100, 0, 1) })
  .map((milliseconds) => new Date(milliseconds).toISOString());
/** Text that whoever opens a lease, or shows a certificate, chose: any code units, lone surrogates too. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '\u202e\u2066',
    '\u0085\u2028\u2029',
    '\u001b[2J\r\n',
    '\ud800',
    '{"a":1}',
    '__proto__',
    '',
  ),
);
/** An address as namegate writes it: 39 octets at most, where other forms with leading zeros have more. */
const written = fc.oneof(
  fc.ipV4(),
  fc.ipV6().filter((text) => text.length <= 39),
);
const address = fc.oneof(written, hostile);
const counts = fc.dictionary(hostile, fc.nat());

/** Events of every kind, each key there or not, whatever a client and whoever opens leases may choose. */
export const anyEvent: fc.Arbitrary<FeedEvent> = fc
  .record(
    {
      id: fc.constant('01KANJQ8Y0000000000000000C'),
      seq: fc.nat(),
      kind: fc.constantFrom(...KINDS),
      server: hostile,
      time,
      version: hostile,
      identity: fc.constantFrom('builder', 'unknown'),
      owner: hostile,
      stage: hostile,
      lease: hostile,
      job: fc.dictionary(hostile, hostile),
      client: address,
      client_port: fc.nat(65_535),
      protocol: fc.constantFrom('tcp', 'udp', 'icmp', '47'),
      port: fc.nat(65_535),
      granted_name: hostile,
      transport: fc.constantFrom('udp', 'tcp', 'tls'),
      proven: fc.boolean(),
      certificate: fc.record({ san: hostile, fingerprint: hostile }),
      name: wireName.map(nameToText),
      wire_name: fc.constant('00'),
      type: fc.constantFrom('A', 'AAAA', 'TXT', 'TYPE65280'),
      verdict: fc.constantFrom('allow', 'deny', 'empty', 'local', 'contain'),
      ground: hostile,
      approved_stage: hostile,
      rcode: fc.constantFrom('NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED', 'BADVERS', 'RCODE99'),
      rule: hostile,
      policy: fc.constantFrom('0123456789abcdef'),
      addresses: fc.array(written, { maxLength: 8 }),
      count: fc.nat(),
      total: fc.nat(),
      first: time,
      last: time,
      distinct_names: fc.nat(),
      folded: fc.constantFrom('repeats' as const, 'domain' as const),
      severity: fc.constantFrom(...SEVERITIES),
      expected: fc.constant(true as const),
      finding: fc.oneof(fc.constantFrom(...ATTACKS.keys(), 'private-address'), hostile),
      uid: hostile,
      activity: fc.constantFrom('create' as const, 'update' as const, 'close' as const),
      key: hostile,
      text: hostile,
      names: fc.array(wireName.map(nameToText), { maxLength: 5 }),
      next: hostile,
      counts,
      of: fc.constantFrom(...KINDS),
      first_seq: fc.nat(),
      last_seq: fc.nat(),
      runs: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 64 }),
      lost: counts,
      sinks: fc.array(hostile, { maxLength: 3 }),
      in_doubt: fc.constant(true as const),
      why: fc.constantFrom('ring' as const, 'quota' as const, 'disk' as const),
    },
    { requiredKeys: ['id', 'seq', 'kind', 'server', 'time', 'version'] },
  )
  .map((event) => event as FeedEvent);
