import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createServer } from '../socket/node-http.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import { EXPOSITION_TYPE } from './exposition.ts';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';

/** A probe or two, and an operator. */
const MAX_CONNECTIONS = 64;
const MAX_HEADER = 8192;
/** A request must be whole by then. */
const REQUEST_MS: Milliseconds = 5_000;
const KEEP_ALIVE_MS: Milliseconds = 5_000;

export interface StatusOptions {
  /** A literal address. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly readiness: Readiness;
  readonly metrics: Pick<Metrics, 'text'>;
  /** Trouble of the socket after the start. */
  readonly notice: (error: Error) => void;
}

/**
 * HTTP for probes: GET or HEAD of `/health` (200 while the process answers), of `/ready` (200, or 503 with the reasons) and of
 * `/metrics` (Prometheus's text). All else is JSON, errors too: {error: {code, text}}. No request has a body.
 */
export class StatusServer {
  /** The port is the real one once `start` is done. */
  address: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #options: StatusOptions;
  #closing: Promise<void> | null = null;

  constructor(options: StatusOptions) {
    this.#options = options;
    this.address = { host: options.host, port: options.port };
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADER,
        headersTimeout: REQUEST_MS,
        requestTimeout: REQUEST_MS,
        connectionsCheckingInterval: 1_000,
        keepAliveTimeout: KEEP_ALIVE_MS,
      },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) =>
      refuseRaw(error, socket),
    );
  }

  /** Resolves when it answers; rejects with the system's error. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { host, port } = this.#options;
      const server = this.#server;
      server.once('error', reject);
      server.listen({ host, port, ipv6Only: host.includes(':'), exclusive: true }, () => {
        server.off('error', reject);
        server.on('error', this.#options.notice);
        const bound = server.address();
        if (bound !== null && typeof bound === 'object') this.address = { host, port: bound.port };
        resolve();
      });
    });
  }

  /** Closes at once, connections that are kept alive included. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
    return this.#closing;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '/').split('?', 1)[0];
    if (path !== '/health' && path !== '/ready' && path !== '/metrics') {
      refuse(request, response, 404, 'not-found', 'there are /health, /ready and /metrics');
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      refuse(request, response, 405, 'method', 'only GET and HEAD');
      return;
    }
    if (path === '/health') {
      give(request, response, 200, { healthy: true });
      return;
    }
    if (isRebound(request)) {
      const text = 'the Host header is a name, and this is loopback: ask by its address';
      refuse(request, response, 421, 'misdirected', text);
      return;
    }
    if (path === '/metrics') {
      void this.#giveMetrics(request, response);
      return;
    }
    const report = this.#options.readiness.report();
    give(request, response, report.ready ? 200 : 503, report);
  }

  async #giveMetrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      send(request, response, 200, EXPOSITION_TYPE, await this.#options.metrics.text());
    } catch (error) {
      this.#options.notice(error as Error);
      refuse(request, response, 500, 'fault', 'the metrics could not be written; the log has more');
    }
  }
}

/**
 * Whether a page in a browser of this machine may have led a name to loopback (DNS rebinding), to read of identities and problems.
 * It cannot choose the Host header (RFC 9110 §7.4), and an address is no name.
 */
function isRebound({ headers: { host = '' }, socket: { localAddress = '' } }: IncomingMessage): boolean {
  if (!/^(::ffff:)?127\.|^::1$/.test(localAddress)) return false;
  return !/^(localhost|[\d.]+|\[[\da-f:.]+\])?(:\d{1,5})?$/i.test(host);
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  code: string,
  text: string,
): void {
  give(request, response, status, { error: { code, text } });
}

function give(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
  send(request, response, status, 'application/json', Buffer.from(`${JSON.stringify(body)}\n`));
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  type: string,
  octets: Buffer,
): void {
  response.statusCode = status;
  response.setHeader('content-type', type);
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-length', octets.length);
  // A body is never read: the connection ends instead.
  const { headers } = request;
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) {
    response.setHeader('connection', 'close');
  }
  response.end(request.method === 'HEAD' ? undefined : octets);
}

/** An answer to what is no HTTP request; there is no response object for it. */
function refuseRaw(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, code] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'header-size']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'timeout']
        : ['400 Bad Request', 'bad-request'];
  const body = `${JSON.stringify({ error: { code, text: 'the request could not be read' } })}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
