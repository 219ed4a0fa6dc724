import { z } from 'zod';
import { FOREVER } from '../../policy/input.ts';
import type { TokenRights } from '../../settings/settings.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import type { Marks } from '../files/marks.ts';
import { readYaml } from '../files/yaml.ts';
import { relativeTo } from '../policy/lists.ts';
import { parseCertificate } from '../policy/written-certificate.ts';
import type { Problems } from '../problems.ts';
import { list, NAMES, text, time } from '../schema/schema-parts.ts';
import { checkShape, type Repaired } from '../schema/shape.ts';
import { parseTime, quote } from '../units.ts';
import { readPrefixes } from './read-prefixes.ts';
import type { ServerContext } from './server-context.ts';

/** The file that `admin.tokens` names. It holds no secret: tokens stand in it as hashes. */
const tokenFileSchema = z
  .strictObject({
    tokens: list(
      z
        .strictObject({
          name: text(
            'a name',
            'Who holds it; the name stands in logs and as approver.',
            NAMES,
            'runner-hook',
          ),
          sha256: text(
            '64 hexadecimal digits',
            'The hash of the token: printf %s "$TOKEN" | sha256sum',
            '^[0-9a-f]{64}$',
          ),
          rights: list(
            z
              .enum(['open', 'advance', 'read', 'administer'])
              .meta({ title: 'open, advance, read or administer' }),
            'a list of rights',
            'open: leases at their first stage. advance: their stages, renewal and end. read: what clients asked. administer: everything.',
          ).min(1),
          identities: z
            .union([
              z.literal('all'),
              list(
                text('an identity', 'Its name.', null, 'payments-build'),
                'a list of identities',
                'Names.',
              ).min(1),
            ])
            .meta({ title: '`all` or a list of identities', examples: ['[payments-build]'] }),
          addresses: list(
            text('an address prefix', 'An address or a CIDR.', null, '10.20.0.0/16'),
            'a list of address prefixes',
            'What its leases may bind, beside the address that the token is shown from.',
          ).optional(),
          certificates: list(
            text(
              'a certificate',
              'spiffe://…, dns:NAME or sha256:HEX.',
              null,
              'spiffe://ci.example/payments',
            ),
            'a list of certificates',
            'What its leases may bind.',
          ).optional(),
          until: time('When it is worth nothing any more.').optional(),
        })
        .meta({ title: 'a map with name, sha256, rights and identities' }),
      'a list of tokens',
      'Tokens.',
    ),
  })
  .meta({ title: 'a map with tokens' });

type WrittenToken = Repaired<z.infer<typeof tokenFileSchema>['tokens'][number]>;

interface TokenContext {
  readonly marks: Marks;
  readonly problems: Problems;
  readonly now: EpochSeconds;
}

/** The tokens of the file at `path`, as the server file writes it. What is wrong stands in the problems. */
export function readTokenFile(holder: object, path: string, context: ServerContext): TokenRights[] {
  const { problems, reader, marks, now, identitiesNamed } = context;
  const at = marks.value(holder, 'tokens');
  if (path === '') {
    problems.error('value-empty', at, 'tokens is empty', 'write the path of a file');
    return [];
  }
  const file = relativeTo(marks.file, path);
  const source = reader.readHiddenText(file, at, problems);
  const yaml = source === null ? null : readYaml(file, source, problems);
  const written = yaml === null ? null : checkShape(tokenFileSchema, yaml, problems);
  if (yaml === null || written === null) return [];
  const seen = new Set<string>();
  return (written.tokens ?? []).flatMap((token) => {
    const grant = token === undefined ? null : readToken(token, { marks: yaml.marks, problems, now });
    if (grant === null) return [];
    const { identities } = token!;
    for (const [index, name] of Array.isArray(identities) ? identities.entries() : []) {
      if (name !== undefined)
        identitiesNamed.push({ name, at: yaml.marks.value(identities as object, index) });
    }
    for (const key of ['name', 'sha256'] as const) {
      const value = grant[key];
      if (seen.has(value)) {
        const message = `two tokens have this ${key}`;
        problems.error('token-duplicate', yaml.marks.value(token!, key), message, 'remove one');
      }
      seen.add(value);
    }
    return [grant];
  });
}

function readToken(token: NonNullable<WrittenToken>, context: TokenContext): TokenRights | null {
  const { marks, problems } = context;
  const { name, sha256, rights, identities } = token;
  if (name === undefined || sha256 === undefined || rights === undefined || identities === undefined)
    return null;
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    const fix = 'write what `printf %s "$TOKEN" | sha256sum` prints, in lower case';
    problems.error('token-form', marks.value(token, 'sha256'), `${quote(sha256)} is no sha256`, fix);
    return null;
  }
  if (sha256 === EMPTY_HASH) {
    const fix = 'hash the token itself';
    problems.error('token-form', marks.value(token, 'sha256'), 'this is the hash of nothing', fix);
    return null;
  }
  return {
    name,
    sha256,
    rights: rights.filter((right) => right !== undefined),
    identities: identities === 'all' ? 'all' : identities.filter((identity) => identity !== undefined),
    addresses: readPrefixes(token.addresses ?? [], context),
    certificates: readNames(token.certificates ?? [], context),
    until: readUntil(token, context),
  };
}

const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

function readNames(written: readonly (string | undefined)[], { marks, problems }: TokenContext): string[] {
  return written.flatMap((text, index) => {
    if (text === undefined) return [];
    const name = parseCertificate(text);
    if (typeof name !== 'string') {
      problems.fault(name, marks.inside(written, index, name.offset));
      return [];
    }
    if (!name.endsWith('/*')) return [name];
    const message = `${quote(text)} matches nothing: a lease binds one certificate`;
    problems.error(
      'token-form',
      marks.value(written, index),
      message,
      'write each certificate whole, without *',
    );
    return [];
  });
}

function readUntil(
  token: { readonly until?: string | undefined },
  { marks, problems, now }: TokenContext,
): EpochSeconds {
  if (token.until === undefined) return FOREVER;
  const until = parseTime(token.until);
  if (typeof until === 'number') {
    if (until <= now) {
      const message = `the token ended at ${new Date(until * 1000).toISOString()}`;
      problems.warn(
        'token-ended',
        marks.value(token, 'until'),
        message,
        'remove it, or write a later `until`',
      );
    }
    return until;
  }
  problems.fault(until, marks.inside(token, 'until', until.offset));
  return 0;
}
