import { z } from 'zod';
import { budget } from './budget-schema.ts';
import { ports } from './enforce-schema.ts';
import { count, list, prose, text, time } from './schema-parts.ts';

export const pattern = text(
  'a pattern',
  'a.example, *.a.example (one label in front), **.a.example (one or more), or n{0..199}.a.example.',
  null,
  'github.com',
  '*.a.example',
  'n{0..199}.a.example',
);

export const grant = z
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
export const terms = {
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
  budget: budget(
    'Wildcards: what one job may put upstream through it in a day; four times that for its machine. `off` refuses nothing. Without it: detect.budgets of the server file.',
    '{ alert: 2KiB, contain: 8KiB }',
  ).optional(),
  ports: ports(
    'With `enforce` in the server file: what a client may connect to at an address that these names have. Without it: enforce.ports.',
  ).optional(),
  keep: z
    .literal('lease')
    .meta({
      title: '`lease`',
      description:
        'With `enforce` in the server file: for programs that resolve once. A job may connect to what was answered until its lease ends.',
    })
    .optional(),
};

/** Keys of what is approved for good. */
export const lasting = {
  ...terms,
  fallback: prose(
    'What people do while it fails: a sentence, or `redirect NAME` for a mirror. It is shown where the failure is, and changes no answer.',
    'redirect pypi-mirror.corp.example',
  ).optional(),
};
