import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Agent as HttpAgent, request as httpRequest } from '../../socket/node-http.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import type { Shown } from './sink-credentials.ts';

/** Octets of an answer that are read. */
const LONGEST_ANSWER = 64 * 1024;

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

  /** `timeout`: milliseconds for a request with its answer. */
  constructor(url: string, serverName: string | null, timeout: Milliseconds) {
    this.#url = new URL(url);
    this.#serverName = serverName;
    this.#timeout = timeout;
  }

  /** Rejects where there is no answer in time. */
  send(
    body: Buffer,
    headers: Readonly<Record<string, string>>,
    shown: Shown,
    signal: AbortSignal,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = this.#request({ ...headers, 'content-length': String(body.length) }, shown);
      const stop = (): void => void request.destroy(new Error('given up'));
      const timer = setTimeout(() => request.destroy(new Error('no answer in time')), this.#timeout);
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
      };
      request.on('error', (error) => {
        done();
        reject(error);
      });
      request.on('response', (response) => {
        read(response).then(
          (text) => {
            done();
            const retryAfter = response.headers['retry-after'];
            resolve({ status: response.statusCode ?? 0, text, retryAfter });
          },
          (error) => {
            done();
            request.destroy();
            reject(error);
          },
        );
      });
      request.end(body);
    });
  }

  /** Closes the kept connection: the next one shows what there is then. */
  forget(): void {
    this.#agent?.destroy();
    this.#agent = null;
  }

  #request(headers: Readonly<Record<string, string>>, { ca, cert, key }: Shown): ClientRequest {
    const host = this.#serverName === null ? {} : { host: hostHeader(this.#url, this.#serverName) };
    const all = { ...host, ...headers };
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

async function read(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response) {
    parts.push(part as Buffer);
    size += (part as Buffer).length;
    if (size > LONGEST_ANSWER) throw new Error('the answer is too long');
  }
  return Buffer.concat(parts).toString('utf8');
}
