import { problem } from '../leases/lease-api-schema.ts';
import { KEYS } from './ledger-view.ts';

/** JSON Schemas of `/v1/ledger`, for checking and for `/openapi.json`. */

/** Balances in one answer. */
export const MAX_BALANCES = 10_000;

const octets = { type: ['integer', 'null'], description: 'Octets; null where it is off.' } as const;
const since = { type: ['string', 'null'], format: 'date-time' } as const;

const balance = {
  type: 'object',
  properties: {
    key: {
      enum: KEYS,
      description: 'What is counted: one lease, client, claim or identity and one wildcard.',
    },
    subject: {
      type: 'string',
      description: "A lease's id, an address, a certificate's name or an identity.",
    },
    identity: { type: ['string', 'null'], description: 'Null for a claim.' },
    wildcard: { type: ['string', 'null'], description: 'Its base; null for all of them.' },
    spent: { type: 'number', description: 'Octets in the last day.' },
    alert: octets,
    contain: octets,
    left: octets,
    names_left: { type: ['integer', 'null'], description: 'About so many new names of 20 octets.' },
    alerted: since,
    contained: since,
  },
} as const;

const id = { type: 'string', pattern: '^[A-Za-z0-9-]{1,64}$' } as const;
const name = { type: 'string', minLength: 1, maxLength: 255 } as const;
const wildcard = {
  ...name,
  maxLength: 1024,
  description: 'A wildcard or its base; without it all.',
} as const;

export const list = {
  summary:
    'What clients have put upstream through wildcards; who is contained, or nearest to it, comes first',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      identity: name,
      lease: id,
      limit: {
        type: 'string',
        pattern: '^[1-9][0-9]{0,4}$',
        description: `At most ${MAX_BALANCES}; 100 without it.`,
      },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        balances: { type: 'array', items: balance },
        count: { type: 'integer', description: 'How many there are; those beyond `limit` are left out.' },
        contained: { type: 'integer', description: 'How many of them are contained.' },
      },
    },
    400: problem,
    401: problem,
    403: problem,
  },
} as const;

export const reset = {
  summary: 'Forget what was charged to a lease, an identity or a claim; what was contained goes on',
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['reason'],
    properties: {
      lease: id,
      identity: name,
      claim: { ...name, description: "An address or a certificate's name." },
      wildcard,
      reason: { type: 'string', minLength: 1, maxLength: 500 },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: { reset: { type: 'array', items: balance, description: 'As they were.' } },
    },
    400: problem,
    401: problem,
    403: problem,
    404: problem,
    507: problem,
  },
} as const;
