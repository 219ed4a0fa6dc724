import { FileWatch } from '../config/files/watch.ts';
import type { Log } from '../report/log.ts';
import type { Answerer } from '../resolve/ports.ts';
import type { TlsServerAddress } from '../socket/tls-connector.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import { StubAnswerer } from './answerer.ts';
import {
  type CredentialFiles,
  type CredentialReading,
  isFault,
  readCredentials,
  type StubCredentials,
} from './credentials.ts';
import { DISPATCH_LIMITS, type DispatchLimits } from './dispatch-limits.ts';
import { Dispatcher } from './dispatcher.ts';
import { Lifetime } from './lifetime.ts';

/** Milliseconds that answers in flight have when the stub stops. */
const DRAIN_MS: Milliseconds = 4_500;
/** Milliseconds that the line `ready` waits to say whether a server is reached. */
const FIRST_WORD_MS: Milliseconds = 1_000;

/** The sockets that clients ask on. */
export interface ClientSide {
  /** Where they listen; ports are the real ones once `start` is done. */
  readonly urls: readonly string[];
  /** Resolves when queries are taken; rejects with the system's error. */
  start(): Promise<void>;
  close(drainMs: Milliseconds): Promise<void>;
}

export interface StubOptions {
  /** At least one, the preferred first. */
  readonly servers: readonly TlsServerAddress[];
  readonly files: CredentialFiles;
  readonly listen: (answerer: Answerer) => ClientSide;
  readonly log: Log;
  readonly limits?: Partial<DispatchLimits>;
  /** Milliseconds between two looks at the files. */
  readonly poll?: Milliseconds;
}

/**
 * A stub resolver (RFC 9499 §6) that shows a client certificate: plain DNS on loopback, mutual TLS to namegate. It caches
 * nothing, decides nothing, and asks nobody but its servers, never in the clear.
 */
export class Stub {
  readonly #options: StubOptions;
  readonly #log: Log;
  readonly #answerer = new StubAnswerer();
  readonly #dispatcher: Dispatcher;
  readonly #clients: ClientSide;
  readonly #lifetime: Lifetime;
  readonly #first: Promise<string | null>;
  #toldFirst: (fault: string | null) => void = () => {};
  #reading: CredentialReading;
  #inUse: StubCredentials;
  #watch: FileWatch | null = null;
  #stopping: Promise<void> | null = null;

  /** `reading`: one whose result is `credentials`. */
  constructor(options: StubOptions, reading: CredentialReading, credentials: StubCredentials) {
    const { log } = options;
    const limits = { ...DISPATCH_LIMITS, ...options.limits };
    this.#options = options;
    this.#log = log;
    this.#reading = reading;
    this.#inUse = credentials;
    this.#first = new Promise((resolve) => {
      this.#toldFirst = resolve;
    });
    this.#dispatcher = new Dispatcher(
      options.servers,
      credentials.context,
      {
        replied: (question, message) => this.#answerer.replied(question, message),
        failed: (question, why) => this.#answerer.failed(question, why),
        server: (kind, { label, fault }) =>
          kind === 'up'
            ? log.info('upstream-up', 'the server answers again', { server: label })
            : log.warn('upstream-down', 'the server cannot be asked', { server: label, detail: fault }),
        first: (server) => this.#toldFirst(server === null ? null : server.label),
      },
      limits,
    );
    this.#answerer.attach(this.#dispatcher, limits.patience);
    this.#clients = options.listen(this.#answerer);
    this.#lifetime = new Lifetime(options.files.cert, log);
  }

  get urls(): readonly string[] {
    return this.#clients.urls;
  }

  /** Questions that wait for an answer. */
  get waiting(): number {
    return this.#dispatcher.waiting;
  }

  /** Since the start. */
  get counters(): Readonly<Record<string, number>> {
    const { dropped, refused } = this.#answerer;
    return { ...this.#dispatcher.counters, malformed: refused, dropped };
  }

  /** Resolves when it answers, with a server or without. Rejects with the system's error when it cannot listen. */
  async start(): Promise<void> {
    await this.#clients.start();
    if (this.#stopping !== null) return;
    this.#tellCertificate();
    this.#watch = new FileWatch({
      files: () => this.#reading.files,
      hash: () => this.#reading.hash,
      onChange: () => this.reload(),
      onError: (error) =>
        this.#log.warn('watch-trouble', 'the files cannot be looked at; it is tried again', { error }),
      ...(this.#options.poll === undefined ? {} : { poll: this.#options.poll }),
    });
    this.#dispatcher.warm();
    const server = await this.#firstWord();
    if (server === null) this.#log.warn('ready', 'ready, and no server is reached yet', { server });
    else this.#log.info('ready', 'ready', { server });
  }

  /**
   * Reads the files. New connections show what is in them now, where it fits together; else what was read last stays in use.
   * It happens by itself when they change.
   */
  reload(): void {
    if (this.#stopping !== null) return;
    const before = this.#reading.hash;
    this.#reading = readCredentials(this.#options.files);
    const { result, hash } = this.#reading;
    if (hash === before) return;
    if (isFault(result)) {
      const text =
        'the new certificate, key and CAs cannot be used: the old ones stay, until the files change again';
      this.#log.error('reload-failed', text, { ...result });
      return;
    }
    this.#inUse = result;
    this.#dispatcher.renew(result.context);
    this.#tellCertificate();
  }

  /** Takes no more queries, lets those in flight end, closes everything. */
  stop(why: string): Promise<void> {
    this.#stopping ??= this.#drain(why);
    return this.#stopping;
  }

  async #drain(why: string): Promise<void> {
    this.#log.info('stopping', 'draining', { why, waiting: this.#dispatcher.waiting });
    this.#lifetime.close();
    await this.#watch?.close();
    await this.#clients.close(DRAIN_MS);
    this.#dispatcher.close();
    this.#log.info('stopped', 'stopped', { queries: this.counters, lost_log_lines: this.#log.dropped });
  }

  #firstWord(): Promise<string | null> {
    let timer: NodeJS.Timeout;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), FIRST_WORD_MS);
    });
    return Promise.race([this.#first, late]).finally(() => clearTimeout(timer));
  }

  #tellCertificate(): void {
    const { subject, fingerprint, notBefore, notAfter, doubts } = this.#inUse;
    this.#log.info('certificate-loaded', 'this certificate is shown to the servers', {
      subject,
      sha256: fingerprint,
      not_before: new Date(notBefore).toISOString(),
      not_after: new Date(notAfter).toISOString(),
    });
    for (const doubt of doubts)
      this.#log.warn('certificate-doubtful', `${doubt}: namegate will not know its client by it`, {
        file: this.#options.files.cert,
      });
    this.#lifetime.follow(this.#inUse);
  }
}
