import { z } from 'zod';
import { identityTerms } from '../policy/identity-terms.ts';
import { FORM } from '../units.ts';
import { grant, lasting, pattern, terms } from './rule-schema.ts';
import { count, list, MOST, NAMES, prose, text, time } from './schema-parts.ts';

const owner = prose('Who answers for it.', 'platform-security');
const reason = prose('Why it is approved.', 'clone and fetch');

const nameEntry = z
  .union([pattern, z.strictObject({ name: pattern, reason: reason.optional(), ...lasting })])
  .meta({ title: 'a pattern or a map with name' });

const destination = z
  .strictObject({
    owner,
    reason,
    names: list(
      nameEntry,
      'a list of patterns',
      'Patterns; a map where one differs from the defaults.',
    ).optional(),
    names_from: list(
      text(
        'a path',
        'A text file, one pattern a line, # comments. Relative to this file.',
        null,
        'lists/mirrors.txt',
      ),
      'a list of paths',
      'Long lists.',
    ).optional(),
    ...lasting,
  })
  .meta({ title: 'a map with owner, reason and names' });

const allowEntry = z
  .union([
    text('a destination', 'Its name.', NAMES, 'source-control'),
    z.strictObject({ name: pattern, reason, owner: owner.optional(), ...lasting }),
  ])
  .meta({ title: 'a destination or a map { name, reason }' });

const allow = list(
  allowEntry,
  'a list of destinations',
  'Destinations by name, or rules written on the spot.',
);

const identity = z
  .strictObject({
    name: text(
      'a name',
      'Letters, digits, - and _; defined once. `unknown` is taken.',
      NAMES,
      'payments-build',
    ),
    owner: prose('Whom to ask.', 'team-payments'),
    review_by: time('When somebody looks at this identity again; a warning from then on.').optional(),
    workload: prose('What it is, for people.', 'nightly build of payments').optional(),
    from: z
      .strictObject({
        addresses: list(
          text('an address prefix', 'An address or a CIDR.', null, '10.20.0.0/16'),
          'a list of address prefixes',
          'Source addresses.',
        ).optional(),
        certificates: list(
          text(
            'a certificate',
            'spiffe://… (/* at its end: any one segment), dns:NAME or sha256:HEX (of the DER).',
            null,
            'spiffe://ci.example/payments',
          ),
          'a list of certificates',
          'What its client certificate holds.',
        ).optional(),
      })
      .meta({ title: 'a map with addresses or certificates', description: 'How it is recognised.' })
      .optional(),
    ...identityTerms,
    mode: z
      .enum(['enforce', 'audit'])
      .meta({
        title: 'enforce or audit',
        description: '`audit` resolves what would be denied, and records it (default enforce).',
      })
      .optional(),
    audit_until: time('Required with mode: audit; from then on the policy is enforced.').optional(),
    limits: z
      .strictObject({
        qps: count('Queries a second.', 1, MOST, 100).optional(),
        burst: count('Queries that may come at once (default: qps).', 1, MOST, 200).optional(),
        in_flight: count(
          'Questions in flight upstream (default: an eighth of the total).',
          1,
          MOST,
          100,
        ).optional(),
      })
      .meta({ title: 'a map', description: 'Bounds of this identity.' })
      .optional(),
    search: list(
      text('a suffix', 'A name.', null, 'svc.cluster.local'),
      'a list of suffixes',
      "Search suffixes that the clients' stubs append.",
    ).optional(),
    allow: allow.optional(),
    stages: z
      .record(
        z.string(),
        z
          .strictObject({
            allow: allow.describe("Adds to the identity's own list.").optional(),
            only: allow.describe("Stands in place of the identity's own list.").optional(),
          })
          .meta({ title: 'a map with allow or only' }),
      )
      .meta({
        title: 'a map of stages',
        description: 'In the order in which a lease enters them; it never goes back.',
      })
      .optional(),
    exceptions: list(
      z
        .strictObject({
          name: pattern,
          ...terms,
          until: time('When it ends.'),
          reason: prose('Why.', 'migration, CHG-1182'),
          approved_by: prose('Who approved it.', 'sec-oncall'),
          owner: owner.optional(),
        })
        .meta({ title: 'a map with name, until, reason and approved_by' }),
      'a list of exceptions',
      'Time-boxed rules. They hold at every stage.',
    ).optional(),
    expected: list(
      z
        .strictObject({
          name: pattern,
          reason: prose('Why it is asked for, and why it stays denied.', 'the vendor tool phones home'),
          until: time('From when on its denials are news again.'),
          owner: owner.optional(),
        })
        .meta({ title: 'a map with name, reason and until' }),
      'a list of names that are expected to be denied',
      'Names that are denied as ever. Their denials are counted and shown apart: they fail no job and make no finding.',
    ).optional(),
  })
  .meta({ title: 'a map with name and owner' });

const exactName = text('a name', 'One exact name.', null, 'hello.example');

export const policySchema = z
  .strictObject({
    destinations: z
      .record(z.string(), destination)
      .meta({ title: 'a map of destinations', description: 'Named, owned, justified sets of names.' })
      .optional(),
    identities: list(identity, 'a list of identities', 'Governed clients.').optional(),
    additions: list(
      z
        .strictObject({
          identity: text('an identity', 'Its name.', NAMES, 'payments-build'),
          stage: text(
            "a stage of the identity's",
            "Without it: the identity's own list.",
            null,
            'fetch',
          ).optional(),
          allow: list(
            text('a destination', 'Its name.', NAMES, 'source-control'),
            'a list of destinations',
            'Destinations by name.',
          ).min(1),
        })
        .meta({ title: 'a map with identity and allow' }),
      'a list of additions',
      'What this file adds to identities of other files, such as what `namegate suggest` proposes.',
    ).optional(),
    redirects: list(
      z
        .strictObject({
          name: exactName,
          to: text('a name', 'What it becomes a CNAME of.', null, 'mirror.example'),
          private: grant.optional(),
        })
        .meta({ title: 'a map { name, to }' }),
      'a list of redirects',
      'Names that are answered with another name. They approve nothing.',
    ).optional(),
    records: list(
      z
        .strictObject({
          name: exactName,
          type: text('a type', 'A mnemonic or TYPEn.', null, 'A'),
          data: text(
            'text',
            'RDATA as a zone file has it, or \\# LENGTH HEX (RFC 3597 §5).',
            null,
            '192.0.2.1',
          ),
          ttl: z
            .union([
              z
                .int()
                .min(0)
                .max(2 ** 31 - 1),
              text('a duration', 'With a unit.', FORM.duration, '60s'),
            ])
            .meta({ title: 'seconds or a duration', description: 'Default 60.', examples: [60] })
            .optional(),
        })
        .meta({ title: 'a map { name, type, data }' }),
      'a list of records',
      'Local data. It approves nothing.',
    ).optional(),
  })
  .meta({
    title: 'a map with identities or destinations',
    description: 'namegate: a policy, or a part of one.',
  });

export type PolicyFile = z.infer<typeof policySchema>;
