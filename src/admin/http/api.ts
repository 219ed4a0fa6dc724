import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import swagger from '@fastify/swagger';
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Log } from '../../report/log.ts';
import type { Clock } from '../../resolve/ports.ts';
import type { AdminSetting, ExceptionSetting } from '../../settings/settings.ts';
import { createServer } from '../../socket/node-http.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { type AlertDesk, alertRoutes } from '../alerts/alert-routes.ts';
import type { Authentication } from '../callers/authentication.ts';
import { mayInspectAll } from '../callers/callers.ts';
import type { ExceptionBook } from '../exceptions/exception-book.ts';
import { exceptionRoutes } from '../exceptions/exception-routes.ts';
import { findingRoutes } from '../findings/finding-routes.ts';
import { type GrantDesk, grantRoutes } from '../grants/grant-routes.ts';
import { type HistoryDesk, historyRoutes } from '../history/history-routes.ts';
import { liveRoutes } from '../history/live-routes.ts';
import type { LeaseBook } from '../leases/lease-book.ts';
import { leaseRoutes } from '../leases/lease-routes.ts';
import { ledgerRoutes } from '../ledger/ledger-routes.ts';
import type { LedgerDesk } from '../ledger/ledger-view.ts';
import { health } from '../policy/policy-api-schema.ts';
import { type Explain, policyRoutes } from '../policy/policy-routes.ts';
import { sendRefusal } from './api-exchange.ts';
import { CallerCrowd } from './caller-crowd.ts';
import { fieldError } from './field-fault.ts';
import { takeStrictJson } from './json-body.ts';
import { judgeHost } from './loopback.ts';
import { PROBLEM_JSON, Refusal } from './refusal.ts';
import { listenOnSocket } from './unix-socket.ts';

const MAX_BODY = 16 * 1024;
const MAX_HEADERS = 16 * 1024;
const MAX_CONNECTIONS = 512;
/** A request must be whole by then. */
const REQUEST_MS: Milliseconds = 10_000;
const KEEP_ALIVE_MS: Milliseconds = 5_000;
/** Silence of a client that does not read its answer, or of a load of the policy. */
const SILENCE_MS: Milliseconds = 120_000;
const CROWDED = 'the admin API has as many connections as it takes: the longest silent ones make room';

export interface ApiOptions {
  readonly setting: AdminSetting;
  readonly authentication: Authentication;
  readonly leases: LeaseBook;
  readonly exceptions: ExceptionBook;
  readonly desk: LedgerDesk;
  readonly alerts: AlertDesk;
  readonly history: HistoryDesk;
  readonly grants?: GrantDesk | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly countsOf: (lease: string) => Readonly<Record<string, number>>;
  readonly withoutTcp: (prefixes: readonly Prefix[]) => readonly string[];
  readonly explain: Explain;
  readonly limits: () => ExceptionSetting;
  /** What `/v1/health` says beside to whoever may see all of it. */
  readonly health: () => object;
  readonly ready: () => boolean;
}

/** The admin API: JSON over HTTP/1.1, errors as RFC 9457, described by `/openapi.json`. */
export class Api {
  readonly #setting: AdminSetting;
  readonly #log: Log;
  readonly #app: FastifyInstance;
  readonly #server: Server;
  #url = '';

  private constructor(setting: AdminSetting, log: Log, app: FastifyInstance, server: Server) {
    this.#setting = setting;
    this.#log = log;
    this.#app = app;
    this.#server = server;
  }

  static async build(options: ApiOptions): Promise<Api> {
    let server: Server | null = null;
    const app = Fastify({
      serverFactory: (handler) => {
        server = createServer(
          {
            maxHeaderSize: MAX_HEADERS,
            headersTimeout: REQUEST_MS,
            requestTimeout: REQUEST_MS,
            connectionsCheckingInterval: 1_000,
            keepAliveTimeout: KEEP_ALIVE_MS,
          },
          handler,
        );
        server.setTimeout(SILENCE_MS);
        server.on('clientError', refuseRaw);
        return server;
      },
      bodyLimit: MAX_BODY,
      logger: false,
      exposeHeadRoutes: false,
      forceCloseConnections: true,
      routerOptions: { maxParamLength: 128 },
      // What is written is what is meant: nothing is removed, guessed or filled in.
      ajv: {
        customOptions: {
          removeAdditional: false,
          coerceTypes: false,
          useDefaults: false,
          allErrors: true,
          allowUnionTypes: true,
        },
      },
      frameworkErrors: (error, _request, reply) =>
        sendRefusal(reply as FastifyReply, refusalOf(error, options.log)),
    });
    await describe(app);
    app.decorateRequest('caller', null);
    app.setSerializerCompiler(() => (data) => JSON.stringify(data));
    app.setErrorHandler((error: FastifyError, _request, reply) =>
      sendRefusal(reply, refusalOf(error, options.log)),
    );
    app.setNotFoundHandler((request, reply) => sendRefusal(reply, notFound(app, request)));
    const crowd = new CallerCrowd(server!, {
      most: MAX_CONNECTIONS,
      now: () => options.clock.monotonic(),
      tell: (count) => options.log.warn('admin-trouble', CROWDED, { most: MAX_CONNECTIONS, count }),
    });
    if (options.setting.kind === 'http') {
      app.addHook('onRequest', async (request, reply) => {
        const refusal = judgeHost(request.headers);
        return refusal === null ? undefined : sendRefusal(reply, refusal);
      });
    }
    app.addHook('onSend', async (_request, reply) => {
      reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    });
    app.removeContentTypeParser('text/plain');
    takeStrictJson(app);
    app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
    app.get('/v1/health', { schema: health }, async (request, reply) => {
      const known = options.setting.kind === 'unix' || request.headers.authorization !== undefined;
      const caller = known ? await options.authentication.callerOf(request) : null;
      if (caller instanceof Refusal) return sendRefusal(reply, caller);
      const all = caller !== null && mayInspectAll(caller);
      return { healthy: true, ready: options.ready(), ...(all ? options.health() : {}) };
    });
    await app.register(async (guarded) => {
      guarded.addHook('onRequest', async (request, reply) => {
        const caller = await options.authentication.callerOf(request);
        if (caller instanceof Refusal) return sendRefusal(reply, caller);
        request.setDecorator('caller', caller);
        return undefined;
      });
      // From here on the request is whole, and its caller known.
      guarded.addHook('preHandler', async ({ socket }) => crowd.atWork(socket));
      guarded.addHook('onResponse', async ({ socket }) => crowd.idle(socket));
      leaseRoutes(guarded, options);
      exceptionRoutes(guarded, options);
      policyRoutes(guarded, options);
      ledgerRoutes(guarded, options);
      alertRoutes(guarded, options);
      findingRoutes(guarded, options);
      historyRoutes(guarded, options);
      liveRoutes(guarded, options);
      grantRoutes(guarded, options);
    });
    await app.ready();
    return new Api(options.setting, options.log, app, server!);
  }

  /** Where it is asked, once `start` is done. */
  get url(): string {
    return this.#url;
  }

  /** Rejects with a message that says what to do. */
  async start(): Promise<void> {
    const setting = this.#setting;
    const server = this.#server;
    if (setting.kind === 'unix') {
      await listenOnSocket(server, setting.path);
      this.#url = `unix:${setting.path}`;
    } else {
      const { host, port } = setting;
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port, ipv6Only: host.includes(':'), exclusive: true }, () => {
          server.off('error', reject);
          resolve();
        });
      });
      const bound = server.address();
      const real = bound !== null && typeof bound === 'object' ? bound.port : port;
      this.#url = `http://${host.includes(':') ? `[${host}]` : host}:${real}`;
    }
    server.on('error', (error) => this.#log.error('admin-trouble', 'the admin API had trouble', { error }));
  }

  /** Ends connections at once. */
  async close(): Promise<void> {
    if (this.#server.listening) {
      await new Promise<void>((resolve) => {
        this.#server.close(() => resolve());
        this.#server.closeAllConnections();
      });
    }
    await this.#app.close();
  }
}

async function describe(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'namegate',
        version: '1',
        description:
          'Leases and exceptions. Errors are application/problem+json (RFC 9457), with `errors[].pointer`.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  });
}

function refusalOf(error: FastifyError, log: Log): Refusal {
  if (error.validation !== undefined) {
    const errors = error.validation.map((fault) => fieldError(fault, error.validationContext ?? 'body'));
    return new Refusal(
      'malformed',
      errors.map(({ pointer, detail }) => `${pointer || 'the body'} ${detail}`).join('; '),
      errors,
    );
  }
  switch (error.statusCode) {
    case 413:
      return new Refusal('too-large', `a body has at most ${MAX_BODY} octets`);
    case 415:
      return new Refusal('media-type', 'write JSON, and Content-Type: application/json');
    case 400:
    case 414:
      return new Refusal('malformed', error.message);
    default:
      log.error('fault', 'the admin API met a bug', { error });
      return new Refusal('fault', 'the log has more');
  }
}

const METHODS = ['GET', 'POST', 'PATCH', 'DELETE'] as const;

/** What is there under another method is no thing that is missing. */
function notFound(app: FastifyInstance, request: FastifyRequest): Refusal {
  const url = request.url.split('?', 1)[0]!;
  const known = METHODS.filter(
    (method) =>
      app.findRoute({ method, url: url.replace(/[^/]+$/, ':id') }) ?? app.findRoute({ method, url }),
  );
  if (known.length > 0 && !known.some((method) => method === request.method)) {
    return new Refusal('method', `${url} takes ${known.join(', ')}`);
  }
  return new Refusal('not-found', `there is no ${url}; /openapi.json says what there is`);
}

/** An answer to what is no HTTP request; there is no reply object for it. */
function refuseRaw(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const refusal =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new Refusal('headers-large', `headers have at most ${MAX_HEADERS} octets`)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new Refusal('timeout', 'the request was not whole in time')
        : new Refusal('malformed', 'this is no HTTP request');
  const body = JSON.stringify(refusal);
  socket.end(
    `HTTP/1.1 ${refusal.status} ${refusal.kind}\r\ncontent-type: ${PROBLEM_JSON}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
