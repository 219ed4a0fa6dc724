import { id, problem } from '../leases/lease-api-schema.ts';

/** JSON Schemas of `/v1/exceptions`, for checking and for `/openapi.json`. */

const exception = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    identity: { type: 'string' },
    name: { type: 'string' },
    types: { type: ['array', 'null'], items: { type: 'string' } },
    made: { type: 'string', format: 'date-time' },
    expires: { type: 'string', format: 'date-time' },
    reason: { type: 'string' },
    approved_by: { type: 'string' },
  },
} as const;

export const add = {
  summary: 'Approve a pattern for an identity for a time; 201 when it is in force',
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['identity', 'name', 'ttl', 'reason'],
    properties: {
      identity: { type: 'string', minLength: 1, maxLength: 200 },
      name: {
        type: 'string',
        minLength: 1,
        maxLength: 1024,
        description: 'A pattern, as policy files have it.',
      },
      types: {
        type: ['array', 'null'],
        minItems: 1,
        maxItems: 64,
        items: { type: 'string', maxLength: 32 },
        description: "RR types; without it the default of the pattern's kind.",
      },
      ttl: {
        type: 'integer',
        minimum: 1,
        maximum: 2147483647,
        description: 'Seconds; at most exceptions.max_ttl.',
      },
      reason: { type: 'string', minLength: 1, maxLength: 500 },
      approved_by: {
        type: 'string',
        minLength: 1,
        maxLength: 100,
        description: 'Who approves it; the caller is named beside.',
      },
    },
  },
  response: { 201: exception, 400: problem, 401: problem, 403: problem, 503: problem, 507: problem },
} as const;

export const list = {
  summary: 'Exceptions in force that were made over the API',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      ended: { enum: ['true', 'false'], description: 'Also those that ended in the last day.' },
    },
  },
  response: {
    200: { type: 'object', properties: { exceptions: { type: 'array', items: exception } } },
    401: problem,
  },
} as const;

export const revoke = {
  summary: 'Take an exception out of force',
  params: id,
  response: {
    200: {
      type: 'object',
      properties: { id: { type: 'string' }, revoked: { type: 'string', format: 'date-time' } },
    },
    401: problem,
    403: problem,
    404: problem,
    503: problem,
    507: problem,
  },
} as const;
