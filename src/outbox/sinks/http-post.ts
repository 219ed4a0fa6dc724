import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Agent as HttpAgent, request as httpRequest } from '../../socket/node-http.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import type { Shown } from './sink-credentials.ts';

/** Octets of an answer that are read. */
const LONGEST_ANSWER = 64 * 1024;

const decompress = promisify(gunzip);

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

/** Posts to one URL over one kept connection. Redirections are not followed. */
export class HttpPost {
  readonly #url: URL;
  readonly #serverName: string | null;
  readonly #timeout: Milliseconds;
  #agent: Agent | HttpsAgent | null = null;
  /** Requests under way, and agents that are given up once there are none. */
  #underWay = 0;
  #left: (Agent | HttpsAgent)[] = [];

  /** `timeout`: milliseconds for a request with its answer. */
  constructor(url: string, serverName: string | null, timeout: Milliseconds) {
    this.#url = new URL(url);
    this.#serverName = serverName;
    this.#timeout = timeout;
  }

  /**
   * Rejects where there is no answer in time. What a kept connection took that the receiver was just closing is sent again at once,
   * on a new one.
   */
  async send(
    body: Buffer,
    headers: Readonly<Record<string, string>>,
    shown: Shown,
    signal: AbortSignal,
  ): Promise<Reply> {
    this.#underWay++;
    try {
      return await this.#try(body, headers, shown, signal);
    } catch (error) {
      if (!(error instanceof ClosedBefore) || signal.aborted) throw error;
      this.forget();
      return await this.#try(body, headers, shown, signal);
    } finally {
      this.#underWay--;
      this.#giveUp();
    }
  }

  #try(
    body: Buffer,
    headers: Readonly<Record<string, string>>,
    shown: Shown,
    signal: AbortSignal,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = this.#request({ ...headers, 'content-length': String(body.length) }, shown);
      let hasResponse = false;
      const stop = (): void => void request.destroy(new Error('given up'));
      const timer = setTimeout(() => request.destroy(new Error('no answer in time')), this.#timeout);
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
      };
      const fail = (error: Error): void => {
        done();
        reject(error);
      };
      request.on('error', (error) => {
        const wasClosed = request.reusedSocket && !hasResponse && isClosed(error);
        fail(wasClosed ? new ClosedBefore(error.message, { cause: error }) : error);
      });
      // No error comes of some ends, such as that of an answer 101.
      request.on('close', () => {
        if (!hasResponse) fail(new Error('the connection was closed without an answer'));
      });
      request.on('upgrade', (_response, socket) => socket.destroy());
      request.on('response', (response) => {
        hasResponse = true;
        read(response).then(
          (text) => {
            done();
            const retryAfter = response.headers['retry-after'];
            resolve({ status: response.statusCode ?? 0, text, retryAfter });
          },
          (error) => {
            fail(error);
            request.destroy();
          },
        );
      });
      request.end(body);
    });
  }

  /** Closes the kept connection, once its answer is there: the next one shows what there is then. */
  forget(): void {
    if (this.#agent !== null) this.#left.push(this.#agent);
    this.#agent = null;
    this.#giveUp();
  }

  #giveUp(): void {
    if (this.#underWay > 0) return;
    for (const agent of this.#left.splice(0)) agent.destroy();
  }

  #request(headers: Readonly<Record<string, string>>, { ca, cert, key }: Shown): ClientRequest {
    const host = this.#serverName === null ? {} : { host: hostHeader(this.#url, this.#serverName) };
    // Without the header a receiver may choose any coding (RFC 9110 §12.5.3).
    const all = { ...host, 'accept-encoding': 'identity', ...headers };
    if (this.#url.protocol === 'http:') {
      this.#agent ??= new HttpAgent({ keepAlive: true, maxSockets: 1 });
      return httpRequest(this.#url, { method: 'POST', headers: all, agent: this.#agent });
    }
    const servername = this.#serverName === null ? {} : { servername: this.#serverName };
    const tls = { ca, cert, key, minVersion: 'TLSv1.2' as const, ...servername };
    this.#agent ??= new HttpsAgent({ keepAlive: true, maxSockets: 1, ...tls });
    return httpsRequest(this.#url, {
      method: 'POST',
      headers: all,
      agent: this.#agent as HttpsAgent,
      ...tls,
    });
  }
}

function hostHeader({ port }: URL, name: string): string {
  return port === '' ? name : `${name}:${port}`;
}

/** A kept connection was closed before an answer came. */
class ClosedBefore extends Error {}

function isClosed({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** The body as text. Some send it compressed though nobody asked for that. */
async function read(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response) {
    parts.push(part as Buffer);
    size += (part as Buffer).length;
    if (size > LONGEST_ANSWER) throw new Error('the answer is too long');
  }
  const all = Buffer.concat(parts);
  const isGzipped = /^\s*(?:x-)?gzip\s*$/i.test(response.headers['content-encoding'] ?? '');
  if (!isGzipped || size === 0) return all.toString('utf8');
  return (await decompress(all, { maxOutputLength: LONGEST_ANSWER })).toString('utf8');
}
