import { problem } from '../leases/lease-api-schema.ts';

/** JSON Schemas of `/v1/alerts`, for checking and for `/openapi.json`. */

const sinkName = { type: 'string', minLength: 1, maxLength: 255 } as const;
const time = { type: ['string', 'null'], format: 'date-time' } as const;
const refusals = { 400: problem, 401: problem, 403: problem, 503: problem } as const;

const sinks = {
  type: 'object',
  properties: {
    sinks: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: true,
        properties: {
          name: { type: 'string' },
          events: { type: 'integer', description: 'Events that were taken, or that a replay sends again.' },
          left: {
            type: 'integer',
            description: 'Events that were not taken, or dead letters that are left.',
          },
          reason: {
            type: 'string',
            description: 'What the receiver said of those; empty where there are none.',
          },
          letters: { type: 'array', items: { type: 'object', additionalProperties: true } },
        },
      },
    },
  },
} as const;

export const status = {
  summary: 'The alert feed: its sinks, what waits for each, and what was lost',
  response: {
    200: {
      type: 'object',
      additionalProperties: true,
      properties: {
        sinks: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              name: { type: 'string' },
              status: { enum: ['ok', 'waiting', 'refused'] },
              reason: { type: 'string' },
              depth: { type: 'integer', description: 'Events behind the last that it acknowledged.' },
              oldest: time,
              acknowledged: time,
              dead: { type: 'integer' },
            },
          },
        },
      },
    },
    ...refusals,
  },
} as const;

export const test = {
  summary: 'Send one event of each kind to every sink, and say what its receiver said',
  response: { 200: sinks, ...refusals },
} as const;

export const replay = {
  summary: 'Send all events again to a sink that happened since a time',
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['sink', 'since'],
    properties: {
      sink: sinkName,
      since: {
        type: 'string',
        pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?Z$',
        format: 'date-time',
      },
    },
  },
  response: { 200: sinks, 404: problem, ...refusals },
} as const;

export const dead = {
  summary: 'Show the oldest hundred dead letters of sinks, or send them again',
  body: {
    type: 'object',
    additionalProperties: false,
    properties: { sink: sinkName, retry: { type: 'boolean' } },
  },
  response: { 200: sinks, 404: problem, ...refusals },
} as const;
