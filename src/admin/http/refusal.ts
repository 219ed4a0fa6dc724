/** Every way in which the API says no: status and title, by the last word of its `type` (RFC 9457 §3.1). Stable. */
const REFUSALS = {
  malformed: [400, 'The request is malformed'],
  unauthenticated: [401, 'The caller is not known'],
  forbidden: [403, 'Not yours to do'],
  'job-used': [403, 'This job has opened its lease'],
  'not-found': [404, 'There is no such thing'],
  method: [405, 'Not that method'],
  timeout: [408, 'The request took too long'],
  'lease-conflict': [409, 'There is a live lease'],
  'stage-back': [409, 'Stages go forward'],
  'too-large': [413, 'The request is too large'],
  misdirected: [421, 'The request is not for this server'],
  'media-type': [415, 'JSON is wanted'],
  'headers-large': [431, 'The headers are too large'],
  fault: [500, 'A fault of the server'],
  'keys-unavailable': [503, 'The keys of the issuer are not to be had'],
  'feed-silent': [503, 'The alert feed could not do it'],
  'policy-broken': [503, 'The policy files have problems'],
  full: [503, 'There is no room for more'],
  'not-durable': [507, 'It could not be written to disk'],
} as const satisfies Readonly<Record<string, readonly [number, string]>>;

export type RefusalKind = keyof typeof REFUSALS;

/** A refusal as a value, until a reply is made of it. */
export class Refusal {
  readonly kind: RefusalKind;
  readonly detail: string;
  /** The faulty fields, as JSON pointers (RFC 6901), each with what is wrong; in headers and queries the name behind `#`. */
  readonly errors: readonly FieldError[];

  constructor(kind: RefusalKind, detail: string, errors: readonly FieldError[] = []) {
    this.kind = kind;
    this.detail = detail;
    this.errors = errors;
  }

  /** One faulty field. */
  static at(pointer: string, detail: string): Refusal {
    return new Refusal('malformed', detail, [{ pointer, detail }]);
  }

  get status(): number {
    return REFUSALS[this.kind][0];
  }

  /** As application/problem+json. */
  toJSON(): object {
    const [status, title] = REFUSALS[this.kind];
    const errors = this.errors.length === 0 ? {} : { errors: this.errors };
    return { type: `urn:namegate:problem:${this.kind}`, title, status, detail: this.detail, ...errors };
  }
}

export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

export const PROBLEM_JSON = 'application/problem+json';

/** What could not be made durable, and what that means. */
export function notDurable({ code }: { readonly code: string }, what: string): Refusal {
  return new Refusal('not-durable', `the state folder could not be written (${code}): ${what}`);
}

export function noLease(id: string): Refusal {
  return new Refusal('not-found', `there is no live lease ${id}`);
}
