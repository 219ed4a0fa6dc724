import { z } from 'zod';
import { URL_FORM } from '../server/endpoint.ts';
import { adminKeys } from '../server/read-admin.ts';
import { listenEntry } from '../server/read-listeners.ts';
import { FORM } from '../units.ts';
import { alerts } from './alert-schema.ts';
import { budget } from './budget-schema.ts';
import { detectKeys } from './detect-schema.ts';
import { enforce } from './enforce-schema.ts';
import { history } from './history-schema.ts';
import { count, duration, list, MOST, NAMES, prose, text } from './schema-parts.ts';

/** Printable ASCII without spaces: a syslog header must hold it (RFC 5424 §6). */
const SERVER_NAME = '^[!-~]{1,255}$';

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
      mix_case: z
        .boolean()
        .meta({
          title: 'true or false',
          description:
            'udp:// alone: false asks in lower case, for a server that does not keep the case of names (default true).',
        })
        .optional(),
    }),
  ])
  .meta({
    title: 'a URL or a map { on, name, ca, mix_case }',
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
    mix_case: z
      .boolean()
      .meta({
        title: 'true or false',
        description: 'False asks every server of the group in lower case over UDP (default true).',
      })
      .optional(),
  })
  .meta({ title: 'a map with servers' });

const policyPath = text('a path', 'A file or a folder. Relative to this file.', null, 'policy/');

export const serverSchema = z
  .strictObject({
    listen: list(listenEntry, 'a list of URLs and maps', 'Where namegate listens.').min(1),
    upstreams: z
      .record(z.string(), group)
      .meta({
        title: 'a map of groups',
        description:
          'Groups of servers that approved questions go to. Without it: { default: { servers: system } }.',
      })
      .optional(),
    policy: z
      .union([
        policyPath,
        z.strictObject({
          path: policyPath,
          may_read: list(
            text('a folder', 'Its files may be read, and their lines shown.', null, '/srv/lists'),
            'a list of folders',
            "Folders beside the policy's own that it may read lists and linked files from. Relative to this file.",
          )
            .min(1)
            .optional(),
        }),
      ])
      .meta({
        title: 'a path or a map with path',
        description:
          'The policy: a file, or a folder of *.yaml and *.yml. What it reads lies in that folder, links resolved.',
        examples: ['policy/'],
      }),
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
    detect: z
      .strictObject({
        budgets: z
          .strictObject({
            lease_wildcard: budget(
              'One lease and wildcard; without a lease one certificate or address (default 512B, 1KiB).',
              '{ alert: 512B, contain: 1KiB }',
            ).optional(),
            claim_wildcard: budget(
              'One address or certificate name and wildcard, over all its leases and identities (default 2KiB, 4KiB).',
              '{ alert: 2KiB, contain: 4KiB }',
            ).optional(),
            identity_wildcard: budget(
              'One identity and wildcard; whoever shares it could deny it to the rest (default 4KiB, off).',
              '{ alert: 4KiB, contain: off }',
            ).optional(),
            identity: budget(
              'One identity, all its wildcards (default 16KiB, off).',
              '{ alert: 16KiB, contain: off }',
            ).optional(),
          })
          .meta({
            title: 'a map of budgets',
            description: 'Octets that may go upstream through wildcards in a day, by who is counted.',
          })
          .optional(),
        ...detectKeys,
      })
      .meta({
        title: 'a map',
        description: 'The budgets of the leak ledger, and what detectors look for.',
      })
      .optional(),
    state: text(
      'a path',
      'Folder for what outlives a run (default state/). Relative to this file.',
      null,
      'state/',
    ).optional(),
    server: z
      .strictObject({
        name: text(
          'a name',
          "What this server is called in every event of the alert feed (default the host's name).",
          SERVER_NAME,
          'ns1.example',
        )
          .max(255)
          .optional(),
      })
      .meta({ title: 'a map with name', description: 'This server among others.' })
      .optional(),
    contact: prose(
      'Whom a client is told to ask that no identity claims, or whose name nobody approves.',
      'platform-team',
    ).optional(),
    ...adminKeys,
    alerts,
    enforce,
    history,
    metrics: text(
      'a URL',
      'Where /health, /ready and /metrics are answered; off unless written.',
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
