import { z } from 'zod';
import { DETECTED_KINDS, keyOfKind } from '../../detect/patterns/kinds.ts';
import { DEFAULT_TERMS, type IdentityTerms, type TokenClaims } from '../../policy/input.ts';
import { detectOffKeys } from '../schema/detect-schema.ts';
import { duration, list, prose, text } from '../schema/schema-parts.ts';
import { readSeconds } from '../server/seconds.ts';
import { quote } from '../units.ts';
import { oneLine, type PolicyContext } from './rules.ts';

/** Keys of an identity that say how it is proven, and what its leases are like. */
export const identityTerms = {
  proof: z
    .enum(['any', 'certificate'])
    .meta({
      title: 'any or certificate',
      description: '`certificate`: every address claim to it is `unknown` (default any).',
    })
    .optional(),
  claims: list(
    z
      .object({
        issuer: text('a URL', 'Who issued the token, as its `iss` says.', null, 'https://ci.example'),
      })
      .catchall(
        z.union([
          text('a text', 'What the claim must be, exactly.', null, '123456'),
          z.int().meta({ title: 'a whole number', description: 'The same as a number.', examples: [123456] }),
        ]),
      )
      .meta({ title: 'a map with issuer and claims' }),
    'a list of maps with issuer and claims',
    "What a job's own token (OIDC) must say to open its leases: all claims of one entry, such as repository_id, job_workflow_ref, environment, project_id.",
  )
    .min(1)
    .optional(),
  max_lease: duration('The longest time to live of a lease (default 6h).', '6h').optional(),
  self_advance: z
    .boolean()
    .meta({ title: 'true or false', description: "A job's own token may advance its stage (default false)." })
    .optional(),
  quarantine: duration(
    'How long after the end of a lease whom it bound is `unknown` (default 0s).',
    '10m',
  ).optional(),
  detect: z
    .strictObject({
      ...detectOffKeys,
      reason: prose('Why.', 'the scanner asks for what it likes'),
    })
    .meta({
      title: 'a map of kinds that are off, with reason',
      description: 'Findings of detectors that are not made of this identity.',
      examples: ['{ volume: off, reason: load tests }'],
    })
    .optional(),
};

interface WrittenTerms {
  readonly proof?: IdentityTerms['proof'] | undefined;
  readonly claims?: readonly (WrittenClaims | undefined)[] | undefined;
  readonly max_lease?: string | undefined;
  readonly self_advance?: boolean | undefined;
  readonly quarantine?: string | undefined;
  readonly detect?: { readonly [key: string]: string | undefined } | undefined;
}

interface WrittenClaims {
  readonly issuer?: string | undefined;
  readonly [name: string]: string | number | undefined;
}

export function readTerms(written: WrittenTerms, context: PolicyContext): IdentityTerms {
  return {
    proof: written.proof ?? DEFAULT_TERMS.proof,
    claims: (written.claims ?? []).flatMap((entry) => readClaims(entry, context) ?? []),
    maxLease: readSeconds(written, 'max_lease', 1, context) ?? DEFAULT_TERMS.maxLease,
    selfAdvance: written.self_advance ?? DEFAULT_TERMS.selfAdvance,
    quarantine: readSeconds(written, 'quarantine', 0, context) ?? DEFAULT_TERMS.quarantine,
    undetected: readUndetected(written, context),
  };
}

function readUndetected(
  written: WrittenTerms,
  { marks, problems }: PolicyContext,
): IdentityTerms['undetected'] {
  const { detect } = written;
  if (detect === undefined) return DEFAULT_TERMS.undetected;
  const kinds = DETECTED_KINDS.filter((kind) => detect[keyOfKind(kind)] !== undefined);
  if (kinds.length > 0) return { kinds, reason: oneLine(detect.reason) };
  const message = 'detect turns nothing off';
  problems.warn('term-unused', marks.key(written, 'detect'), message, 'remove it, or write a kind and off');
  return null;
}

/** Claims that say whose job it is: anyone may have a branch of the same name elsewhere. */
const ANCHORS = new Set([
  'sub',
  'repository',
  'repository_id',
  'repository_owner_id',
  'job_workflow_ref',
  'project_id',
  'namespace_id',
  'pipeline_id',
  'organization_id',
]);

function readClaims(
  entry: WrittenClaims | undefined,
  { marks, problems }: PolicyContext,
): TokenClaims | null {
  if (entry?.issuer === undefined) return null;
  const { issuer, ...rest } = entry;
  if (!/^https?:\/\/[^\s/?#]+[^\s?#]*$/.test(issuer)) {
    const message = `${quote(issuer)} is no issuer`;
    problems.error(
      'claims-form',
      marks.value(entry, 'issuer'),
      message,
      'write the URL that the tokens have as iss',
    );
    return null;
  }
  const values = Object.fromEntries(
    Object.entries(rest).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
  const at = marks.key(entry, 'issuer');
  const names = Object.keys(values);
  if (names.length === 0) {
    const message = `every token of ${issuer} would do`;
    problems.error('claims-form', at, message, 'name claims of the job, such as repository_id');
    return null;
  }
  if (!names.some((name) => ANCHORS.has(name))) {
    const message = `${names.join(', ')} may be the same in anyone's job at ${issuer}`;
    problems.warn('claims-loose', at, message, 'add an id of yours, such as repository_id or project_id');
  }
  return { issuer, values };
}
