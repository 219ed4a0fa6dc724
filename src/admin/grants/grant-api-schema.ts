import { problem } from '../leases/lease-api-schema.ts';

/** JSON Schema of `/v1/grants`, for checking and for `/openapi.json`. */

/** Grants in one answer. */
export const MAX_GRANTS = 10_000;

const text = { type: 'string' } as const;
const maybe = { type: ['string', 'null'] } as const;
const ttl = {
  type: ['integer', 'null'],
  description: 'Milliseconds that are left; null without an end.',
} as const;
const who = {
  identity: text,
  lease: maybe,
  client: { type: 'string', description: 'The address that the firewall judges, or a prefix.' },
} as const;

export const list = {
  summary: 'Who may send, and what each client may connect to because it was answered',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      identity: { type: 'string', minLength: 1, maxLength: 200 },
      lease: { type: 'string', pattern: '^[A-Za-z0-9-]{1,64}$' },
      limit: {
        type: 'string',
        pattern: '^[1-9][0-9]{0,4}$',
        description: `At most ${MAX_GRANTS}; 1000 without it.`,
      },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        live: { type: 'array', items: { type: 'object', properties: { ...who, ttl_ms: ttl } } },
        grants: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              ...who,
              name: text,
              chain: { type: 'array', items: text, description: 'Targets of CNAME records.' },
              address: text,
              ports: { type: 'array', items: text },
              ttl_ms: ttl,
              rule: maybe,
              policy: text,
            },
          },
        },
        more: { type: 'boolean', description: 'There are more than limit.' },
      },
    },
    400: problem,
    401: problem,
    403: problem,
    404: problem,
  },
} as const;
