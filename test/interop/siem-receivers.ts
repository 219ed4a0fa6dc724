import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

/**
 * Receivers of three SIEMs, as strict as their published APIs: the HTTP Event Collector of Splunk, `_bulk` of Elasticsearch 8,
 * and the Logs Ingestion API of Azure Monitor with the token endpoint of Entra.
 */

export type Event = Readonly<Record<string, unknown>>;

export function idOf(event: Event): string {
  return String(event['id'] ?? (event['metadata'] as { uid?: string } | undefined)?.uid);
}

/** Each sink has its own time of sending: it is no part of what is compared. */
export function withoutSending({ sent: _, metadata, ...event }: Event): Event {
  if (metadata === undefined) return event;
  const { transmit_time: __, ...more } = metadata as Event;
  return { ...event, metadata: more };
}

export interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

interface Answer {
  readonly status: number;
  readonly body: object | null;
}

/** An HTTPS server that takes events, and answers statuses of its script first. */
abstract class Receiver {
  /** All that was taken, in order, an event that came twice too. */
  readonly taken: Event[] = [];
  /** What no real receiver would have taken. */
  readonly faults: string[] = [];
  /** Each request before it was judged: its status. */
  readonly answers: number[] = [];
  script: number[] = [];
  url = '';

  async listen(t: Test, pair: Pair): Promise<void> {
    const server = createServer(pair, (request, response) => {
      const parts: Buffer[] = [];
      request.on('error', () => {});
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { status, body } = this.#judge(request, Buffer.concat(parts).toString());
        this.answers.push(status);
        response
          .writeHead(status, { 'content-type': 'application/json' })
          .end(body === null ? '' : JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
  }

  protected abstract take(request: IncomingMessage, body: string): Answer;

  protected fault(status: number, text: string): Answer {
    this.faults.push(text);
    return { status, body: { error: text } };
  }

  #judge(request: IncomingMessage, body: string): Answer {
    if (request.method !== 'POST') return this.fault(405, `${request.method}`);
    const scripted = this.isScripted(request) ? this.script.shift() : undefined;
    if (scripted !== undefined) return { status: scripted, body: { error: 'as the script says' } };
    try {
      return this.take(request, body);
    } catch (error) {
      return this.fault(400, `${error}: ${body.slice(0, 200)}`);
    }
  }

  protected isScripted(_request: IncomingMessage): boolean {
    return true;
  }
}

const HEC_KEYS = new Set(['time', 'host', 'source', 'sourcetype', 'index', 'event', 'fields']);

/** Splunk: objects one behind another, each with an `event` that is not blank and a `time` in seconds. */
export class Splunk extends Receiver {
  token = 'splunk-token';
  readonly envelopes: Event[] = [];

  protected take(request: IncomingMessage, body: string): Answer {
    if (request.url !== '/services/collector/event') return this.fault(404, `${request.url}`);
    if (request.headers.authorization !== `Splunk ${this.token}`)
      return { status: 403, body: { text: 'Invalid token', code: 4 } };
    if (body === '') return { status: 400, body: { text: 'No data', code: 5 } };
    const envelopes = body.split('\n').map((line) => JSON.parse(line) as Event);
    for (const envelope of envelopes) {
      const { time, host, event } = envelope;
      for (const key of Object.keys(envelope))
        if (!HEC_KEYS.has(key)) return this.fault(400, `HEC has no key ${key}`);
      if (typeof event !== 'object' || event === null) return this.fault(400, 'event is no object');
      if (typeof time !== 'number' || time < 1e9 || time > 1e11) return this.fault(400, `time ${time}`);
      if (typeof host !== 'string' || host === '') return this.fault(400, `host ${host}`);
    }
    this.envelopes.push(...envelopes);
    this.taken.push(...envelopes.map(({ event }) => event as Event));
    return { status: 200, body: { text: 'Success', code: 0 } };
  }
}

/** An index template's part that is used here. */
export interface Template {
  readonly index_patterns: readonly string[];
  readonly template: {
    readonly mappings: { readonly properties: Readonly<Record<string, { type: string }>> };
  };
}

/** Elasticsearch: pairs of lines; a document whose values do not fit the index's mapping is refused alone, in a 200. */
export class Elastic extends Receiver {
  key = 'elastic-key';
  readonly documents = new Map<string, Event>();
  /** Documents that were there already: what came twice. */
  conflicts = 0;
  readonly #types = new Map<string, string>();

  /** `template`: null where all is mapped as it comes. */
  constructor(template: Template | null) {
    super();
    for (const [field, { type }] of Object.entries(template?.template.mappings.properties ?? {}))
      this.#types.set(field, type);
  }

  protected take(request: IncomingMessage, body: string): Answer {
    if (request.url !== '/_bulk') return this.fault(404, `${request.url}`);
    if (request.headers['content-type'] !== 'application/x-ndjson') return this.fault(406, 'content-type');
    if (request.headers.authorization !== `ApiKey ${this.key}`) return { status: 401, body: {} };
    if (!body.endsWith('\n')) return this.fault(400, 'The bulk request must be terminated by a newline');
    const lines = body.slice(0, -1).split('\n');
    if (lines.length % 2 !== 0) return this.fault(400, 'an action without a document');
    const items = Array.from({ length: lines.length / 2 }, (_, i) => {
      const action = JSON.parse(lines[2 * i] ?? '') as { create?: Readonly<Record<string, string>> };
      const { _index, _id = '', ...more } = action.create ?? {};
      if (Object.keys(action).join() !== 'create' || Object.keys(more).length > 0 || _index !== 'namegate')
        throw new Error(`action ${lines[2 * i]}`);
      return { create: { _id, ...this.#create(_id, JSON.parse(lines[2 * i + 1] ?? '') as Event) } };
    });
    return { status: 200, body: { errors: items.some(({ create }) => create.status > 299), items } };
  }

  #create(id: string, document: Event): { status: number; error?: object } {
    if (id === '' || Buffer.byteLength(id) > 512) throw new Error(`_id ${id}`);
    this.taken.push(document);
    if (this.documents.has(id)) {
      this.conflicts++;
      return { status: 409, error: { type: 'version_conflict_engine_exception' } };
    }
    const reason = this.#map('', document);
    if (reason !== null) {
      this.faults.push(reason);
      return { status: 400, error: { type: 'document_parsing_exception', reason } };
    }
    this.documents.set(id, document);
    return { status: 201 };
  }

  /** Why a value does not fit what is mapped; null where it does. */
  #map(path: string, value: unknown): string | null {
    if (value === null) return null;
    if (Array.isArray(value)) return value.map((each) => this.#map(path, each)).find(Boolean) ?? null;
    const had = path === '' ? 'object' : this.#types.get(path);
    const type = had ?? kindOf(value);
    this.#types.set(path, type);
    if (!fits(type, value)) return `${path} is mapped as ${type}: ${JSON.stringify(value)}`;
    if (type !== 'object') return null;
    const entries = Object.entries(value as Event);
    const parts = entries.map(([key, part]) => this.#map(path === '' ? key : `${path}.${key}`, part));
    return parts.find(Boolean) ?? null;
  }
}

function kindOf(value: unknown): string {
  return typeof value === 'number' ? (Number.isInteger(value) ? 'long' : 'double') : typeof value;
}

function fits(type: string, value: unknown): boolean {
  if (type === 'date') return typeof value === 'string' && /^\d{4}-\d\d-\d\dT.*Z$/.test(value);
  if (type === 'ip') return typeof value === 'string' && /^[\da-f.:]+$/i.test(value);
  if (type === 'flattened') return typeof value === 'object';
  if (type === 'text' || type === 'string') return typeof value !== 'object';
  return kindOf(value) === type;
}

const STREAM = '/dataCollectionRules/dcr-00000000000000000000000000000000/streams/Custom-Namegate';

/** Azure: a token of Entra, then arrays of at most 1 MB whose rows have the stream's two columns. */
export class Sentinel extends Receiver {
  readonly tokens: string[] = [];

  /** The token that was given last counts no more. */
  revoke(): void {
    this.tokens.pop();
  }

  protected override isScripted(request: IncomingMessage): boolean {
    return request.url?.startsWith('/dataCollectionRules/') === true;
  }

  protected take(request: IncomingMessage, body: string): Answer {
    if (request.url?.endsWith('/oauth2/v2.0/token')) return this.#grant(request, body);
    const { pathname, searchParams } = new URL(request.url ?? '', this.url);
    if (pathname !== STREAM) return this.fault(404, `${request.url}`);
    if (searchParams.get('api-version') !== '2023-01-01') return this.fault(400, `${request.url}`);
    if (request.headers['content-type'] !== 'application/json') return this.fault(415, 'content-type');
    const [, token = ''] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (this.tokens.length === 0 || this.tokens.at(-1) !== token) return { status: 401, body: {} };
    if (Buffer.byteLength(body) > 1_000_000) return this.fault(413, `${body.length} octets`);
    const rows = JSON.parse(body) as { TimeGenerated: string; Event: Event }[];
    if (!Array.isArray(rows)) return this.fault(400, 'no array');
    for (const { TimeGenerated, Event, ...more } of rows) {
      if (Object.keys(more).length > 0) return this.fault(400, `columns ${Object.keys(more)}`);
      if (!Number.isFinite(Date.parse(TimeGenerated))) return this.fault(400, `time ${TimeGenerated}`);
      if (typeof Event !== 'object' || Event === null) return this.fault(400, 'Event is no object');
    }
    this.taken.push(...rows.map(({ Event }) => Event));
    return { status: 204, body: null };
  }

  #grant(request: IncomingMessage, body: string): Answer {
    const form = new URLSearchParams(body);
    const asked = [request.url, form.get('grant_type'), form.get('client_id'), form.get('client_secret')];
    if (asked.join() !== '/tenant/oauth2/v2.0/token,client_credentials,client,secret')
      return this.fault(400, `${asked}`);
    if (form.get('scope') !== 'https://monitor.azure.com/.default')
      return this.fault(400, `${form.get('scope')}`);
    const token = `token-${this.answers.length}`;
    this.tokens.push(token);
    return { status: 200, body: { token_type: 'Bearer', expires_in: 3599, access_token: token } };
  }
}
