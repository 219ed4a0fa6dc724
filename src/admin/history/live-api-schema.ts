import { TAIL_VERDICTS } from '../../history/tail.ts';
import { problem } from '../leases/lease-api-schema.ts';

/** JSON Schemas of what happens now, for checking and for `/openapi.json`. */

const refusals = { 400: problem, 401: problem, 403: problem, 503: problem } as const;
const identity = { type: 'string', minLength: 1, maxLength: 255 } as const;
const word = `(${TAIL_VERDICTS.join('|')})`;

export const tail = {
  summary: 'Decisions as they are made: server-sent events, resumed behind the header Last-Event-ID',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      identity,
      verdict: {
        type: 'string',
        pattern: `^${word}(,${word})*$`,
        description: `Several with commas: ${TAIL_VERDICTS.join(', ')}.`,
      },
      name: {
        type: 'string',
        minLength: 1,
        maxLength: 1_100,
        description: 'A name, *.NAME for one label below, **.NAME for all below.',
      },
    },
  },
} as const;

const count = { type: 'integer' } as const;
const rows = { type: 'array', items: { type: 'object', additionalProperties: true } } as const;

export const top = {
  summary: 'What was asked most in the last minutes: identities, names and denials',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      identity,
      minutes: { type: 'string', pattern: '^([1-9]|10)$' },
      limit: { type: 'string', pattern: '^([1-9][0-9]?|100)$' },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        since: { type: 'string', format: 'date-time', description: 'From which on all was heard.' },
        questions: count,
        refused: count,
        others: { ...count, description: 'Questions that are in no list.' },
        identities: rows,
        names: rows,
        denials: rows,
      },
    },
    ...refusals,
  },
} as const;
