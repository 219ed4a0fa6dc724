import { z } from 'zod';
import { ALERT_KINDS, ALERT_SEVERITIES } from '../../settings/alert-settings.ts';
import { FORM } from '../units.ts';
import { count, duration, list, NAMES, text } from './schema-parts.ts';

const path = (description: string, example: string) =>
  text('a path', `${description} Relative to this file.`, null, example).optional();

const quota = (description: string, example: string) =>
  z
    .strictObject({
      size: text('a size', 'Octets that are kept.', FORM.size, '256MiB').optional(),
      age: duration('How long an event is kept.', '7d').optional(),
    })
    .meta({ title: 'a map { size, age }', description, examples: [example] })
    .optional();

const sink = z
  .strictObject({
    name: text('a name', 'Under which its cursor is kept, and it is spoken of.', NAMES, 'siem'),
    type: z.enum(['file', 'stdout', 'syslog', 'otlp']).meta({
      title: 'file, stdout, syslog or otlp',
      description: 'JSON lines to a file or to the standard output; syslog (RFC 5424); OTLP/HTTP with JSON.',
    }),
    to: text(
      'a path or a URL',
      'file: a path. syslog: udp://, tcp:// or tls:// and HOST:PORT. otlp: an http:// or https:// URL.',
      null,
      'https://192.0.2.9:4318#collector.example',
    ).optional(),
    format: z
      .enum(['json', 'ocsf'])
      .meta({ title: 'json or ocsf', description: 'Plain JSON, or OCSF 1.8 (default json).' })
      .optional(),
    kinds: list(
      z.enum(ALERT_KINDS).meta({ title: 'a kind of event' }),
      'a list of kinds',
      'What it takes (default finding, deny, contain, would_deny, would_contain). Dropped events are told besides.',
    )
      .min(1)
      .optional(),
    min_severity: z
      .enum(ALERT_SEVERITIES)
      .meta({
        title: 'a severity',
        description: 'The least severity of a finding (default operations: all).',
      })
      .optional(),
    ca: path("PEM file of the CAs that the receiver is verified with; else Node's own.", 'siem-ca.pem'),
    certificate: path('PEM file of the certificate that is shown to the receiver.', 'siem.pem'),
    key: path("PEM file of that certificate's key.", 'siem.key'),
    token_file: path('otlp alone: a file that holds a bearer token.', 'siem.token'),
    size: text(
      'a size',
      'file alone: where the file is larger, a new one is begun (default 64MiB).',
      FORM.size,
      '64MiB',
    ).optional(),
    keep: count('file alone: older files that are kept (default 4).', 0, 1_000, 4).optional(),
  })
  .meta({ title: 'a map with name and type' });

export const alerts = z
  .strictObject({
    sync: z
      .enum(['normal', 'disk'])
      .meta({
        title: 'normal or disk',
        description:
          '`disk`: each batch reaches the disk before it counts; `normal` may lose the last ones with the power (default normal).',
      })
      .optional(),
    quota: z
      .strictObject({
        decisions: quota('Of questions that were decided (default 256MiB, 7d).', '{ size: 256MiB, age: 7d }'),
        findings: quota('Of all else (default 64MiB, 30d).', '{ size: 64MiB, age: 30d }'),
      })
      .meta({
        title: 'a map { decisions, findings }',
        description: 'What is kept for sinks that are behind.',
      })
      .optional(),
    full: z
      .enum(['drop_oldest', 'drop_new'])
      .meta({
        title: 'drop_oldest or drop_new',
        description:
          'What goes where a quota is full of events that a sink has not had (default drop_oldest).',
      })
      .optional(),
    sinks: list(sink, 'a list of sinks', 'Who is told. Without it a file: alerts.jsonl in the state folder.')
      .min(1)
      .optional(),
  })
  .meta({
    title: 'a map',
    description: 'The alert feed; without it findings go to the log alone.',
    examples: ['{}'],
  })
  .optional();
