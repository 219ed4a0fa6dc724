import { z } from 'zod';
import { URL_FORM } from './endpoint.ts';
import { FORM } from './units.ts';

/**
 * The two kinds of file, as data: keys and kinds. What a text says (a duration, a pattern, an address) is read by
 * the function of its kind, so that a problem can name the very character; `pattern` here is for editors.
 * `title` is how a problem names what is wanted.
 */

/** Texts for people: at least one character that shows, no control characters, no direction overrides. */
function prose(description: string, ...examples: string[]): z.ZodString {
  return z.string().min(1).refine(isProse, 'prose').meta({ title: 'text', description, examples });
}

/** An empty text has its own check. */
function isProse(text: string): boolean {
  if (text === '') return true;
  return (
    text.isWellFormed() && /\S/.test(text) && !/(?![\t\n\r])\p{Cc}|[\u2028-\u202e\u2066-\u2069]/u.test(text)
  );
}

function text(
  title: string,
  description: string,
  pattern: string | null,
  ...examples: string[]
): z.ZodString {
  return z.string().meta({ title, description, examples, ...(pattern === null ? {} : { pattern }) });
}

function duration(description: string, example: string): z.ZodString {
  return text('a duration', description, FORM.duration, example);
}

function time(description: string): z.ZodString {
  const form = 'ISO 8601 with a zone; a bare date is the start of that day in UTC.';
  return text('a time', `${description} ${form}`, FORM.time, '2027-03-31T18:00:00Z', '2027-03-31');
}

function count(description: string, least: number, most: number, example: number): z.ZodInt {
  return z
    .int()
    .min(least)
    .max(most)
    .meta({ title: 'a whole number', description, examples: [example] });
}

function list<T extends z.ZodType>(of: T, title: string, description: string): z.ZodArray<T> {
  return z.array(of).meta({ title, description });
}

const NAMES = '^[A-Za-z0-9][A-Za-z0-9_-]*$';
const MOST = 10_000_000;

const serverEntry = z
  .union([
    text(
      'a server',
      'udp:// or tcp:// (port 53) or tls:// (port 853, the name after #), and an address.',
      URL_FORM.server,
    ),
    z.strictObject({
      on: text('a URL', 'Where the server is.', URL_FORM.server, 'tls://192.0.2.54:853'),
      name: text(
        'a name',
        "tls:// alone: the name that the server's certificate must hold.",
        null,
        'dns.example',
      ).optional(),
      ca: text(
        'a path',
        "tls:// alone: PEM file of the CAs that are trusted; else the system's.",
        null,
        'ca.pem',
      ).optional(),
    }),
  ])
  .meta({
    title: 'a URL or a map { on, name, ca }',
    examples: ['udp://192.0.2.53', 'tls://192.0.2.54#dns.example'],
  });

const group = z
  .strictObject({
    servers: z
      .union([
        z.literal('system'),
        list(serverEntry, 'a list of servers', 'Asked in this order while they answer.').min(1),
      ])
      .meta({
        title: '`system` or a list of servers',
        description:
          "`system` for the nameservers of the system's resolv.conf, followed as it changes; or a list.",
        examples: ['system', '[udp://192.0.2.53]'],
      }),
    zones: list(
      text('a zone', 'A zone; the longest that holds a question decides.', null, 'corp.example'),
      'a list of zones',
      'Zones whose questions go to this group. Required on every group but `default`, which takes the rest.',
    )
      .min(1)
      .optional(),
  })
  .meta({ title: 'a map with servers' });

export const serverSchema = z
  .strictObject({
    listen: list(
      text(
        'a udp:// or tcp:// URL',
        'udp:// or tcp://, an address, and a port (53 unless written).',
        URL_FORM.listen,
        'udp://127.0.0.1:5300',
      ),
      'a list of URLs',
      'Where namegate listens.',
    ).min(1),
    upstreams: z
      .record(z.string(), group)
      .meta({
        title: 'a map of groups',
        description:
          'Groups of servers that approved questions go to. Without it: { default: { servers: system } }.',
      })
      .optional(),
    policy: text(
      'a path',
      'The policy: a file, or a folder of *.yaml. Relative to this file.',
      null,
      'policy/',
    ),
    cache: z
      .strictObject({
        size: text('a size', 'Memory for answers (default 64MiB).', FORM.size, '64MiB').optional(),
        max_ttl: duration('The longest time that an answer is kept (default 1d).', '1d').optional(),
        serve_stale: duration(
          'How long after its end an answer is given when every upstream failed (default 1h).',
          '1h',
        ).optional(),
        share: z
          .enum(['all', 'identity'])
          .meta({
            title: 'all or identity',
            description: '`identity` gives each identity its own entries (default all).',
          })
          .optional(),
      })
      .meta({ title: 'a map', description: 'The answer cache.' })
      .optional(),
    replies: z
      .strictObject({
        max_ttl: duration('TTLs given to clients are at most this (default 300s).', '300s').optional(),
        dynamic_max_ttl: duration(
          'The same for what a stage, lease or exception approves (default 30s).',
          '30s',
        ).optional(),
        ede_text: z
          .boolean()
          .meta({
            title: 'true or false',
            description: 'Say in the answer why a name is denied (default true).',
          })
          .optional(),
      })
      .meta({ title: 'a map', description: 'What clients are given.' })
      .optional(),
    renew: z
      .strictObject({
        names: z
          .union([
            z.literal('all'),
            list(
              text('a destination', 'Its name.', NAMES, 'source-control'),
              'a list of destinations',
              'Names.',
            ).min(1),
          ])
          .meta({
            title: '`all` or a list of destinations',
            description: 'Whose names are asked for again on a schedule of their own.',
            examples: ['all', '[source-control]'],
          }),
        max: count('The most names that are renewed (default 1000).', 1, 1_000_000, 1000).optional(),
      })
      .meta({
        title: 'a map with names',
        description: 'Renewal of names by namegate itself; off unless written.',
      })
      .optional(),
    limits: z
      .strictObject({
        in_flight: count(
          'Questions in flight upstream, in total (default 10000).',
          1,
          MOST,
          10000,
        ).optional(),
        tcp_clients: count('TCP connections at once (default 1000).', 1, MOST, 1000).optional(),
        unknown_qps: count(
          'UDP answers a second to a /24 or /56 that no identity claims (default 20).',
          1,
          MOST,
          20,
        ).optional(),
      })
      .meta({ title: 'a map', description: 'Bounds of the whole server.' })
      .optional(),
    state: text(
      'a path',
      'Folder for what outlives a run (default state/). Relative to this file.',
      null,
      'state/',
    ).optional(),
    metrics: text(
      'a URL',
      'Where /health and /ready are answered; off unless written.',
      URL_FORM.metrics,
      'http://127.0.0.1:9153',
    ).optional(),
    log: z
      .strictObject({
        level: z
          .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
          .meta({ title: 'a log level', description: 'The least severe line that is logged (default info).' })
          .optional(),
      })
      .meta({ title: 'a map', description: "The server's own log." })
      .optional(),
  })
  .meta({
    title: 'a map with listen and policy',
    description: 'namegate: where it listens, whom it asks, where its policy is.',
  });

export type ServerFile = z.infer<typeof serverSchema>;

const pattern = text(
  'a pattern',
  'a.example, *.a.example (one label in front), **.a.example (one or more), or n{0..199}.a.example.',
  null,
  'github.com',
  '*.a.example',
  'n{0..199}.a.example',
);

const grant = z
  .union([
    z.boolean(),
    list(
      text('an address prefix', 'An address or a CIDR.', null, '10.0.0.0/8'),
      'a list of address prefixes',
      'Prefixes.',
    ).min(1),
  ])
  .meta({
    title: 'true, false or a list of address prefixes',
    description:
      'true: answers may hold RFC 1918, RFC 6598 and ULA addresses. A list: answers may hold these prefixes, also loopback, link-local and cloud metadata.',
    examples: [true],
  });

/** Keys of a rule, which a destination has as defaults. */
const terms = {
  types: list(
    text('a type', 'A mnemonic or TYPEn.', null, 'A'),
    'a list of types',
    'Types that are approved. Without it: A, AAAA, CNAME, and HTTPS where there is no wildcard.',
  )
    .min(1)
    .optional(),
  until: time('When the rule stops approving.').optional(),
  private: grant.optional(),
  shared_zone: z
    .literal('accept')
    .meta({
      title: '`accept`',
      description:
        'Accepts a wildcard on a zone where anyone can rent a name (a private suffix of the public suffix list).',
    })
    .optional(),
  max_labels: count('Wildcards: labels that may stand in front (default 127).', 1, 127, 2).optional(),
  max_label_length: count(
    'Wildcards: octets that each of these labels may have (default 63).',
    1,
    63,
    32,
  ).optional(),
};

const owner = prose('Who answers for it.', 'platform-security');
const reason = prose('Why it is approved.', 'clone and fetch');

const nameEntry = z
  .union([pattern, z.strictObject({ name: pattern, reason: reason.optional(), ...terms })])
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
    ...terms,
  })
  .meta({ title: 'a map with owner, reason and names' });

const allowEntry = z
  .union([
    text('a destination', 'Its name.', NAMES, 'source-control'),
    z.strictObject({ name: pattern, reason, owner: owner.optional(), ...terms }),
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
            'spiffe://…, dns:NAME or sha256:HEX (of the DER).',
            null,
            'spiffe://ci.example/payments',
          ),
          'a list of certificates',
          'What its certificate holds. Nothing reads certificates yet.',
        ).optional(),
      })
      .meta({ title: 'a map with addresses or certificates', description: 'How it is recognised.' })
      .optional(),
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
        description: 'In the order in which a job enters them. Nothing enters stages yet.',
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

/** JSON Schema draft-7 of a file, for editors. */
export function jsonSchema(kind: 'server' | 'policy'): object {
  return z.toJSONSchema(kind === 'server' ? serverSchema : policySchema, { target: 'draft-7', io: 'input' });
}
