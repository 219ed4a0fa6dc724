import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Test } from 'tap';

/** One answer of a collector's script: see `scripts/README.md`. */
export type Step = readonly string[];

interface AnyValue {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly boolValue?: boolean;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values?: readonly AnyValue[] };
  readonly kvlistValue?: { readonly values?: readonly { readonly key: string; readonly value: AnyValue }[] };
}

export interface Received {
  readonly eventName: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** A collector of logs over OTLP/HTTP with JSON, as strict as the published protocol, that fails as its script says. */
export class Collector {
  /** Records of requests that were taken, in order. */
  readonly received: Received[] = [];
  /** What was wrong with requests, by the protocol. */
  readonly faults: string[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  requests = 0;
  script: Step[] = [];
  /** A token that each request must show. */
  token: string | null = null;
  port = 0;
  readonly #tls: ServerOptions | null;
  #server: ReturnType<typeof createServer> | null = null;

  constructor(tls: ServerOptions | null = null) {
    this.#tls = tls;
  }

  async listen(t: Test, port = 0): Promise<void> {
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#serve(request, response);
    const server =
      this.#tls === null
        ? createServer(serve)
        : (createTlsServer(this.#tls, serve) as ReturnType<typeof createServer>);
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    t.teardown(() => this.close());
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
    this.#server = null;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      return;
    }
    this.requests++;
    this.headers.push(request.headers);
    const answer = (status: number, text: string, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
    };
    if (this.token !== null && request.headers.authorization !== `Bearer ${this.token}`)
      return answer(401, '{}');
    const raw = Buffer.concat(parts);
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
    const records = this.#check(request, body);
    if (records === null) return answer(400, '{"message":"no request of OTLP"}');
    const take = (): void => {
      this.received.push(...records);
    };
    const [word, ...more] = this.#next(body, records);
    const [key, value = ''] = (more[0] ?? '').split('=');
    switch (word) {
      case undefined:
        take();
        return answer(200, '{"partialSuccess":{}}');
      case 'empty':
        take();
        return answer(200, '');
      case 'hang':
        return;
      case 'reset':
        // A TLS socket has no reset of its own.
        if (this.#tls === null) request.socket.resetAndDestroy();
        else request.socket.destroy();
        return;
      case 'half':
        response.writeHead(200, { 'content-length': '1000' }).write('{');
        setTimeout(() => request.socket.destroy(), 20);
        return;
      case 'upgrade':
        request.socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n');
        return;
      case 'redirect':
        return answer(308, '', { location: 'http://127.0.0.1:9/v1/logs' });
      case 'header':
        return answer(200, '{}', { 'x-long': 'x'.repeat(2 ** 20) });
      case 'gzipped':
        take();
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"partialSuccess":{}}'));
        return;
      case 'closes':
        take();
        answer(200, '{}');
        response.on('finish', () => request.socket.end());
        return;
      case 'garbage':
        return answer(200, '<html>Welcome to the hotel</html>');
      case 'endless':
        return answer(200, ' '.repeat(200_000));
      case 'partial':
        // Nobody is told which ones: here it is the first.
        this.received.push(...records.slice(Number(more[0])));
        return answer(
          200,
          JSON.stringify({ partialSuccess: { rejectedLogRecords: more[0], errorMessage: 'too old' } }),
        );
      default:
        return answer(
          Number(word),
          '{"message":"as the script says"}',
          key === '' ? {} : { [key as string]: value },
        );
    }
  }

  /** The step that stands in front; `over`, `cuts` and `holds` stay as long as they fit. */
  #next(body: Buffer, records: readonly Received[]): Step {
    for (const step of this.script) {
      const [word, limit = ''] = step;
      if (word === 'over' && body.length > Number(limit)) return ['413'];
      if (word === 'cuts' && body.length > Number(limit)) return ['reset'];
      const [, status = '400'] = /^holds(?::(\d+))?$/.exec(word ?? '') ?? [];
      if (word?.startsWith('holds') && records.some((record) => JSON.stringify(record).includes(limit)))
        return [status];
    }
    const at = this.script.findIndex(([word = '']) => !/^(over|cuts|holds)/.test(word));
    return at < 0 ? [] : (this.script.splice(at, 1)[0] as Step);
  }

  #check(request: IncomingMessage, body: Buffer): Received[] | null {
    const before = this.faults.length;
    const wrong = (what: string): void => void this.faults.push(what);
    if (request.method !== 'POST' || request.url !== '/v1/logs') wrong(`${request.method} ${request.url}`);
    if (request.headers['content-type'] !== 'application/json') wrong('content-type');
    const found: Received[] = [];
    try {
      const { resourceLogs, ...others } = JSON.parse(body.toString()) as { resourceLogs: never[] };
      if (Object.keys(others).length > 0) wrong('keys of the request');
      for (const { resource, scopeLogs } of resourceLogs as {
        resource: { attributes: never };
        scopeLogs: never[];
      }[]) {
        if (plainAttributes(resource.attributes)['service.name'] !== 'namegate') wrong('service.name');
        for (const { logRecords } of scopeLogs as { logRecords: Record<string, never>[] }[]) {
          for (const record of logRecords) found.push(readRecord(record, wrong));
        }
      }
    } catch (error) {
      wrong(String(error));
    }
    return this.faults.length > before ? null : found;
  }
}

const KEYS = new Set([
  'timeUnixNano',
  'observedTimeUnixNano',
  'severityNumber',
  'severityText',
  'eventName',
  'body',
  'attributes',
]);

function readRecord(record: Record<string, never>, wrong: (what: string) => void): Received {
  for (const key of Object.keys(record)) if (!KEYS.has(key)) wrong(`key ${key}`);
  for (const key of ['timeUnixNano', 'observedTimeUnixNano'])
    if (!/^\d+$/.test(record[key] ?? '')) wrong(`${key} is no 64-bit number as text`);
  const { severityNumber, eventName, body, attributes } = record as unknown as {
    severityNumber: number;
    eventName: string;
    body: AnyValue;
    attributes: never;
  };
  if (!Number.isInteger(severityNumber) || severityNumber < 1 || severityNumber > 24) wrong('severityNumber');
  return {
    eventName,
    body: plain(body) as Received['body'],
    attributes: plainAttributes(attributes),
  };
}

function plainAttributes(pairs: readonly { readonly key: string; readonly value: AnyValue }[]) {
  const names = pairs.map(({ key }) => key);
  if (new Set(names).size !== names.length) throw new Error('a key twice');
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value)]));
}

function plain(value: AnyValue): unknown {
  const keys = Object.keys(value);
  if (keys.length > 1) throw new Error(`an AnyValue of ${keys.join(' and ')}`);
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plain);
  if (value.kvlistValue !== undefined) return plainAttributes(value.kvlistValue.values ?? []);
  if (value.intValue !== undefined) {
    if (!/^-?\d+$/.test(value.intValue)) throw new Error('intValue is no 64-bit number as text');
    return Number(value.intValue);
  }
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? null;
}
