import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Command } from 'commander';
import { socketAddress } from '../../admin/http/unix-socket.ts';
import { type AdminTarget, adminTarget, targetOf } from '../../config/server/admin-target.ts';
import { request } from '../../socket/node-http.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import {
  CONFIG_HELP,
  EXIT_PROBLEMS,
  escapeText,
  missingServerFile,
  serverFile,
  type Terminal,
} from '../terminal.ts';

/** How a verb that asks the admin API was called. */
export interface AdminClientOptions {
  readonly config?: string;
  readonly admin?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

/** The options of every verb that asks the admin API. */
export function withAdminOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', CONFIG_HELP)
    .option('--admin <url>', "the admin API, unix:PATH or http://127.0.0.1:PORT (default: the server file's)")
    .option('--token-file <file>', 'file of the token to show')
    .option('--json', 'print JSON');
}

/** What tells an answer of the admin API from that of another service that listens there. */
export type JsonMember =
  | 'id'
  | 'leases'
  | 'exceptions'
  | 'identities'
  | 'name'
  | 'verdict'
  | 'balances'
  | 'sinks'
  | 'findings'
  | 'denials'
  | 'grants'
  | 'reset';

function isAnswer(body: unknown, member: JsonMember): boolean {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, member)) return false;
  const value = (body as Readonly<Record<string, unknown>>)[member];
  return member.endsWith('s') || member === 'reset' ? Array.isArray(value) : typeof value === 'string';
}

const NOT_OURS = 'what answers there is no admin API of namegate';

/** What the API said, or why it could not be asked. */
export type AdminAnswer =
  | { readonly kind: 'good'; readonly body: unknown }
  | { readonly kind: 'refused'; readonly status: number; readonly detail: string }
  | { readonly kind: 'unreached'; readonly reason: string };

const ANSWER_MS: Milliseconds = 60_000;
const MAX_ANSWER = 16 * 2 ** 20;
/** A stream that says nothing for so long is dead: the server gives a sign of life every 15 s. */
const SILENCE_MS: Milliseconds = 45_000;

/** One way to the admin API of a running server. */
export class AdminClient {
  readonly #target: AdminTarget;
  readonly #token: string | null;
  readonly #patience: Milliseconds;

  private constructor(target: AdminTarget, token: string | null, patience: Milliseconds) {
    this.#target = target;
    this.#token = token;
    this.#patience = patience;
  }

  /** By options, else by the server file; or what is wrong with them. `patience` in milliseconds. */
  static from(
    { config, admin, tokenFile }: AdminClientOptions,
    patience: Milliseconds = ANSWER_MS,
  ): AdminClient | string {
    let target: AdminTarget | string | null;
    if (admin === undefined) {
      const missing = missingServerFile(config);
      if (missing !== null) return missing;
      target = adminTarget(serverFile(config));
    } else {
      target =
        targetOf(admin, join('.', 'x')) ?? `--admin ${admin}: write unix:PATH or http://127.0.0.1:PORT`;
    }
    if (typeof target === 'string') return target;
    if (tokenFile === undefined) {
      if (target.kind === 'http')
        return 'the admin API on HTTP wants a token: name its file with --token-file';
      return new AdminClient(target, null, patience);
    }
    try {
      return new AdminClient(target, readFileSync(tokenFile, 'utf8').trim(), patience);
    } catch (error) {
      return `--token-file ${tokenFile}: ${(error as Error).message}`;
    }
  }

  async ask(method: string, path: string, body?: object): Promise<AdminAnswer> {
    try {
      const { status, text } = await this.#exchange(method, path, body);
      return read(status, text);
    } catch (error) {
      return this.#unreached(error as NodeJS.ErrnoException);
    }
  }

  /**
   * Reads a stream of events (`text/event-stream`) behind the event `after`; `take` hears each piece, and says whether it goes
   * on. Good where it began, whatever ended it.
   */
  async follow(path: string, after: string | null, take: (piece: string) => boolean): Promise<AdminAnswer> {
    const last = after === null ? {} : { 'last-event-id': after };
    let isBegun = false;
    try {
      const response = await this.#send('GET', path, { accept: 'text/event-stream', ...last });
      if (response.statusCode !== 200) return read(response.statusCode ?? 0, await textOf(response));
      isBegun = true;
      response.setEncoding('utf8').setTimeout(SILENCE_MS, () => response.destroy());
      for await (const piece of response) if (!take(piece as string)) break;
    } catch (error) {
      if (!isBegun) return this.#unreached(error as NodeJS.ErrnoException);
    }
    return { kind: 'good', body: null };
  }

  #unreached({ code, message }: NodeJS.ErrnoException): AdminAnswer {
    const where =
      this.#target.kind === 'unix' ? this.#target.path : `${this.#target.host}:${this.#target.port}`;
    const away = code === 'ENOENT' || code === 'ECONNREFUSED';
    const reason = away ? 'is namegate running?' : code === 'EACCES' ? 'only its owner may ask' : message;
    return { kind: 'unreached', reason: `nobody answers at ${where}: ${reason}` };
  }

  async #exchange(method: string, path: string, body?: object): Promise<{ status: number; text: string }> {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const type = content === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { accept: 'application/json', ...type };
    const response = await this.#send(method, path, headers, content, AbortSignal.timeout(this.#patience));
    return { status: response.statusCode ?? 0, text: await textOf(response) };
  }

  #send(
    method: string,
    path: string,
    headers: Record<string, string>,
    content?: string,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    const target = this.#target;
    const socket = target.kind === 'unix' ? socketAddress(target.path) : null;
    const where =
      target.kind === 'unix' ? { socketPath: socket!.path } : { host: target.host, port: target.port };
    if (this.#token !== null) headers['authorization'] = `Bearer ${this.#token}`;
    const until = signal === undefined ? {} : { signal };
    return new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request({ ...where, method, path, headers, agent: false, ...until }, resolve);
      sent.on('error', reject);
      sent.end(content);
    }).finally(() => socket?.release());
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk as string;
    if (text.length > MAX_ANSWER) throw new Error('the answer is too long');
  }
  return text;
}

function read(status: number, text: string): AdminAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { kind: 'unreached', reason: `what answers is no admin API (HTTP ${status})` };
  }
  if (status >= 200 && status < 300) return { kind: 'good', body };
  const { detail, title } = body as { readonly detail?: unknown; readonly title?: unknown };
  return { kind: 'refused', status, detail: String(detail ?? title ?? `HTTP ${status}`) };
}

/** Asks, and tells what went wrong; null then, with the terminal's code set. `member` stands in every good answer. */
export async function askAdmin(
  terminal: Terminal,
  verb: string,
  options: AdminClientOptions,
  method: string,
  path: string,
  member: JsonMember,
  body?: object,
): Promise<unknown> {
  const client = AdminClient.from(options);
  if (typeof client === 'string') {
    terminal.code = terminal.usage(verb, client);
    return null;
  }
  const answer = await client.ask(method, path, body);
  if (answer.kind === 'good' && isAnswer(answer.body, member)) return answer.body;
  terminal.code = EXIT_PROBLEMS;
  const why = answer.kind === 'good' ? NOT_OURS : answer.kind === 'refused' ? answer.detail : answer.reason;
  terminal.complain(`namegate ${verb}: ${escapeText(why)}`);
  return null;
}
