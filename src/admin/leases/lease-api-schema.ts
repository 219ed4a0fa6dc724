/** JSON Schemas of `/v1/leases`, for checking and for `/openapi.json`. */

/** Leases on one page. */
export const MAX_PAGE = 1000;
const MAX_ADDRESSES = 64;

export const problem = {
  description: 'application/problem+json (RFC 9457)',
  type: 'object',
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        properties: { pointer: { type: 'string' }, detail: { type: 'string' } },
      },
    },
  },
} as const;

export const id = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', pattern: '^[A-Za-z0-9-]{1,64}$' } },
} as const;

const ttl = { type: 'integer', minimum: 1, maximum: 2147483647, description: 'Seconds.' } as const;
const stage = { type: 'string', minLength: 1, maxLength: 200 } as const;

const lease = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    identity: { type: 'string' },
    stage: { type: ['string', 'null'] },
    addresses: { type: 'array', items: { type: 'string' } },
    certificate: { type: ['string', 'null'] },
    client: {
      type: ['string', 'null'],
      description: 'The address that the firewall judges in place of the addresses.',
    },
    source: { type: ['string', 'null'], enum: ['enforced', null] },
    job: { type: ['object', 'null'], additionalProperties: { type: 'string' } },
    opened: { type: 'string', format: 'date-time' },
    expires: { type: 'string', format: 'date-time' },
    opened_by: { type: 'string' },
    in_force: {
      type: 'boolean',
      description: 'False: the policy has its identity or stage no more; it binds to unknown.',
    },
    counts: { type: 'object', additionalProperties: { type: 'integer' } },
    without_tcp: {
      type: 'array',
      items: { type: 'string' },
      description:
        'Addresses of the lease that were sent from UDP to TCP and did not come within five seconds.',
    },
  },
} as const;

export const open = {
  summary: 'Bind addresses, a certificate, or both together to an identity at a stage',
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['identity'],
    properties: {
      address: { type: 'string', maxLength: 64, description: 'One address.' },
      addresses: {
        type: 'array',
        minItems: 1,
        maxItems: MAX_ADDRESSES,
        items: { type: 'string', maxLength: 64 },
        description: 'Prefixes.',
      },
      certificate: {
        type: ['string', 'null'],
        maxLength: 2048,
        description: 'spiffe://…, dns:NAME or sha256:HEX.',
      },
      client: {
        type: ['string', 'null'],
        maxLength: 64,
        description:
          "The address that the firewall sees the job's packets come from, where NAT or a stub hides it from namegate.",
      },
      identity: { type: 'string', minLength: 1, maxLength: 200 },
      stage: { ...stage, type: ['string', 'null'], description: 'Default: the first.' },
      source: {
        enum: ['enforced', null],
        description: 'enforced: the network drops forged sources, so that UDP from these addresses is proof.',
      },
      ttl: { ...ttl, description: "Seconds; at most, and by default, the identity's max_lease." },
      job: {
        type: ['object', 'null'],
        maxProperties: 32,
        propertyNames: { pattern: '^[A-Za-z0-9_.-]{1,64}$' },
        additionalProperties: { type: ['string', 'integer', 'boolean'], maxLength: 512 },
        description: 'What the job is, for people.',
      },
    },
  },
  response: {
    201: {
      ...lease,
      properties: { ...lease.properties, notes: { type: 'array', items: { type: 'string' } } },
    },
    400: problem,
    401: problem,
    403: problem,
    409: problem,
    503: problem,
    507: problem,
  },
} as const;

export const list = {
  summary: 'Live leases, in the order opened',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      identity: { type: 'string', maxLength: 200 },
      after: {
        type: 'string',
        pattern: '^[A-Za-z0-9-]{1,64}$',
        description: 'The id that the page begins behind.',
      },
      limit: {
        type: 'string',
        pattern: '^[1-9][0-9]{0,3}$',
        description: `At most ${MAX_PAGE} (default 100).`,
      },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        leases: { type: 'array', items: lease },
        next: { type: ['string', 'null'], description: '`after` of the next page, or null.' },
      },
    },
    400: problem,
    401: problem,
  },
} as const;

export const show = {
  summary: 'One live lease, with its questions by verdict',
  params: id,
  response: { 200: lease, 401: problem, 403: problem, 404: problem },
} as const;

export const change = {
  summary: 'Move a lease to a later stage, or give it another time to live from now on',
  params: id,
  body: {
    type: 'object',
    additionalProperties: false,
    minProperties: 1,
    properties: { stage, ttl },
  },
  response: {
    200: lease,
    400: problem,
    401: problem,
    403: problem,
    404: problem,
    409: problem,
    507: problem,
  },
} as const;

export const end = {
  summary: 'End a lease',
  params: id,
  response: {
    200: {
      type: 'object',
      properties: {
        id: { type: 'string' },
        ended: { type: 'string', format: 'date-time' },
        counts: { type: 'object', additionalProperties: { type: 'integer' }, description: 'By verdict.' },
      },
    },
    401: problem,
    403: problem,
    404: problem,
    507: problem,
  },
} as const;
