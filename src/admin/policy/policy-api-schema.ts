import { problem } from '../leases/lease-api-schema.ts';

/** JSON Schemas of what the policy in force says, for checking and for `/openapi.json`. */

const view = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    owner: { type: 'string' },
    workload: { type: ['string', 'null'] },
    review_by: { type: ['string', 'null'], format: 'date-time' },
    review_overdue: { type: 'boolean' },
    mode: { enum: ['enforce', 'audit'] },
    proof: { enum: ['any', 'certificate'] },
    addresses: { type: 'array', items: { type: 'string' } },
    certificates: { type: 'array', items: { type: 'string' } },
    claims: { type: 'array', items: { type: 'object', additionalProperties: { type: 'string' } } },
    stages: {
      type: 'array',
      items: { type: 'string' },
      description: 'In the order in which a lease enters them.',
    },
    max_lease: { type: 'integer', description: 'Seconds.' },
    self_advance: { type: 'boolean' },
    quarantine: { type: 'integer', description: 'Seconds.' },
    undetected: {
      type: ['object', 'null'],
      description: 'Findings of detectors that are not made of it, and why.',
      properties: { kinds: { type: 'array', items: { type: 'string' } }, reason: { type: 'string' } },
    },
    expected: {
      type: 'array',
      description: 'What it expects to be denied.',
      items: {
        type: 'object',
        properties: {
          name: { type: 'string' },
          reason: { type: 'string' },
          until: { type: 'string', format: 'date-time' },
          owner: { type: 'string' },
        },
      },
    },
  },
} as const;

export const identities = {
  summary: 'The identities of the policy in force',
  response: {
    200: { type: 'object', properties: { identities: { type: 'array', items: view } } },
    401: problem,
  },
} as const;

export const identity = {
  summary: 'One identity',
  params: { type: 'object', required: ['name'], properties: { name: { type: 'string', maxLength: 128 } } },
  response: { 200: view, 401: problem, 404: problem },
} as const;

export const explain = {
  summary: 'How a question would be answered, by which rule, and whom to ask',
  querystring: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      identity: { type: 'string', maxLength: 200 },
      lease: { type: 'string', pattern: '^[A-Za-z0-9-]{1,64}$', description: 'Instead of an identity.' },
      stage: { type: 'string', maxLength: 200 },
      name: { type: 'string', minLength: 1, maxLength: 1024 },
      type: { type: 'string', maxLength: 32, description: 'A mnemonic or TYPEn (default A).' },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        verdict: { enum: ['allow', 'local', 'empty', 'deny', 'contain'] },
        mode: { enum: ['enforce', 'audit'] },
        identity: { type: 'string' },
        stage: { type: ['string', 'null'] },
        name: { type: 'string' },
        type: { type: 'string' },
        rule: { type: ['object', 'null'] },
        ground: { type: 'string', description: 'What the verdict rests on; events say the same word.' },
        approved_stage: {
          type: ['string', 'null'],
          description: 'With ground other_stage the stage that approves it.',
        },
        expected: { type: ['object', 'null'], description: 'The entry of expected: that names it.' },
        ask: { type: 'string', description: 'Whom to ask; empty where nobody is known.' },
        reason: { type: 'string', description: "Why, where it is not the rule's own reason." },
        next: { type: 'string', description: 'What to do next; empty where there is nothing to be done.' },
        state: {
          type: ['object', 'null'],
          description: 'What is so now beside what the policy says; null where nothing is known.',
          properties: {
            kind: {
              enum: [
                'answered',
                'no-data',
                'nxdomain',
                'withheld',
                'stale',
                'failed',
                'limited',
                'contained',
                'unproven',
              ],
            },
            text: { type: 'string' },
          },
        },
        text: { type: 'string', description: 'The same on one line.' },
      },
    },
    400: problem,
    401: problem,
    404: problem,
  },
} as const;

export const health = {
  summary: 'Whether the server answers; the rest is for the socket and for tokens of all identities',
  security: [],
  response: { 200: { type: 'object' } },
} as const;
