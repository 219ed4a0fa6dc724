import { LISTED_FINDINGS, MOST_FINDINGS } from '../../outbox/kept-findings.ts';
import { problem } from '../leases/lease-api-schema.ts';

/** JSON Schema of `/v1/findings`, for checking and for `/openapi.json`. */

const text = (description: string) => ({ type: ['string', 'null'], description }) as const;
const time = { type: 'string', format: 'date-time' } as const;

export const list = {
  summary: 'What a person should know: findings of the last 30 days, those seen last first',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      identity: { type: 'string', minLength: 1, maxLength: 255 },
      since: { ...time, description: 'Those seen then or later.' },
      limit: {
        type: 'string',
        pattern: '^[1-9][0-9]{0,3}$',
        description: `At most ${MOST_FINDINGS}; 100 without it.`,
      },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        findings: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              uid: { type: 'string', description: 'The same in all events of one finding.' },
              kind: { enum: LISTED_FINDINGS },
              severity: { enum: ['high', 'medium', 'low', 'operations'] },
              identity: text("Null where it is nobody's."),
              owner: text('Of the identity.'),
              state: { enum: ['open', 'closed'] },
              first: time,
              last: time,
              count: { type: 'integer', description: 'Questions or packets that belong to it.' },
              key: text('What it is about.'),
              rule: text('FILE:LINE of the rule that decided.'),
              lease: text('Of the last question that was told.'),
              target: text(
                'The approved name that is meant, where an answer led to, or that the address was granted with.',
              ),
              names: {
                type: 'array',
                items: { type: 'string' },
                description: 'Some of its names, five at most.',
              },
              text: { type: 'string' },
              next: { type: 'string', description: 'What to do next.' },
            },
          },
        },
        more: { type: 'boolean', description: 'There are others beyond `limit`.' },
      },
    },
    400: problem,
    401: problem,
    403: problem,
    503: problem,
  },
} as const;
