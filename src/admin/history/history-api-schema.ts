import { problem } from '../leases/lease-api-schema.ts';

/** JSON Schemas of reports and of the history, for checking and for `/openapi.json`. */

const refusals = { 400: problem, 401: problem, 403: problem, 404: problem, 503: problem } as const;
const time = { type: 'string', format: 'date-time' } as const;
/** Values of one search. */
const MOST_VALUES = 200;
const MOST_FOUND = 10_000;

const report = {
  type: 'object',
  additionalProperties: true,
  properties: {
    verdict: { type: 'string', description: 'One sentence.' },
    complete: { type: 'boolean', description: 'Nothing that was decided is missing.' },
    missing: { type: 'array', items: { type: 'string' } },
    totals: { type: 'object', additionalProperties: true },
    sections: { type: 'object', additionalProperties: true },
    dependencies: {
      type: 'array',
      description:
        'Approved names that had answers and failed upstream while the job ran: name, since, until, next.',
      items: { type: 'object', additionalProperties: true },
    },
    left_out: { type: 'integer', description: 'Rows that are not here, behind 500.' },
  },
} as const;

export const leaseReport = {
  summary: "A lease's account: what it asked, was given and was refused, with all that was decided up to now",
  response: { 200: report, ...refusals },
} as const;

export const joinedReport = {
  summary: 'The accounts of leases whose job has KEY=VALUE, or of an identity, as one',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      job: { type: 'string', minLength: 3, maxLength: 600, pattern: '^[^=]+=.' },
      identity: { type: 'string', minLength: 1, maxLength: 255 },
      address: {
        type: 'string',
        maxLength: 600,
        description:
          'Beside identity: its leases that bind one of these addresses, and what these asked without a lease. Several with commas.',
      },
      since: { ...time, description: 'Accounts that asked something then or later.' },
    },
  },
  response: { 200: report, ...refusals },
} as const;

export const search = {
  summary: 'Who asked for a name, or was given an address',
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['by', 'values'],
    properties: {
      by: { enum: ['name', 'address', 'lease', 'identity'] },
      values: {
        type: 'array',
        minItems: 1,
        maxItems: MOST_VALUES,
        items: { type: 'string', maxLength: 1_100 },
      },
      since: time,
      until: time,
      limit: { type: 'integer', minimum: 1, maximum: MOST_FOUND },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        found: { type: 'array', items: { type: 'object', additionalProperties: true } },
        more: { type: 'boolean', description: 'There are more than the limit.' },
      },
    },
    ...refusals,
  },
} as const;
