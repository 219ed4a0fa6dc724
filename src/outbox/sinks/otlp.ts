import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { OtlpSinkSetting as OtlpSetting } from '../../settings/alert-settings.ts';
import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import type { Placed } from '../event.ts';
import { FORMATS } from '../formats/format.ts';
import { jsonText } from '../formats/json-text.ts';
import { HttpPost, type Reply } from './http-post.ts';
import { otlpRequest } from './otlp-body.ts';
import { type EventSink, printable, reasonOf, type Sending, type SinkClock, type Trouble } from './sink.ts';
import { Credentials, isCertificateRefused, type Shown } from './sink-credentials.ts';

const compress = promisify(gzip);

/** Events of one request at most. */
const MANY = 256;
/** Answers after which the same may be sent again: all others of 4xx and 5xx must not be (OTLP 1.x, "Failures"). */
const RETRYABLE = new Set([429, 502, 503, 504]);

/**
 * OTLP/HTTP with JSON. A batch that is too large or has a bad event is sent in halves, until the one is known that the receiver does
 * not take.
 */
export class OtlpSink implements EventSink {
  readonly #setting: OtlpSetting;
  readonly #clock: SinkClock;
  readonly #credentials: Credentials;
  readonly #post: HttpPost;
  /**
   * Events of one request: half as many after a batch that was not taken, and an eighth more after one that was. So a receiver
   * with a limit refuses one request of some six, not every second.
   */
  #most = MANY;

  constructor(setting: OtlpSetting, clock: SinkClock) {
    this.#setting = setting;
    this.#clock = clock;
    this.#credentials = new Credentials(setting.tls, setting.tokenFile);
    this.#post = new HttpPost(setting.url, setting.tls.serverName, setting.timeout);
  }

  async send(batch: readonly Placed[], signal: AbortSignal): Promise<Sending> {
    const part = batch.slice(0, this.#most);
    let reply: Reply;
    try {
      const shown = await this.#credentials.shown();
      const fault = this.#credentials.fault(shown, this.#clock.now());
      if (fault !== null) return refused(fault);
      reply = await this.#request(part, shown, signal);
    } catch (error) {
      const kind = isCertificateRefused(error) ? 'refused' : 'retry';
      // Some end the connection where a request is too large, and their answer is lost with it.
      if (kind === 'retry') this.#shrink(part.length);
      return failed({ kind, reason: `${this.#where}: ${reasonOf(error)}` });
    }
    return this.#judge(part.length, reply);
  }

  async renew(): Promise<boolean> {
    const isOther = await this.#credentials.renew(this.#clock.now());
    if (isOther) this.#post.forget();
    return isOther;
  }

  close(): void {
    this.#post.forget();
  }

  get #where(): string {
    return new URL(this.#setting.url).host;
  }

  async #request(part: readonly Placed[], shown: Shown, signal: AbortSignal): Promise<Reply> {
    const { format, headers, isGzipped } = this.#setting;
    const events = part.map(({ event }) => event);
    const text = jsonText(otlpRequest(events, FORMATS[format], this.#clock.now()));
    const body = isGzipped ? await compress(text) : Buffer.from(text);
    const { token } = shown;
    const authorization =
      token === null ? {} : { authorization: token.includes(' ') ? token : `Bearer ${token}` };
    const all = {
      ...headers,
      'content-type': 'application/json',
      'user-agent': 'namegate',
      ...(isGzipped ? { 'content-encoding': 'gzip' } : {}),
      ...authorization,
    };
    return this.#post.send(body, all, shown, signal);
  }

  #judge(count: number, { status, text, retryAfter }: Reply): Sending {
    const says = `${this.#where} answers ${status}`;
    if (status >= 200 && status < 300) return this.#accepted(count, text);
    if (status === 401 || status === 403) return refused(says);
    if (status >= 400 && !RETRYABLE.has(status)) {
      if (count > 1) {
        this.#shrink(count);
        return { accepted: 0, dead: [], trouble: null };
      }
      this.#grow(count);
      const reason = printable(`${status} ${messageOf(text)}`);
      return { accepted: 1, dead: [{ index: 0, reason }], trouble: null };
    }
    const trouble: Trouble = { kind: 'retry', reason: says };
    const after = afterOf(retryAfter, this.#clock.now());
    return failed(after === null ? trouble : { ...trouble, after });
  }

  #accepted(count: number, text: string): Sending {
    const partial = partialSuccess(text);
    if (partial === null) return failed({ kind: 'retry', reason: `${this.#where} answers what is no OTLP` });
    if (partial.rejected === 0) {
      this.#grow(count);
      return { accepted: count, dead: [], trouble: null };
    }
    // It does not say which ones, and nothing may be sent again. The next ones go one by one, so that it is known of them.
    this.#most = 1;
    const reason = printable(
      count === 1 ? partial.message : `${partial.rejected} of ${count} rejected: ${partial.message}`,
    );
    const dead = Array.from({ length: count }, (_, index) => ({ index, reason }));
    return { accepted: count, dead, trouble: null };
  }

  #shrink(count: number): void {
    this.#most = Math.ceil(count / 2);
  }

  /** A smaller batch than it may send says nothing of larger ones. */
  #grow(count: number): void {
    if (count >= this.#most) this.#most = Math.min(MANY, this.#most + Math.ceil(this.#most / 8));
  }
}

function failed(trouble: Trouble): Sending {
  return { accepted: 0, dead: [], trouble };
}

function refused(reason: string): Sending {
  return failed({ kind: 'refused', reason });
}

interface Partial {
  readonly rejected: number;
  readonly message: string;
}

/** What an ExportLogsServiceResponse says; null where the text is none. An empty one is as good as `{}`. */
function partialSuccess(text: string): Partial | null {
  if (text.trim() === '') return { rejected: 0, message: '' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return null;
  const { partialSuccess: partial } = parsed as { partialSuccess?: unknown };
  if (partial === undefined || partial === null) return { rejected: 0, message: '' };
  if (typeof partial !== 'object') return null;
  const { rejectedLogRecords = 0, errorMessage = '' } = partial as Record<string, unknown>;
  const rejected = Number(rejectedLogRecords);
  if (!Number.isInteger(rejected) || rejected < 0) return null;
  return { rejected, message: typeof errorMessage === 'string' ? errorMessage : '' };
}

/** The message of a google.rpc.Status, else the text itself. */
function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === 'string') return message;
  } catch {}
  return text;
}

/** Milliseconds of a Retry-After: seconds or a date (RFC 9110 §10.2.3). */
function afterOf(text: string | undefined, now: EpochMilliseconds): Milliseconds | null {
  if (text === undefined) return null;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
