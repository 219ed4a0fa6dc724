import type { FastifyError } from 'fastify';
import type { FieldError } from './refusal.ts';

type Fault = NonNullable<FastifyError['validation']>[number];

/** A fault that the schema found, in words for people, with a pointer into the body, or `#name` for a parameter. */
export function fieldError(fault: Fault, context: string): FieldError {
  const { instancePath, params } = fault;
  const named = params['missingProperty'] ?? params['additionalProperty'] ?? params['propertyName'];
  const inner = typeof named === 'string' ? `/${named.replaceAll('~', '~0').replaceAll('/', '~1')}` : '';
  const path = `${instancePath}${inner}`.slice(0, 200);
  return { pointer: context === 'body' ? path : `#${path.slice(1)}`, detail: wordsOf(fault) };
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'a map',
  array: 'a list',
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  null: 'null',
};

function wordsOf({ keyword, params, instancePath, message }: Fault): string {
  const limit = String(params['limit']);
  switch (keyword) {
    case 'type': {
      const kinds = [params['type']].flat().map((kind) => KINDS[String(kind)] ?? String(kind));
      return `must be ${kinds.join(' or ')}`;
    }
    case 'required':
      return 'is missing';
    case 'additionalProperties':
      return 'is not known here';
    case 'propertyNames':
      return 'is no name that is taken here: write letters, digits, dots, dashes and underscores, 64 at most';
    case 'enum':
      return `must be one of: ${(params['allowedValues'] as unknown[]).join(', ')}`;
    case 'pattern':
      return instancePath === '/limit'
        ? 'must be a whole number from 1 to 1000'
        : 'is no id: an id has letters, digits and dashes, such as le-019a9f5b8c00d1e2f3a4b5c6';
    case 'minLength':
      return 'must not be empty';
    case 'maxLength':
      return `has at most ${limit} characters`;
    case 'minItems':
      return 'must not be empty';
    case 'maxItems':
    case 'maxProperties':
      return `has at most ${limit} entries`;
    case 'minProperties':
      return 'must not be empty: write what is to change';
    case 'minimum':
      return `must be at least ${limit}`;
    case 'maximum':
      return `must be at most ${limit}`;
    default:
      return message ?? 'is not good';
  }
}
